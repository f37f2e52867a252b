/** What was asked to be launched → a model that the registry knows, or a checkpoint directory on this machine. */
import { stat } from "node:fs/promises";
import { basename, isAbsolute, join } from "node:path";
import { PlatformError } from "../base/errors.ts";
import { parseRepoId } from "../hub/names.ts";
import { type HubName, hubNames } from "../hub/settings.ts";
import { hubUrl } from "../registry/model-card.ts";
import type { ModelFamily, ModelSource, ModelSpec } from "../registry/model-family.ts";
import type { Registry } from "../registry/registry.ts";
import { selectSpec, splitSize } from "../registry/select-spec.ts";
import { formatOf, type GgufModels, resolveGguf } from "./local-gguf.ts";
import type { LocalCopy, LocateFiles } from "./locate-files.ts";
import type { ModelWish, ResolvedModel } from "./resolved-model.ts";

export type { ModelWish, ResolvedModel } from "./resolved-model.ts";

export type ModelResources = {
  readonly demoDirectory: string;
  readonly registry: Registry;
  readonly locateFiles: LocateFiles;
  readonly gguf: GgufModels;
};

/**
 * A repository that the registry does not know is taken for what its files say it is.
 *
 * @throws PlatformError `model_not_found` for an unknown name or a directory without a checkpoint,
 *   `invalid_request` for a size or format that the model has not
 */
export async function resolveModel(
  wish: ModelWish,
  { demoDirectory, registry, locateFiles, gguf }: ModelResources,
): Promise<ResolvedModel> {
  const { model, size, format } = wish;
  const fromGguf = await resolveGguf(wish, gguf);
  if (fromGguf !== undefined) return checkFormat(fromGguf, format);
  if (model === "demo") {
    await requireCheckpoint(demoDirectory);
    return checkFormat(fromDirectory("demo", demoDirectory), format);
  }
  if (isAbsolute(model)) {
    await requireCheckpoint(model);
    const found = fromDirectory(wish.familyName ?? basename(model), model);
    return checkFormat({ ...found, format: await formatOf(model) }, format);
  }
  if (looksLikePath(model)) throw noDirectory(model);
  const named = splitSize(model);
  const known = await registry.seek(named.name);
  if (known === undefined && parseRepoId(model) !== undefined) {
    return checkFormat(await fromRepository(model, wish, locateFiles), format);
  }
  const { family, spec: ofHubId } = known ?? (await registry.find(named.name));
  const spec = ofHubId ?? selectSpec(family, { size: size ?? named.size, format });
  const sources = sourcesFor(wish, spec.sources);
  return {
    modelName: family.modelName,
    format: spec.format,
    size: spec.size,
    quantizations: spec.quantizations,
    ...(await filesOf({ ...spec, sources }, registry, locateFiles)),
    origin: { family, spec },
    sources,
  };
}

/** The refusal of a model whose files are elsewhere: what they are, how large, where, and how to get them. */
export function filesMissing(
  { modelName, size, partialCopy, origin, sources }: ResolvedModel,
  fileBytes: number | undefined,
): PlatformError {
  if (partialCopy !== undefined) return partlyMissing(partialCopy, sources);
  const [source] = sources;
  if (origin === undefined) {
    const repo = source?.modelId ?? modelName;
    return notFound(
      `${repo} is not on this machine. Download it first: ${pullCommand(repo, source)}`,
    );
  }
  const gigabytes = fileBytes === undefined ? "" : `, ${(fileBytes / 1e9).toFixed(1)} GB`;
  return new PlatformError(
    "model_not_found",
    `The files of ${modelName} (${size} billion parameters${gigabytes}) are not on this machine. ${source === undefined ? "Download them, and launch the directory they are in with --model-path." : wayToGet(source, origin.family.licence)}`,
    { details: { param: "model_name" } },
  );
}

function wayToGet(source: ModelSource, licence: ModelFamily["licence"]): string {
  const command = pullCommand(source.modelId, source);
  return licence?.gated === true
    ? `Accept the ${licence.name} at ${hubUrl(source)}, then download them: ${command}`
    : `Download them from ${hubUrl(source)}: ${command}`;
}

function partlyMissing(
  { repo, missing }: LocalCopy,
  sources: readonly ModelSource[],
): PlatformError {
  const [first] = missing;
  const files = missing.length === 1 ? "a file is" : `${missing.length} files are`;
  const source = sources.find(({ modelId, aliases }) => [modelId, ...aliases].includes(repo));
  return notFound(
    `${repo} is only partly on this machine: ${files} missing, such as ${first?.path}. Download the rest: ${pullCommand(repo, source)}`,
  );
}

