/**
 * A checkpoint directory in Hugging Face layout: read, and checked against itself.
 *
 * After `openCheckpoint` every tensor the model needs is known to be there, of the right shape, inside
 * its file. Nothing is mapped yet.
 */
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { PlatformError } from "../../base/errors.ts";
import { openSafetensors, type TensorEntry } from "../../formats/safetensors.ts";
import { parseSafetensorsIndex } from "../../formats/safetensors-index.ts";
import { parseUniqueJson } from "../../formats/unique-json.ts";
import { type MllamaConfig, parseMllamaConfig } from "./config.ts";
import { expectedTensors, legacyName } from "./weights.ts";

export type Checkpoint = {
  readonly directory: string;
  readonly config: MllamaConfig;
  /** The parsed `preprocessor_config.json`, for `parseImageProcessorConfig`. */
  readonly preprocessor: unknown;
  readonly bosTokenId: number;
  /** From generation_config.json, else config.json. */
  readonly stopTokenIds: readonly number[];
  /** By the names of the published files. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly fileBytes: number;
};

/** An index of a 90B is 140 kB. */
const MAX_JSON_BYTES = 8 * 1024 * 1024;
const SINGLE_FILE = "model.safetensors";
const INDEX_FILE = "model.safetensors.index.json";

/**
 * @param directory a path on this machine
 * @throws PlatformError `model_not_found` without such a directory, `corrupt_model_file` when its files
 *   are foreign, cut short or contradict each other
 */
export async function openCheckpoint(directory: string): Promise<Checkpoint> {
  const names = await listDirectory(directory);
  const config = parseMllamaConfig(await readJson(directory, "config.json", names));
  const preprocessor = await readJson(directory, "preprocessor_config.json", names);
  checkTileSize(config, preprocessor);
  const generation = names.includes("generation_config.json")
    ? parseGenerationConfig(await readJson(directory, "generation_config.json", names))
    : {};
  const tensors = await readTensorTables(directory, names);
  checkTensors(config, tensors);
  const eos = generation.eos_token_id ?? config.text.eosTokenIds;
  return {
    directory,
    config,
    preprocessor,
    bosTokenId: generation.bos_token_id ?? config.text.bosTokenId,
    stopTokenIds: typeof eos === "number" ? [eos] : eos,
    tensors,
    fileBytes: [...tensors.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

const GenerationFile = z.looseObject({
  bos_token_id: z.int().min(0).optional(),
  eos_token_id: z.union([z.int().min(0), z.array(z.int().min(0)).min(1).max(64)]).optional(),
});

function parseGenerationConfig(json: unknown): z.infer<typeof GenerationFile> {
  const { success, data } = GenerationFile.safeParse(json);
  if (!success) throw corrupt("generation_config.json has no usable token ids");
  return data;
}

async function listDirectory(directory: string): Promise<readonly string[]> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (cause) {
    throw new PlatformError(
      "model_not_found",
      `There is no directory ${directory}. Name one that holds a Llama 3.2 Vision checkpoint.`,
      { cause },
    );
  }
  if (!names.includes("config.json")) {
    throw new PlatformError(
      "model_not_found",
      `${directory} holds no checkpoint: config.json is missing. Name the directory that has config.json and ${SINGLE_FILE}.`,
    );
  }
  return names;
}

async function readJson(
  directory: string,
  name: string,
  names: readonly string[],
): Promise<unknown> {
  if (!names.includes(name)) throw corrupt(`${name} is missing`);
  const path = await regularFile(directory, name);
  const { size } = await stat(path);
  if (size > MAX_JSON_BYTES) throw corrupt(`${name} has ${size} bytes; at most ${MAX_JSON_BYTES}`);
  try {
    return parseUniqueJson(await readFile(path, "utf8"));
  } catch (cause) {
    throw corrupt(`${name} is no JSON`, cause);
  }
}

/** Follows links, as the hub caches use them; what they end in must be a file. */
async function regularFile(directory: string, name: string): Promise<string> {
  try {
    const path = await realpath(join(directory, name));
    if ((await stat(path)).isFile()) return path;
  } catch (cause) {
    throw corrupt(`${name} is missing or a broken link`, cause);
  }
  throw corrupt(`${name} is not a file`);
}

async function readTensorTables(
  directory: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, TensorEntry>> {
  const shards = await shardNames(directory, names);
  const tensors = new Map<string, TensorEntry>();
  for (const shard of shards) {
    for (const entry of (await openSafetensors(await regularFile(directory, shard))).values()) {
      const name = legacyName(entry.name);
      if (tensors.has(name)) throw corrupt(`the tensor ${name} is there twice`);
      tensors.set(name, entry);
    }
  }
  return tensors;
}

async function shardNames(directory: string, names: readonly string[]): Promise<Set<string>> {
  if (names.includes(INDEX_FILE)) {
    const index = parseSafetensorsIndex(
      await readFile(await regularFile(directory, INDEX_FILE), "utf8"),
    );
    const shards = new Set(index.values());
    for (const shard of shards) {
      if (!names.includes(shard)) {
        throw corrupt(`${shard}, which the index names, is missing`);
      }
    }
    return shards;
  }
  if (names.includes(SINGLE_FILE)) return new Set([SINGLE_FILE]);
  if (names.some((name) => /\.(bin|pth?|ckpt)$/.test(name))) {
    throw corrupt(
      "it holds pickled weights, which can carry code and are never opened. Save it again with `model.save_pretrained(…, safe_serialization=True)`",
    );
  }
  throw corrupt(`${SINGLE_FILE} is missing`);
}

/** Missing or misshapen tensors are found here, by name, and not in the middle of a computation. */
function checkTensors(config: MllamaConfig, tensors: ReadonlyMap<string, TensorEntry>): void {
  for (const [name, shape] of expectedTensors(config)) {
    const entry = tensors.get(name);
    if (entry === undefined) throw corrupt(`the tensor ${name} is missing`);
    if (entry.shape.join() !== shape.join()) {
      throw corrupt(
        `${name} has the shape [${entry.shape.join(", ")}], and config.json asks for [${shape.join(", ")}]`,
      );
    }
    if (!["F32", "F16", "BF16"].includes(entry.dtype)) {
      throw corrupt(`${name} has the type ${entry.dtype}; weights are F32, F16 or BF16`);
    }
  }
}

/** A 448-pixel processor beside a 560-pixel tower would silently see the wrong picture. */
function checkTileSize({ vision }: MllamaConfig, preprocessor: unknown): void {
  const parsed = z
    .looseObject({ size: z.looseObject({ height: z.number() }) })
    .safeParse(preprocessor);
  const tileSize = parsed.data?.size.height;
  if (tileSize !== undefined && tileSize !== vision.tileSize) {
    throw corrupt(
      `preprocessor_config.json makes tiles of ${tileSize} pixels and config.json expects ${vision.tileSize}`,
    );
  }
}

function corrupt(what: string, cause?: unknown): PlatformError {
  return new PlatformError("corrupt_model_file", `The checkpoint cannot be used: ${what}.`, {
    cause,
  });
}
