/**
 * The counters of HTTP that Xinference exports beside its own names, without a prefix, for dashboards and alerts
 * that read them.
 *
 * @see aioprometheus, `MetricsMiddleware`: the names, the labels, and the paths that it leaves out
 */
import { Counter, type Registry } from "prom-client";

/** Whoever reads numbers and pages does not count. */
const leftOut: ReadonlySet<string> = new Set(["/metrics", "/docs", "/openapi.json"]);

export class XinferenceHttpCounters {
  readonly #requests: Counter;
  readonly #responses: Counter;
  readonly #exceptions: Counter;
  readonly #statuses: Counter;

  constructor(registry: Registry) {
    const counter = (name: string, help: string, ...more: readonly string[]): Counter =>
      new Counter({ name, help, labelNames: ["method", "path", ...more], registers: [registry] });
    this.#requests = counter("requests_total_counter", "HTTP requests.");
    this.#responses = counter("responses_total_counter", "HTTP responses.");
    this.#exceptions = counter(
      "exceptions_total_counter",
      "HTTP requests that failed at this server: those with a status of 500 and more.",
    );
    this.#statuses = counter("status_codes_counter", "HTTP responses by status.", "status_code");
  }

  /** @param request.route the pattern, such as `/v1/models/:uid` */
  count({
    method,
    route,
    status,
  }: {
    readonly method: string;
    readonly route: string;
    readonly status: number;
  }): void {
    if (leftOut.has(route)) return;
    // Its routes are written with braces.
    const labels = { method, path: route.replace(/:(\w+)/g, "{$1}") };
    this.#requests.inc(labels);
    this.#responses.inc(labels);
    if (status >= 500) this.#exceptions.inc(labels);
    this.#statuses.inc({ ...labels, status_code: `${status}` });
  }
}