/** Without a hub's name, Hugging Face is asked first. */
function pullCommand(repo: string, source: ModelSource | undefined): string {
  return `atalaya pull ${repo}${source?.hub === "modelscope" ? " --hub modelscope" : ""}`;
}

async function fromRepository(
  repo: string,
  wish: ModelWish,
  locateFiles: LocateFiles,
): Promise<ResolvedModel> {
  const hubs: readonly HubName[] = wish.hub === undefined ? hubNames : [wish.hub];
  const sources = hubs.map((hub) => ({
    hub,
    modelId: repo,
    aliases: [],
    revision: wish.revision,
  }));
  const copy = await locateFiles(sources);
  const isWhole = copy?.missing.length === 0;
  return {
    ...fromDirectory(parseRepoId(repo)?.name ?? repo, isWhole ? copy.directory : undefined),
    partialCopy: isWhole ? undefined : copy,
    sources,
  };
}

/** @throws PlatformError `invalid_request` when the model is not on the hub that was named */
function sourcesFor(
  { hub, revision }: ModelWish,
  sources: readonly ModelSource[],
): readonly ModelSource[] {
  const chosen = hub === undefined ? sources : sources.filter((source) => source.hub === hub);
  if (chosen.length === 0 && sources.length > 0) {
    const others = sources.map((source) => `--hub ${source.hub}`).join(" or ");
    throw new PlatformError(
      "invalid_request",
      `It is not known by which name ${hub} has this model. Use ${others}.`,
      { details: { param: "download_hub" } },
    );
  }
  return revision === undefined ? chosen : chosen.map((source) => ({ ...source, revision }));
}

async function filesOf(
  spec: ModelSpec,
  registry: Registry,
  locateFiles: LocateFiles,
): Promise<Pick<ResolvedModel, "directory" | "partialCopy">> {
  if (spec.directory === undefined) {
    const copy = await locateFiles(spec.sources);
    return copy === undefined || copy.missing.length > 0
      ? { directory: undefined, partialCopy: copy }
      : { directory: copy.directory, partialCopy: undefined };
  }
  const directory = await registry.openDirectory(spec.directory);
  await requireCheckpoint(directory);
  return { directory, partialCopy: undefined };
}

function fromDirectory(modelName: string, directory: string | undefined): ResolvedModel {
  return {
    modelName,
    format: "pytorch",
    size: undefined,
    quantizations: ["none"],
    directory,
    partialCopy: undefined,
    origin: undefined,
    sources: [],
  };
}

function checkFormat(model: ResolvedModel, format: string | undefined): ResolvedModel {
  if (format === undefined || format.toLowerCase() === model.format) return model;
  throw new PlatformError(
    "invalid_request",
    `${model.modelName} is a checkpoint in the format ${model.format}, not ${JSON.stringify(format.slice(0, 40))}. Leave --model-format out.`,
    { details: { param: "model_format" } },
  );
}

async function requireCheckpoint(directory: string): Promise<void> {
  const info = await stat(directory).catch(() => undefined);
  if (info === undefined) throw noDirectory(directory);
  if (!info.isDirectory()) {
    throw notFound(
      `${directory} is a file, and no GGUF. Pass that, or the directory of a checkpoint in Hugging Face layout.`,
    );
  }
  const config = await stat(join(directory, "config.json")).catch(() => undefined);
  if (config?.isFile() !== true) {
    throw notFound(
      `${directory} holds no model: there is no config.json in it. Pass the directory of a checkpoint in Hugging Face layout.`,
    );
  }
}

function noDirectory(model: string): PlatformError {
  return notFound(
    `There is no directory ${model}. Pass the directory of a checkpoint in Hugging Face layout (config.json, tokenizer.json, *.safetensors), a GGUF file, or demo.`,
  );
}

/** `./meta-llama` and `/models/x` are paths; `llama` may have been meant as a name. */
function looksLikePath(model: string): boolean {
  return isAbsolute(model) || /^(\.{1,2}|~)([\\/]|$)/.test(model) || /[\\/]$/.test(model);
}

function notFound(message: string): PlatformError {
  return new PlatformError("model_not_found", message, { details: { param: "model_path" } });
}
