/** What was asked to be launched → a checkpoint directory on this machine. */
import { stat } from "node:fs/promises";
import { basename, isAbsolute, join } from "node:path";
import { PlatformError } from "../base/errors.ts";
import type { Snapshot } from "../hub/caches/repo-cache.ts";
import { parseRepoId } from "../hub/names.ts";

export type ResolvedModel = {
  readonly modelName: string;
  /** Absolute. */
  readonly directory: string;
};

export type ModelPlaces = {
  readonly demoDirectory: string;
  readonly findCached: (repo: string) => Promise<Snapshot | undefined>;
};

/**
 * @param model `demo`, an absolute path, or a hub's `owner/name`
 * @throws PlatformError `model_not_found`
 */
export async function resolveModel(
  model: string,
  { demoDirectory, findCached }: ModelPlaces,
): Promise<ResolvedModel> {
  if (model === "demo") {
    await requireCheckpoint(demoDirectory);
    return { modelName: "demo", directory: demoDirectory };
  }
  const repo = parseRepoId(model);
  if (repo !== undefined) {
    return { modelName: repo.name, directory: await findPulled(model, findCached) };
  }
  if (!isAbsolute(model)) throw notADirectory(model);
  await requireCheckpoint(model);
  return { modelName: basename(model), directory: model };
}

async function findPulled(repo: string, findCached: ModelPlaces["findCached"]): Promise<string> {
  const snapshot = await findCached(repo);
  if (snapshot === undefined) {
    throw notFound(`${repo} is not on this machine. Download it first: atalaya pull ${repo}`);
  }
  const [first] = snapshot.missing;
  if (first !== undefined) {
    const files =
      snapshot.missing.length === 1 ? "a file is" : `${snapshot.missing.length} files are`;
    throw notFound(
      `${repo} is only partly on this machine: ${files} missing, such as ${first.path}. Download the rest: atalaya pull ${repo}`,
    );
  }
  return snapshot.directory;
}

async function requireCheckpoint(directory: string): Promise<void> {
  const info = await stat(directory).catch(() => undefined);
  if (info === undefined) throw notADirectory(directory);
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

function notADirectory(model: string): PlatformError {
  return looksLikePath(model)
    ? notFound(
        `There is no directory ${model}. Pass the directory of a checkpoint in Hugging Face layout (config.json, tokenizer.json, *.safetensors), or demo.`,
      )
    : notFound(
        `There is no model ${model} here, and a launch does not download models. Name a directory, demo, or a repository that atalaya pull has downloaded, such as meta-llama/Llama-3.2-11B-Vision-Instruct.`,
      );
}

/** `./meta-llama` and `/models/x` are paths; `llama` may have been meant as a name. */
function looksLikePath(model: string): boolean {
  return isAbsolute(model) || /^(\.{1,2}|~)([\\/]|$)/.test(model) || /[\\/]$/.test(model);
}

function notFound(message: string): PlatformError {
  return new PlatformError("model_not_found", message, { details: { param: "model_path" } });
}
