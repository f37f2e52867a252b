/** `GET /v1/engines/{name}`: which engines run a model of the registry here, in Xinference's words. */
import type { EngineOffer, EnginesReply } from "@atalaya/protocol";
import type { ModelMatch } from "../../../supervisor/match-model.ts";
import type { Supervisor } from "../../../supervisor/supervisor.ts";
import type { App } from "../../http.ts";

export function engines(app: App, supervisor: Supervisor): void {
  app.get<{ Params: { name: string } }>("/v1/engines/:name", async ({ params }) =>
    toEnginesReply(await supervisor.matchModel({ name: params.name })),
  );
}

/** Rows by engine: its offers, or why it has none and what would help. */
export function toEnginesReply(rows: readonly ModelMatch[]): EnginesReply {
  const reply: Record<string, EngineOffer[] | string> = {};
  for (const { modelName, format, size, engine } of rows) {
    const { title, obstacle, quantizations } = engine;
    if (obstacle !== undefined) {
      reply[title] ??= `${obstacle.reason} ${obstacle.remedy}`;
      continue;
    }
    const offer: EngineOffer = {
      model_name: modelName,
      model_format: format,
      model_size_in_billions: size,
      quantizations,
      support_draft_model: false,
    };
    const before = reply[title];
    reply[title] = Array.isArray(before) ? [...before, offer] : [offer];
  }
  return reply;
}
