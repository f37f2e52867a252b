/** What lies in the caches against its checksums, by the names that people use. */
import { PlatformError } from "../base/errors.ts";
import { ollamaName } from "../hub/caches/ollama-store.ts";
import { remedyFor } from "../hub/first-load.ts";
import type { Hub } from "../hub/hub.ts";
import type { VerifiedFiles } from "../hub/verified-files.ts";
import { type Verification, verifyDirectory } from "../hub/verify-directory.ts";
import type { Registry } from "../registry/registry.ts";
import { selectSpec, splitSize } from "../registry/select-spec.ts";
import type { GgufModels } from "./local-gguf.ts";

export type VerifyCached = {
  /** A name in the registry, as `name:size` too, an `owner/name`, or `ollama:` and a name; all that is in the hubs' caches when absent. */
  readonly model: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: {
    readonly title: string;
    readonly fraction: number;
    readonly totalBytes: number;
  }) => void;
};

export type VerifiedCopy = Verification & {
  /** `owner/name`, or `ollama:…` */
  readonly title: string;
  /** `Hugging Face`'s or `ModelScope`'s cache, or Ollama's store. */
  readonly place: string;
  readonly revision: string | undefined;
  readonly directory: string;
  /** What mends the damaged files; `undefined` where none is. */
  readonly remedy: string | undefined;
};

type Copy = Pick<VerifiedCopy, "title" | "place" | "revision" | "directory">;

type Parts = {
  readonly hub: Hub;
  readonly registry: Registry;
  readonly gguf: GgufModels;
  readonly verified: VerifiedFiles;
};

/**
 * Read every file of a model in the caches, and compare it with the checksum that it is kept under.
 *
 * @throws PlatformError `model_not_found` when nothing of it is there, and `invalid_request` for a size that it has not
 */
export async function verifyCached(
  { model, signal, onProgress }: VerifyCached,
  parts: Parts,
): Promise<readonly VerifiedCopy[]> {
  const results: VerifiedCopy[] = [];
  for (const copy of await copiesOf(model, parts)) {
    const { title, directory } = copy;
    const result = await verifyDirectory(directory, {
      verified: parts.verified,
      isThorough: true,
      signal,
      onProgress: (progress) => onProgress({ title, ...progress }),
    });
    const [first] = result.damaged;
    const remedy = first === undefined ? undefined : await remedyFor(directory, first.path);
    // The small files beside a GGUF are ours, read out of it.
    const unknown = copy.place === "ollama" ? [] : result.unknown;
    results.push({ ...copy, ...result, unknown, remedy });
  }
  return results;
}

async function copiesOf(model: string | undefined, parts: Parts): Promise<readonly Copy[]> {
  const inStore = model === undefined ? undefined : ollamaName(model);
  if (inStore !== undefined) {
    const found = await parts.gguf.findOllama(inStore);
    const directory = await parts.gguf.directoryOf(found);
    return [{ title: `ollama:${found.name}`, place: "ollama", revision: found.tag, directory }];
  }
  const names = model === undefined ? undefined : await namesOnHubs(model, parts.registry);
  const copies = (await parts.hub.list()).flatMap(({ repo, hub, revision, directory }) =>
    revision !== undefined && (names === undefined || names.includes(repo))
      ? [{ title: repo, place: hub, revision, directory }]
      : [],
  );
  if (copies.length > 0 || model === undefined) return copies;
  throw new PlatformError(
    "model_not_found",
    `Nothing of ${(names ?? [model]).join(" or ")} is in the caches. See atalaya cached.`,
  );
}

/** @throws PlatformError `model_not_found`, `invalid_request` */
async function namesOnHubs(model: string, registry: Registry): Promise<readonly string[]> {
  if (model.includes("/")) return [model];
  const { name, size } = splitSize(model);
  const { family } = await registry.find(name);
  const specs =
    size === undefined ? family.specs : [selectSpec(family, { size, format: undefined })];
  return specs.flatMap(({ sources }) =>
    sources.flatMap(({ modelId, aliases }) => [modelId, ...aliases]),
  );
}
