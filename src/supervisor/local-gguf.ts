/** GGUF files as models: a path to one, a directory with one, or a name in Ollama's store. */
import { readdir, stat } from "node:fs/promises";
import { basename, isAbsolute, join } from "node:path";
import { PlatformError } from "../base/errors.ts";
import type { GgufSource } from "../engines/gguf-directory.ts";
import { type OllamaModel, ollamaName } from "../hub/caches/ollama-store.ts";
import type { ModelWish, ResolvedModel } from "./resolved-model.ts";

/** As the format is called on the command line and on the wire. */
export const GGUF_FORMAT = "ggufv2";

export type GgufModels = {
  /** A checkpoint directory that stands for the files. */
  readonly directoryOf: (source: GgufSource) => Promise<string>;
  readonly findOllama: (name: string) => Promise<OllamaModel>;
};

/**
 * @returns `undefined` for what is no GGUF
 * @throws PlatformError `model_not_found`, `corrupt_model_file`, `invalid_request`, `cache_unusable`
 */
export async function resolveGguf(
  { model, familyName }: ModelWish,
  gguf: GgufModels,
): Promise<ResolvedModel | undefined> {
  const inStore = ollamaName(model);
  if (inStore !== undefined) {
    const found = await gguf.findOllama(inStore);
    const size = /^(\d+)b(-|$)/i.exec(found.tag)?.[1];
    return {
      ...fromGguf(found.name, await gguf.directoryOf(found)),
      size: size === undefined ? undefined : Number(size),
      source: `ollama:${found.reference}`,
    };
  }
  if (!isAbsolute(model)) return undefined;
  const source = await findFiles(model);
  if (source === undefined) return undefined;
  const name = familyName ?? basename(model).replace(/\.gguf$/i, "");
  return fromGguf(name, await gguf.directoryOf(source));
}

/** A directory in Hugging Face layout whose weights are a GGUF is one already. */
export async function formatOf(directory: string): Promise<string> {
  const info = await stat(join(directory, "model.gguf")).catch(() => undefined);
  return info?.isFile() === true ? GGUF_FORMAT : "pytorch";
}

async function findFiles(path: string): Promise<GgufSource | undefined> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile() === true) {
    return /\.gguf$/i.test(path) || /^sha256-[0-9a-f]{64}$/.test(basename(path))
      ? { model: path }
      : undefined;
  }
  if (info?.isDirectory() !== true) return undefined;
  const names = await readdir(path);
  if (names.includes("config.json")) return undefined;
  const files = names.filter((name) => /\.gguf$/i.test(name)).toSorted();
  const isProjector = (name: string): boolean => /mmproj|projector/i.test(name);
  const models = files.filter((name) => !isProjector(name));
  const projectors = files.filter(isProjector);
  const [model] = models;
  if (model === undefined) return undefined;
  if (models.length > 1 || projectors.length > 1) {
    throw new PlatformError(
      "invalid_request",
      `${path} holds several GGUF files (${files.slice(0, 5).join(", ")}). Name the one to launch.`,
      { details: { param: "model_path" } },
    );
  }
  const [projector] = projectors;
  return {
    model: join(path, model),
    projector: projector === undefined ? undefined : join(path, projector),
  };
}

function fromGguf(modelName: string, directory: string): ResolvedModel {
  return {
    modelName,
    format: GGUF_FORMAT,
    size: undefined,
    quantizations: ["none"],
    directory,
    partialCopy: undefined,
    origin: undefined,
    sources: [],
  };
}
