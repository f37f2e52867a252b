/**
 * A checkpoint of the real shapes with random weights: what it takes to load, to quantize and to compute can be
 * measured with it, and nothing else.
 *
 * Tensors are made and written a few megabytes at a time. It is made under another name and renamed when it is whole.
 */
import {
  type FileHandle,
  mkdir,
  open,
  rename,
  rm,
  stat,
  statfs,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PlatformError } from "../../base/errors.ts";
import { type MllamaConfig, parseMllamaConfig } from "../../models/mllama/config.ts";
import { expectedTensors } from "../../models/mllama/weights.ts";
import type { LoadProgress } from "../engine.ts";
import { type CheckpointKind, configFile, layersOf, sideFiles } from "./published-files.ts";
import { RandomTensor, type TensorToFill } from "./random-weights.ts";
import { tokenizerByRule } from "./tokenizer-by-rule.ts";

export type CheckpointToMake = CheckpointKind & {
  /** Must not exist yet. */
  readonly directory: string;
  readonly seed: number;
  /** Of an instruct model. */
  readonly chatTemplate: string;
  /** Another configuration of the family, such as a smaller one; the size's own when absent. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: LoadProgress) => void;
};

export type MadeCheckpoint = {
  readonly numBytes: number;
  readonly numTensors: number;
  readonly numShards: number;
};

/** Bytes of a shard, at most, as Transformers 4 cut them. */
const SHARD_BYTES = 5e9;
const PIECE_ELEMENTS = 1 << 21;
/** Kept free on the disk, and what the small files take. */
const MARGIN_BYTES = 128 * 1024 * 1024;

/** @throws PlatformError `invalid_request`, `disk_full`, `cache_unusable`, `cancelled` */
export async function makeCheckpoint(wish: CheckpointToMake): Promise<MadeCheckpoint> {
  const { directory, size, numLayers, signal } = wish;
  if (numLayers !== undefined && (numLayers < 2 || numLayers > layersOf(size))) {
    throw new PlatformError(
      "invalid_request",
      `--layers is ${numLayers}; the ${size}B has ${layersOf(size)}, and 2 are the fewest that see a picture.`,
      { details: { param: "layers" } },
    );
  }
  if ((await stat(directory).catch(() => undefined)) !== undefined) {
    throw new PlatformError(
      "invalid_request",
      `${directory} is there already. Name another directory, or remove it first.`,
      { details: { param: "directory" } },
    );
  }
  const json = wish.config ?? configFile(wish);
  const config = parseMllamaConfig(json);
  const shards = cutIntoShards(config);
  const partial = `${directory}.partial`;
  try {
    await mkdir(dirname(directory), { recursive: true });
    await requireSpace(dirname(directory), sum(shards.map(bytesOfAll)));
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial);
    await writeSmallFiles(partial, wish, { shards, tileSide: config.vision.tileSize });
    await writeShards(partial, shards, config, wish);
    signal.throwIfAborted();
    await rename(partial, directory);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw asDiskError(error, directory);
  }
  return {
    numBytes: sum(shards.map(bytesOfAll)),
    numTensors: sum(shards.map((shard) => shard.length)),
    numShards: shards.length,
  };
}

export type Shard = readonly TensorToFill[];

const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);
const bytesOf = ({ shape }: TensorToFill): number =>
  2 * shape.reduce((product, extent) => product * extent, 1);
export const bytesOfAll = (shard: Shard): number => sum(shard.map(bytesOf));

/** In the order of the model's parts, each shard as full as it gets. */
export function cutIntoShards(config: MllamaConfig): Shard[] {
  const all = [...expectedTensors(config)].map(([name, shape]) => ({ name, shape }));
  const part = (prefix: string): TensorToFill[] =>
    all.filter(({ name }) => name.startsWith(prefix));
  const inOrder = [
    ...part("vision_model."),
    ...part("language_model."),
    ...part("multi_modal_projector."),
  ];
  const shards: TensorToFill[][] = [[]];
  for (const tensor of inOrder) {
    const last = shards.at(-1);
    if (last === undefined || bytesOfAll(last) + bytesOf(tensor) > SHARD_BYTES) {
      shards.push([tensor]);
    } else last.push(tensor);
  }
  return shards;
}

function shardName(index: number, count: number): string {
  const digits = (value: number): string => String(value).padStart(5, "0");
  return count === 1
    ? "model.safetensors"
    : `model-${digits(index + 1)}-of-${digits(count)}.safetensors`;
}

