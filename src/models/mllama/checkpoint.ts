/**
 * A checkpoint directory in Hugging Face layout: read, and checked against itself.
 *
 * After `openCheckpoint` every tensor the model needs is known to be there, of the right shape, inside
 * its file. Nothing is mapped yet.
 */
import { readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { PlatformError } from "../../base/errors.ts";
import { openGguf } from "../../formats/gguf.ts";
import { readJsonFile } from "../../formats/json-file.ts";
import { describeJsonIssue } from "../../formats/json-issue.ts";
import { openSafetensors } from "../../formats/safetensors.ts";
import { parseSafetensorsIndex } from "../../formats/safetensors-index.ts";
import { shown } from "../../formats/shown.ts";
import type { TensorEntry } from "../../formats/tensor-entry.ts";
import { checkTensors } from "./check-tensors.ts";
import { type MllamaConfig, parseMllamaConfig } from "./config.ts";
import { TokenIds } from "./config-file.ts";
import { ggufWeights, publishedForm, type WeightForm } from "./gguf-weights.ts";
import { parseImageProcessorConfig } from "./processor-config.ts";
import { legacyName } from "./weights.ts";

export type Checkpoint = {
  readonly directory: string;
  readonly config: MllamaConfig;
  /** The parsed `preprocessor_config.json`, for `parseImageProcessorConfig`; known to agree with `config`. */
  readonly preprocessor: unknown;
  readonly bosTokenId: number;
  /** From generation_config.json, else config.json. */
  readonly stopTokenIds: readonly number[];
  /** Exactly those of `expectedTensors`, by the names of the published files. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** How their numbers differ from the published ones. */
  readonly form: WeightForm;
  /** Of these tensors together. */
  readonly fileBytes: number;
};

const SINGLE_FILE = "model.safetensors";
const INDEX_FILE = "model.safetensors.index.json";
/** What a GGUF becomes a directory with (`engines/gguf-directory.ts`). */
const GGUF_FILE = "model.gguf";
const GGUF_PROJECTOR = "projector.gguf";

/** A directory and the names in it. */
type Directory = { readonly path: string; readonly names: ReadonlySet<string> };

/**
 * @param path a directory on this machine
 * @throws PlatformError `model_not_found` without such a directory, `corrupt_model_file` when its files
 *   are foreign, cut short or contradict each other
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const directory = await listDirectory(path);
  const config = parseMllamaConfig(await readJson(directory, "config.json"));
  const preprocessor = await readJson(directory, "preprocessor_config.json");
  checkProcessor(config, preprocessor);
  const specialTokens = await readSpecialTokens(directory, config);
  const { tensors: found, form } = await readWeights(directory, config);
  const tensors = checkTensors(config, found);
  return {
    directory: path,
    config,
    preprocessor,
    ...specialTokens,
    tensors,
    form,
    fileBytes: [...tensors.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

async function listDirectory(path: string): Promise<Directory> {
  const names = await readdir(path).then((list) => new Set(list), noDirectory);
  if (!names.has("config.json")) {
    const hint = [...names].some((name) => /^consolidated\..*\.pth$/.test(name))
      ? "It looks like Meta's own download; take the one in Hugging Face layout."
      : `Name the directory that has config.json and ${SINGLE_FILE} in it.`;
    throw new PlatformError(
      "model_not_found",
      `${path} holds no checkpoint: config.json is missing. ${hint}`,
    );
  }
  return { path, names };

  function noDirectory(cause: unknown): never {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    const what =
      code === "ENOTDIR"
        ? `${path} is a file, not a directory.`
        : code === "EACCES"
          ? `The directory ${path} may not be read.`
          : `There is no directory ${path}.`;
    throw new PlatformError(
      "model_not_found",
      `${what} Name one that holds a Llama 3.2 Vision checkpoint.`,
      { cause },
    );
  }
}

async function readJson(directory: Directory, name: string): Promise<unknown> {
  return await readJsonFile(await resolveFile(directory, name));
}

/** Links are followed, as hub caches use them; what is said of a file has its own name, not its blob's. */
async function resolveFile({ path, names }: Directory, name: string): Promise<string> {
  if (!names.has(name)) throw corrupt(path, `${name} is missing. Download it again`);
  const own = join(path, name);
  try {
    await realpath(own);
    return own;
  } catch (cause) {
    throw corrupt(path, `${name} is a link that leads nowhere. Download it again`, cause);
  }
}

const GenerationFile = z.looseObject({
  bos_token_id: TokenIds.nullish(),
  eos_token_id: TokenIds.nullish(),
});

/** Those who fine-tune a model often add stop tokens in one file only: generation_config.json rules. */
async function readSpecialTokens(
  directory: Directory,
  { text }: MllamaConfig,
): Promise<Pick<Checkpoint, "bosTokenId" | "stopTokenIds">> {
  const { bosTokenId, eosTokenIds } = text;
  if (!directory.names.has("generation_config.json")) {
    return { bosTokenId, stopTokenIds: eosTokenIds };
  }
  const json = await readJson(directory, "generation_config.json");
  const fail = (what: string): PlatformError =>
    corrupt(directory.path, `its generation_config.json ${what}. Mend the file, or remove it`);
  const { success, data, error } = GenerationFile.safeParse(json);
  if (!success) throw fail(describeJsonIssue(json, error));
  const [bos = bosTokenId] = [data.bos_token_id ?? []].flat();
  const stopTokenIds = [data.eos_token_id ?? eosTokenIds].flat();
  const outside = [bos, ...stopTokenIds].find((id) => id >= text.vocabSize);
  if (outside !== undefined) {
    throw fail(`names the token ${outside}, past the ${text.vocabSize} of the vocabulary`);
  }
  return { bosTokenId: bos, stopTokenIds };
}

/** A 448-pixel processor beside a 560-pixel tower would show it something else than it was trained on. */
function checkProcessor({ vision }: MllamaConfig, preprocessor: unknown): void {
  const { tileSize, maxTiles } = parseImageProcessorConfig(preprocessor);
  if (tileSize !== vision.tileSize || maxTiles !== vision.maxTiles) {
    throw new PlatformError(
      "corrupt_model_file",
      `preprocessor_config.json cuts pictures into at most ${maxTiles} tiles of ${tileSize} pixels, and config.json expects ${vision.maxTiles} of ${vision.tileSize}. Take both files from the same model.`,
    );
  }
}

type Weights = Pick<Checkpoint, "form"> & { readonly tensors: ReadonlyMap<string, TensorEntry> };

async function readWeights(directory: Directory, config: MllamaConfig): Promise<Weights> {
  if (!directory.names.has(GGUF_FILE)) {
    return { tensors: await readTensorTables(filesIn(directory)), form: publishedForm };
  }
  const wants = (key: string): boolean => key === "general.architecture";
  const model = await openGguf(await resolveFile(directory, GGUF_FILE), wants);
  const projector = directory.names.has(GGUF_PROJECTOR)
    ? await openGguf(await resolveFile(directory, GGUF_PROJECTOR), wants)
    : undefined;
  return await ggufWeights(config, model, projector);
}

/** A checkpoint's files, wherever they are. */
export type CheckpointFiles = Directory & {
  /** @throws PlatformError `corrupt_model_file` */
  readonly readJson: (name: string) => Promise<unknown>;
  /** The table of one safetensors file. @throws PlatformError `corrupt_model_file` */
  readonly readTable: (name: string) => Promise<ReadonlyMap<string, TensorEntry>>;
};

function filesIn(directory: Directory): CheckpointFiles {
  return {
    ...directory,
    readJson: async (name) => await readJson(directory, name),
    readTable: async (name) => await openSafetensors(await resolveFile(directory, name)),
  };
}

/**
 * Every tensor of every file, by legacy name.
 *
 * @throws PlatformError `corrupt_model_file`
 */
export async function readTensorTables(files: CheckpointFiles): Promise<Map<string, TensorEntry>> {
  const { path, names } = files;
  const index =
    names.has(SINGLE_FILE) || !names.has(INDEX_FILE)
      ? undefined
      : parseSafetensorsIndex(await files.readJson(INDEX_FILE));
  if (index === undefined && !names.has(SINGLE_FILE)) throw noWeights(files);

  const tensors = new Map<string, TensorEntry>();
  for (const shard of index === undefined ? [SINGLE_FILE] : new Set(index.values())) {
    const table = await files.readTable(shard);
    for (const [name, entry] of table) {
      const legacy = legacyName(name);
      if (tensors.has(legacy)) throw corrupt(path, `its tensor ${shown(legacy)} is there twice`);
      tensors.set(legacy, entry);
    }
    const absent = [...(index ?? [])].find(([name, file]) => file === shard && !table.has(name));
    if (absent !== undefined) {
      throw corrupt(
        path,
        `${INDEX_FILE} puts ${shown(absent[0])} into ${shard}, where it is not. Download both again`,
      );
    }
  }
  return tensors;
}

function noWeights({ path, names }: Directory): PlatformError {
  const some = (pattern: RegExp): string | undefined =>
    [...names].find((name) => pattern.test(name));
  const shard = some(/^model-\d+-of-\d+\.safetensors$/);
  if (shard !== undefined) {
    return corrupt(path, `it has ${shard} but no ${INDEX_FILE}. Download that file too`);
  }
  const pickle = some(/\.(bin|pth?|ckpt)$/);
  if (pickle !== undefined) {
    return corrupt(
      path,
      `its weights are pickled (${shown(pickle)}), can carry code and are never opened. Take a copy in safetensors, or convert it where you trust it: load it with Transformers and call save_pretrained(directory, safe_serialization=True)`,
    );
  }
  const gguf = some(/\.gguf$/);
  if (gguf !== undefined) {
    return corrupt(path, `its weights are in GGUF. Launch the file itself, ${shown(gguf)}`);
  }
  return corrupt(path, `${SINGLE_FILE} is missing. Download it again`);
}

function corrupt(path: string, what: string, cause?: unknown): PlatformError {
  return new PlatformError(
    "corrupt_model_file",
    `The checkpoint ${path} cannot be used: ${what}.`,
    { cause },
  );
}
