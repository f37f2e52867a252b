/** What was asked to be launched → a model that the registry knows, or a checkpoint directory on this machine. */
import { stat } from "node:fs/promises";
import { basename, isAbsolute, join } from "node:path";
import { PlatformError } from "../base/errors.ts";
import { hubUrl } from "../registry/model-card.ts";
import type { ModelFamily, ModelSpec } from "../registry/model-family.ts";
import type { Registry } from "../registry/registry.ts";
import { selectSpec, splitSize } from "../registry/select-spec.ts";

export type ModelWish = {
  /** `demo`, the absolute path of a checkpoint directory, or a name in the registry, as `name:size` too. */
  readonly model: string;
  /** A family that the directory is of, when both were named. */
  readonly familyName?: string | undefined;
  readonly size?: number | string | undefined;
  readonly format?: string | undefined;
};

export type ResolvedModel = {
  readonly modelName: string;
  readonly format: string;
  /** In billions of parameters; `undefined` for a directory that nobody registered. */
  readonly size: number | undefined;
  /** What the files themselves are. */
  readonly quantizations: readonly string[];
  /** Absolute; `undefined` when the files are not on this machine. */
  readonly directory: string | undefined;
  /** Where the registry says it comes from. */
  readonly origin: { readonly family: ModelFamily; readonly spec: ModelSpec } | undefined;
};

/** Where a spec's files lie on this machine; `undefined` when they do not. */
export type LocateFiles = (spec: ModelSpec) => Promise<string | undefined>;

export type ModelResources = {
  readonly demoDirectory: string;
  readonly registry: Registry;
  readonly locateFiles: LocateFiles;
};

/**
 * @throws PlatformError `model_not_found` for an unknown name or a directory without a checkpoint,
 *   `invalid_request` for a size or format that the model has not
 */
export async function resolveModel(
  wish: ModelWish,
  { demoDirectory, registry, locateFiles }: ModelResources,
): Promise<ResolvedModel> {
  const { model, size, format } = wish;
  if (model === "demo") {
    await requireCheckpoint(demoDirectory);
    return checkFormat(fromDirectory("demo", demoDirectory), format);
  }
  if (isAbsolute(model)) {
    await requireCheckpoint(model);
    return checkFormat(fromDirectory(wish.familyName ?? basename(model), model), format);
  }
  if (looksLikePath(model)) throw noDirectory(model);
  const named = splitSize(model);
  const { family, spec: ofHubId } = await registry.find(named.name);
  const spec = ofHubId ?? selectSpec(family, { size: size ?? named.size, format });
  return {
    modelName: family.modelName,
    format: spec.format,
    size: spec.size,
    quantizations: spec.quantizations,
    directory: await directoryOf(spec, registry, locateFiles),
    origin: { family, spec },
  };
}

/** The refusal of a model whose files are elsewhere: what they are, how large, and where. */
export function filesMissing(
  { modelName, size }: ResolvedModel,
  { family, spec }: NonNullable<ResolvedModel["origin"]>,
  fileBytes: number | undefined,
): PlatformError {
  const gigabytes = fileBytes === undefined ? "" : `, ${(fileBytes / 1e9).toFixed(1)} GB`;
  const [source] = spec.sources;
  const where = source === undefined ? "" : ` ${hubUrl(source)}`;
  const licence =
    family.licence?.gated === true ? `accept the ${family.licence.name} at` : "fetch them from";
  return new PlatformError(
    "model_not_found",
    `The files of ${modelName} (${size} billion parameters${gigabytes}) are not on this machine: ${licence}${where}, download them, and launch the directory they are in with --model-path.`,
    { details: { param: "model_name" } },
  );
}

async function directoryOf(
  spec: ModelSpec,
  registry: Registry,
  locateFiles: LocateFiles,
): Promise<string | undefined> {
  if (spec.directory === undefined) return await locateFiles(spec);
  const directory = await registry.openDirectory(spec.directory);
  await requireCheckpoint(directory);
  return directory;
}

function fromDirectory(modelName: string, directory: string): ResolvedModel {
  return {
    modelName,
    format: "pytorch",
    size: undefined,
    quantizations: ["none"],
    directory,
    origin: undefined,
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
      `${directory} is a file. Pass the directory of a checkpoint in Hugging Face layout.`,
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
    `There is no directory ${model}. Pass the directory of a checkpoint in Hugging Face layout (config.json, tokenizer.json, *.safetensors), or demo.`,
  );
}

/** `meta-llama/Llama-3.2-11B-Vision` is a name on a hub; `./meta-llama` and `/models/x` are paths. */
function looksLikePath(model: string): boolean {
  return isAbsolute(model) || /^(\.{1,2}|~)([\\/]|$)/.test(model) || /[\\/]$/.test(model);
}

function notFound(message: string): PlatformError {
  return new PlatformError("model_not_found", message, { details: { param: "model_path" } });
}
