/** The numbers of a model that decide how much memory it takes, from a checkpoint or from its `config.json`. */
import { PlatformError } from "../base/errors.ts";
import { PREFIX_BYTES, parseHeaderLength, parseSafetensorsHeader } from "../formats/safetensors.ts";
import { type FileDtype, fileDtypes, numBytesOf } from "../formats/tensor-entry.ts";
import { checkTensors } from "../models/mllama/check-tensors.ts";
import { type Checkpoint, openCheckpoint, readTensorTables } from "../models/mllama/checkpoint.ts";
import { type MllamaConfig, parseMllamaConfig } from "../models/mllama/config.ts";
import { weightPlace } from "../models/mllama/placement.ts";
import { quantizedTypes } from "../models/mllama/quantization.ts";
import { isGate, isMatrix, mayBeQuantized } from "../models/mllama/weight-kinds.ts";
import { expectedTensors } from "../models/mllama/weights.ts";
import { readChatTemplate } from "../tokenizer/chat-template.ts";

export type ModelShape = {
  readonly numParameters: number;
  /** Of all tensors, as the published files hold them: also where something else is made of them. */
  readonly fileBytes: number;
  /** Of matrices, used where they lie. */
  readonly matrixBytes: number;
  /** Of everything else, widened to float32. */
  readonly vectorBytes: number;
  /** Bytes of weights by where they may lie, matrices as they are and the rest in float32. */
  readonly weights: WeightBytes;
  /** Whether any matrix is in float32: then keys and values are kept so, too. */
  readonly hasFloat32Matrices: boolean;
  readonly text: Readonly<
    Pick<
      MllamaConfig["text"],
      | "hiddenSize"
      | "intermediateSize"
      | "numHeads"
      | "numKvHeads"
      | "headSize"
      | "vocabSize"
      | "maxPositions"
    >
  > & { readonly numSelfLayers: number; readonly numCrossLayers: number };
  readonly vision: Readonly<
    Pick<
      MllamaConfig["vision"],
      "hiddenSize" | "intermediateSize" | "headSize" | "tokensPerTile" | "maxTiles"
    >
  > & { readonly numTaps: number };
};

export type WeightBytes = {
  /** By layer of the text model. */
  readonly layers: readonly number[];
  /** Layers that read pictures. */
  readonly crossLayers: readonly number[];
  /** The last norm and the output head. */
  readonly head: number;
  readonly embedding: number;
  /** The vision tower and the projector. */
  readonly tower: number;
};

/** What a checkpoint on this machine says about itself. */
export type CheckpointFacts = {
  readonly shape: ModelShape;
  /** Its shape when a quantization has been made of it. */
  readonly shapeAs: (quantization: string) => ModelShape;
  /** What most of its matrices are: `none` for floating-point numbers. */
  readonly quantization: string;
  readonly hasChatTemplate: boolean;
};

/**
 * Read a checkpoint's tables; its weights stay where they are.
 *
 * @throws PlatformError `model_not_found`, `corrupt_model_file`
 */
export async function readCheckpointFacts(directory: string): Promise<CheckpointFacts> {
  const checkpoint = await openCheckpoint(directory);
  const { source } = await readChatTemplate(directory);
  return {
    shape: shapeOfCheckpoint(checkpoint),
    shapeAs: (quantization) => shapeOfCheckpoint(checkpoint, quantization),
    quantization: quantizationOf(checkpoint),
    hasChatTemplate: source !== undefined,
  };
}

/** A checkpoint that is elsewhere, read by name and range. */
export type RemoteCheckpoint = {
  /** What a person calls it. */
  readonly name: string;
  /** Name → bytes; those of the checkpoint's own directory. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Bytes from `start` up to, not including, `end`, of a file in `sizes`. */
  readonly read: (name: string, start: number, end: number) => Promise<Uint8Array>;
};

/** A config has a few hundred short lines, an index one a tensor. */
const MAX_JSON_BYTES = 4 * 1024 * 1024;
/** Holds the header of every published file of this family, so that one question is enough. */
const FIRST_READ_BYTES = 128 * 1024;

/**
 * The shape of a checkpoint from the tables at the heads of its files: of 21 GB, half a megabyte is read.
 *
 * @throws PlatformError `corrupt_model_file` when they lie, and whatever `read` throws
 */
export async function shapeOfRemote(
  { name, sizes, read }: RemoteCheckpoint,
  quantization = "none",
): Promise<ModelShape> {
  const sizeOf = (file: string): number => {
    const size = sizes.get(file);
    if (size === undefined) throw corrupt(name, `${file} is missing`);
    return size;
  };
  const readJson = async (file: string): Promise<unknown> => {
    const size = sizeOf(file);
    if (size > MAX_JSON_BYTES) {
      throw corrupt(name, `${file} has ${size} bytes, and at most ${MAX_JSON_BYTES} are read`);
    }
    const text = new TextDecoder().decode(await read(file, 0, size));
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw corrupt(name, `${file} is no JSON`, cause);
    }
  };
  const config = parseMllamaConfig(await readJson("config.json"));
  const found = await readTensorTables({
    path: name,
    names: new Set(sizes.keys()),
    readJson,
    readTable: async (file) => {
      const size = sizeOf(file);
      const first = await read(file, 0, Math.min(size, FIRST_READ_BYTES));
      const length = parseHeaderLength(first.subarray(0, PREFIX_BYTES), size, file);
      const end = PREFIX_BYTES + length;
      const rest = end > first.length ? await read(file, first.length, end) : new Uint8Array();
      const header = Buffer.concat([first, rest]).subarray(PREFIX_BYTES, end);
      return parseSafetensorsHeader(header, size, file);
    },
  });
  const tensors = checkTensors(config, found);
  return shapeOfCheckpoint({ config, tensors }, quantization);
}

