/** `GET /metrics`, as Prometheus reads it. */
import type { Metrics } from "../../../observe/metrics.ts";
import type { App } from "../../http.ts";

export function metricsRoute(app: App, metrics: Metrics): void {
  app.get("/metrics", async (_request, reply) => {
    reply.type(metrics.contentType);
    return await metrics.render();
  });
}