async function writeSmallFiles(
  directory: string,
  wish: CheckpointToMake,
  { shards, tileSide }: { readonly shards: readonly Shard[]; readonly tileSide: number },
): Promise<void> {
  const write = async (name: string, json: unknown, indent = 2): Promise<void> =>
    await writeFile(join(directory, name), `${JSON.stringify(json, undefined, indent)}\n`);
  await write("config.json", wish.config ?? configFile(wish));
  await write("tokenizer.json", tokenizerByRule(), 0);
  for (const [name, json] of sideFiles(wish, { ...wish, tileSide })) await write(name, json);
  await writeFile(join(directory, "README.md"), readme(wish));
  if (shards.length === 1) return;
  await write("model.safetensors.index.json", {
    metadata: { total_size: sum(shards.map(bytesOfAll)) },
    weight_map: Object.fromEntries(
      shards.flatMap((shard, index) =>
        shard.map(({ name }) => [name, shardName(index, shards.length)]),
      ),
    ),
  });
}

function readme({ size, isInstruct, numLayers, seed }: CheckpointToMake): string {
  const depth = numLayers ?? layersOf(size);
  return `# Random weights

Shapes, names and files of Llama 3.2 Vision ${size}B${isInstruct ? " Instruct" : ""}, ${depth} of ${layersOf(size)} text layers; the numbers are random (seed ${seed}),
and so is what it answers. Made by \`atalaya dev make-checkpoint\` to measure loading, quantizing, memory and speed. The tokenizer's
words follow from a rule; nothing here is Meta's.
`;
}

async function writeShards(
  directory: string,
  shards: readonly Shard[],
  config: MllamaConfig,
  { seed, signal, onProgress }: CheckpointToMake,
): Promise<void> {
  const totalBytes = sum(shards.map(bytesOfAll));
  let doneBytes = 0;
  const buffers = [new Uint16Array(PIECE_ELEMENTS), new Uint16Array(PIECE_ELEMENTS)];
  for (const [index, shard] of shards.entries()) {
    const file = await open(join(directory, shardName(index, shards.length)), "wx");
    try {
      await file.writeFile(headerOf(shard));
      for (const tensor of shard) {
        await writeTensor(
          file,
          buffers,
          new RandomTensor(config, tensor, seed),
          bytesOf(tensor),
          (bytes) => {
            signal.throwIfAborted();
            doneBytes += bytes;
            onProgress({ stage: "writing weights", fraction: doneBytes / totalBytes, totalBytes });
          },
        );
      }
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

/** Made while the one before is written. */
async function writeTensor(
  file: FileHandle,
  /** The same two for every tensor: memory stays flat. */
  buffers: readonly Uint16Array<ArrayBuffer>[],
  numbers: RandomTensor,
  numBytes: number,
  onWritten: (numBytes: number) => void,
): Promise<void> {
  let writing: Promise<void> = Promise.resolve();
  for (let done = 0, turn = 0; done < numBytes; turn++) {
    const length = Math.min(2 * PIECE_ELEMENTS, numBytes - done);
    const piece = buffers[turn % 2]?.subarray(0, length / 2);
    if (piece === undefined) throw new Error("there are two buffers");
    numbers.fill(piece);
    await writing;
    writing = file
      .writeFile(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength))
      .then(() => onWritten(length));
    // Its failure is met in the next round, or at the end.
    writing.catch(() => undefined);
    done += length;
  }
  await writing;
}

/** Eight bytes of length, then the table, filled up to a multiple of eight. */
function headerOf(shard: Shard): Buffer {
  let end = 0;
  const table: Record<string, unknown> = { __metadata__: { format: "pt" } };
  for (const tensor of shard) {
    const start = end;
    end += bytesOf(tensor);
    table[tensor.name] = { dtype: "BF16", shape: tensor.shape, data_offsets: [start, end] };
  }
  const text = JSON.stringify(table);
  const json = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([prefix, json]);
}

async function requireSpace(directory: string, sizeBytes: number): Promise<void> {
  const info = await statfs(directory);
  const freeBytes = info.bavail * info.bsize;
  if (info.blocks === 0 || sizeBytes + MARGIN_BYTES <= freeBytes) return;
  throw new PlatformError(
    "disk_full",
    `The checkpoint takes ${gigabytes(sizeBytes)}, and ${gigabytes(freeBytes)} are free where ${directory} lies. Make room, name another directory, or make fewer layers with --layers.`,
    { details: { neededBytes: sizeBytes + MARGIN_BYTES, freeBytes } },
  );
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

function asDiskError(error: unknown, directory: string): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (error instanceof PlatformError || !/^E[A-Z0-9]+$/.test(code)) return error;
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  return new PlatformError(
    isFull ? "disk_full" : "cache_unusable",
    isFull
      ? `The disk is full at ${dirname(directory)}. Make room, or make fewer layers with --layers.`
      : `${basename(directory)} cannot be made in ${dirname(directory)} (${code}). Name a directory that is yours to write.`,
    { cause: error },
  );
}