/**
 * @param json a published `config.json`; weights are of its `torch_dtype`
 * @param quantization what is made of them
 * @throws PlatformError `corrupt_model_file`
 */
export function shapeOfConfig(json: unknown, quantization = "none"): ModelShape {
  const dtype = hasFloat32Weights(json) ? "F32" : "BF16";
  const config = parseMllamaConfig(json);
  const tensors = [...expectedTensors(config)].map(
    ([name, shape]) => ({ name, shape, dtype }) as const,
  );
  return shapeOf(config, tensors, quantization);
}

export function shapeOfCheckpoint(
  { config, tensors }: Pick<Checkpoint, "config" | "tensors">,
  quantization = "none",
): ModelShape {
  const entries = [...tensors].map(([name, { shape, dtype }]) => ({ name, shape, dtype }));
  return shapeOf(config, entries, quantization);
}

/**
 * The type that most bytes of the decoder's layers have, in lower case; `none` when that is no quantized one. The tower and
 * the embedding may be left as they were.
 */
function quantizationOf({ tensors }: Checkpoint): string {
  const bytes = new Map<FileDtype, number>();
  for (const [name, { dtype, shape, sizeBytes }] of tensors) {
    const isOfLayers = /language_model\b.*\.layers\./.test(name);
    if (isOfLayers && mayBeQuantized(name, shape))
      bytes.set(dtype, (bytes.get(dtype) ?? 0) + sizeBytes);
  }
  const [most] = [...bytes].toSorted(([, a], [, b]) => b - a);
  return most === undefined || fileDtypes[most[0]].length === 1 ? "none" : most[0].toLowerCase();
}

type StoredTensor = {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: FileDtype;
};

function shapeOf(
  { text, vision }: MllamaConfig,
  stored: readonly StoredTensor[],
  quantization: string,
): ModelShape {
  const typesOf = quantizedTypes(quantization, text.numLayers);
  const tensors = stored.map((tensor) => {
    const dtype = typesOf(tensor);
    return { ...tensor, dtype, sizeBytes: Number(numBytesOf(dtype, tensor.shape)) };
  });
  const hasFloat32Matrices = tensors.some(
    ({ dtype, shape }) => dtype === "F32" && shape.length > 1,
  );
  const matrices = tensors.filter(({ name, shape }) => !isGate(name) && isMatrix(name, shape));
  const vectors = tensors.filter(({ name, shape }) => !isGate(name) && !isMatrix(name, shape));
  const numCrossLayers = text.crossLayers.length;
  return {
    numParameters: sum(tensors.map(({ shape }) => numElements(shape))),
    fileBytes: sum(stored.map(({ dtype, shape }) => Number(numBytesOf(dtype, shape)))),
    matrixBytes: sum(matrices.map(({ sizeBytes }) => sizeBytes)),
    vectorBytes: sum(vectors.map(({ shape }) => numElements(shape) * 4)),
    weights: weightBytes(text, [
      ...matrices.map(({ name, sizeBytes }) => ({ name, bytes: sizeBytes })),
      ...vectors.map(({ name, shape }) => ({ name, bytes: numElements(shape) * 4 })),
    ]),
    hasFloat32Matrices,
    text: { ...text, numCrossLayers, numSelfLayers: text.numLayers - numCrossLayers },
    vision: { ...vision, numTaps: vision.tapLayers.length },
  };
}

function weightBytes(
  { numLayers, crossLayers }: MllamaConfig["text"],
  tensors: readonly { readonly name: string; readonly bytes: number }[],
): WeightBytes {
  const bytes = new Map<string, number>();
  for (const { name, bytes: ofTensor } of tensors) {
    const place = weightPlace(name);
    bytes.set(place, (bytes.get(place) ?? 0) + ofTensor);
  }
  return {
    layers: Array.from({ length: numLayers }, (_, index) => bytes.get(`${index}`) ?? 0),
    crossLayers,
    head: bytes.get("head") ?? 0,
    embedding: bytes.get("embedding") ?? 0,
    tower: bytes.get("tower") ?? 0,
  };
}

function corrupt(name: string, what: string, cause?: unknown): PlatformError {
  return new PlatformError("corrupt_model_file", `${name} cannot be used: ${what}.`, { cause });
}

const hasFloat32Weights = (json: unknown): boolean =>
  typeof json === "object" &&
  json !== null &&
  "torch_dtype" in json &&
  json.torch_dtype === "float32";

const numElements = (shape: readonly number[]): number =>
  shape.reduce((product, extent) => product * extent, 1);
const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);
