/** What a person calls a model → what each hub calls it. */
import { PlatformError } from "../base/errors.ts";
import type { RepoOnHubs } from "../hub/hub.ts";
import type { Registry } from "../registry/registry.ts";
import { selectSpec, splitSize } from "../registry/select-spec.ts";
import { toRepoOnHubs } from "./bring-files.ts";

/**
 * @param model a name in the registry, as `name:size` too, or an `owner/name`, which stays as it is
 * @throws PlatformError `model_not_found` for an unknown name, `invalid_request` for a size that the model
 *   has not and for a model that no hub has
 */
export async function repoToPull(model: string, registry: Registry): Promise<string | RepoOnHubs> {
  if (model.includes("/")) return model;
  if (model === "demo") throw nothingToPull("demo comes with Atalaya");
  const { name, size } = splitSize(model);
  const { family } = await registry.find(name);
  const { sources, directory } = selectSpec(family, { size, format: undefined });
  if (directory !== undefined) throw nothingToPull(`${family.modelName} is in ${directory}`);
  return toRepoOnHubs(sources);
}

function nothingToPull(why: string): PlatformError {
  return new PlatformError(
    "invalid_request",
    `${why}: there is nothing to download. Launch it as it is.`,
  );
}
