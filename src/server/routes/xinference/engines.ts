/** Which engines run a model of the registry here, and which models there are by ability, in Xinference's words. */
import type { EngineOffer, EnginesReply } from "@atalaya/protocol";
import type { XinferenceEra } from "../../../config/settings.ts";
import type { ModelAbility } from "../../../registry/model-family.ts";
import type { ModelMatch } from "../../../supervisor/match-model.ts";
import { vllmModels } from "../../../supervisor/vllm-models.ts";
import type { App } from "../../http.ts";
import { inXinferencesWords, shownName } from "./errors.ts";
import type { XinferenceParts } from "./services.ts";

/** What Xinference tells models apart by; this family has the first three. */
const abilities = [
  "generate",
  "chat",
  "vision",
  "reasoning",
  "tools",
  "audio",
  "omni",
  "hybrid",
] as const;

export function engines(
  app: App,
  { supervisor, xinference: { registry, era } }: XinferenceParts,
): void {
  const enginesOf = async (name: string): Promise<EnginesReply> => {
    const rows = await supervisor.matchModel({ name }).catch((error: unknown) => {
      throw inXinferencesWords(error, `Cannot find model: ${shownName(name)}.`);
    });
    return toEnginesReply(rows, era);
  };

  app.get<{ Params: { name: string } }>("/v1/engines/:name", async ({ params }) =>
    enginesOf(params.name),
  );

  app.get<{ Params: { name: string } }>("/v1/engines/LLM/:name", async ({ params }) =>
    enginesOf(params.name),
  );

  app.get("/v1/models/families", async () => {
    const families = await registry.list();
    const namesWith = (ability: string): string[] =>
      families
        .filter((family) => family.abilities.some((one: ModelAbility) => one === ability))
        .map(({ modelName }) => modelName);
    return Object.fromEntries(abilities.map((ability) => [ability, namesWith(ability)]));
  });

  app.get("/v1/models/vllm-supported", async () => await vllmModels(registry));

  /** Chat templates are the checkpoints' own here; of a family by itself there is none. */
  app.get("/v1/models/prompts", () => ({}));
}

/**
 * Rows by engine: its offers, or why it has none and what would help. Clients of the older generation
 * read lists alone, so for them an engine without an offer is left out.
 */
export function toEnginesReply(
  rows: readonly ModelMatch[],
  era: XinferenceEra = "3",
): EnginesReply {
  const reply: Record<string, EngineOffer[] | string> = {};
  for (const { modelName, format, size, engine } of rows) {
    const { title, obstacle, quantizations } = engine;
    if (obstacle !== undefined) {
      if (era === "3") reply[title] ??= `${obstacle.reason} ${obstacle.remedy}`;
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
