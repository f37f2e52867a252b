/** Names of the registry that vLLM runs on this machine, by what they can. */
import type { ModelAbility } from "../registry/model-family.ts";
import type { Registry } from "../registry/registry.ts";
import { matchModel } from "./match-model.ts";

export type VllmModels = { readonly chat: readonly string[]; readonly generate: readonly string[] };

export async function vllmModels(registry: Registry): Promise<VllmModels> {
  const families = await registry.list();
  const rows = await Promise.all(
    families.map(async ({ modelName, abilities: [ability] }) => {
      const matches = await matchModel(registry, { name: modelName, engine: "vLLM" });
      const runs = matches.every(({ engine }) => engine.obstacle === undefined);
      return runs ? [{ modelName, ability }] : [];
    }),
  );
  const namesWith = (wanted: ModelAbility): string[] =>
    rows.flat().flatMap(({ modelName, ability }) => (ability === wanted ? [modelName] : []));
  return { chat: namesWith("chat"), generate: namesWith("generate") };
}
