/** What was asked to be launched → a checkpoint directory on this machine. */
import { stat } from "node:fs/promises";
import { basename, isAbsolute, join } from "node:path";
import { PlatformError } from "../base/errors.ts";

export type ResolvedModel = {
  readonly modelName: string;
  /** Absolute. */
  readonly directory: string;
};

/**
 * @param model `demo`, or an absolute path
 * @throws PlatformError `model_not_found`
 */
export async function resolveModel(
  model: string,
  { demoDirectory }: { readonly demoDirectory: string },
): Promise<ResolvedModel> {
  if (model === "demo") {
    await requireCheckpoint(demoDirectory);
    return { modelName: "demo", directory: demoDirectory };
  }
  if (!isAbsolute(model)) throw notADirectory(model);
  await requireCheckpoint(model);
  return { modelName: basename(model), directory: model };
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
        `This version launches directories and does not download models: download ${model} first, then launch the directory it is in. To try without a download, launch demo.`,
      );
}

/** `meta-llama/Llama-3.2-11B-Vision` is a name on a hub; `./meta-llama` and `/models/x` are paths. */
function looksLikePath(model: string): boolean {
  return isAbsolute(model) || /^(\.{1,2}|~)([\\/]|$)/.test(model) || /[\\/]$/.test(model);
}

function notFound(message: string): PlatformError {
  return new PlatformError("model_not_found", message, { details: { param: "model_path" } });
}
