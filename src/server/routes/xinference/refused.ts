/**
 * Routes of Xinference about products around it, which are not here. Each answers with one sentence in
 * the form that its clients read, whatever the body is. What other models do: `../openai/refusals.ts`.
 */
import { PlatformError } from "../../../base/errors.ts";
import type { App } from "../../http.ts";

const elsewhere: readonly {
  readonly method: "GET" | "POST" | "PUT";
  readonly url: string;
  readonly instead: string;
}[] = [
  {
    method: "POST",
    url: "/v1/convert_ids_to_tokens",
    instead: "Token ids stay inside this server. Ask for logprobs, which tell every token as text.",
  },
  {
    method: "POST",
    url: "/v1/models/update_type",
    instead:
      "The catalogue comes with the program and is not fetched from anybody. Update Atalaya.",
  },
  {
    method: "POST",
    url: "/v1/models/:uid/reload",
    instead:
      "A model is not changed while it runs. Launch it under another uid, then terminate this one.",
  },
  {
    method: "GET",
    url: "/v1/models/:uid/reload",
    instead: "A model is not changed while it runs, so there is no reload to tell of.",
  },
  {
    method: "GET",
    url: "/v1/cluster/logs",
    instead: "Logs are not kept in a search engine here; they go to the server's standard error.",
  },
  ...(["context", "nodes"] as const).map((part) => ({
    method: "GET" as const,
    url: `/v1/cluster/logs/${part}`,
    instead: "Logs are not kept in a search engine here; they go to the server's standard error.",
  })),
  ...(
    [
      ["GET", ""],
      ["PUT", ""],
      ["POST", "/check-grafana"],
      ["POST", "/reset"],
    ] as const
  ).map(([method, part]) => ({
    method,
    url: `/v1/cluster/monitor_config${part}`,
    instead:
      "No dashboards are kept here. Point your own at GET /metrics; one for Grafana comes with the documentation.",
  })),
  {
    method: "POST",
    url: "/v1/models/llm/auto-register",
    instead:
      "A directory is registered with atalaya register DIRECTORY where it lies, or launched by its path as it is: model_path.",
  },
  {
    method: "POST",
    url: "/v1/ui/:uid",
    instead:
      "No page is made for a single model. Ask it over POST /v1/chat/completions, or with atalaya chat.",
  },
];

export function refused(app: App): void {
  for (const { method, url, instead } of elsewhere) {
    const refuse = async (): Promise<never> => {
      throw new PlatformError("unsupported_parameter", instead);
    };
    app.route({ method, url, onRequest: refuse, handler: refuse });
  }
}
