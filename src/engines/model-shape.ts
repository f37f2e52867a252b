/** The numbers of a model that decide how much memory it takes, from a checkpoint or from its `config.json`. */
import { PlatformError } from "../base/errors.ts";
import { PREFIX_BYTES, parseHeaderLength, parseSafetensorsHeader } from "../formats/safetensors.ts";
import { checkTensors } from "../models/mllama/check-tensors.ts";
import { type Checkpoint, openCheckpoint, readTensorTables } from "../models/mllama/checkpoint.ts";
import { type MllamaConfig, parseMllamaConfig } from "../models/mllama/config.ts";
import { isGate, isMatrix } from "../models/mllama/weight-kinds.ts";
import { expectedTensors } from "../models/mllama/weights.ts";
import { readChatTemplate } from "../tokenizer/chat-template.ts";

export type ModelShape = {
  readonly numParameters: number;
  /** Of all tensors, as files hold them. */
  readonly fileBytes: number;
  /** Of matrices, used where they lie. */
  readonly matrixBytes: number;
  /** Of everything else, widened to float32. */
  readonly vectorBytes: number;
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

/** What a checkpoint on this machine says about itself. */
export type CheckpointFacts = { readonly shape: ModelShape; readonly hasChatTemplate: boolean };

/**
 * Read a checkpoint's tables; its weights stay where they are.
 *
 * @throws PlatformError `model_not_found`, `corrupt_model_file`
 */
export async function readCheckpointFacts(directory: string): Promise<CheckpointFacts> {
  const checkpoint = await openCheckpoint(directory);
  const { source } = await readChatTemplate(directory);
  return { shape: shapeOfCheckpoint(checkpoint), hasChatTemplate: source !== undefined };
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
export async function shapeOfRemote({ name, sizes, read }: RemoteCheckpoint): Promise<ModelShape> {
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
  return shapeOfTensors(config, tensors);
}

/**
 * @param json a published `config.json`; weights are of its `torch_dtype`
 * @throws PlatformError `corrupt_model_file`
 */
export function shapeOfConfig(json: unknown): ModelShape {
  const bytesPerElement = hasFloat32Weights(json) ? 4 : 2;
  const config = parseMllamaConfig(json);
  const tensors = [...expectedTensors(config)].map(([name, shape]) => ({
    name,
    shape,
    sizeBytes: numElements(shape) * bytesPerElement,
  }));
  return shapeOf(config, tensors, bytesPerElement === 4);
}

export function shapeOfCheckpoint({ config, tensors }: Checkpoint): ModelShape {
  return shapeOfTensors(config, tensors);
}

function shapeOfTensors(config: MllamaConfig, tensors: Checkpoint["tensors"]): ModelShape {
  const entries = [...tensors].map(([name, { shape, sizeBytes }]) => ({ name, shape, sizeBytes }));
  const hasFloat32Matrices = [...tensors.values()].some(
    ({ dtype, shape }) => dtype === "F32" && shape.length > 1,
  );
  return shapeOf(config, entries, hasFloat32Matrices);
}

type SizedTensor = {
  readonly name: string;
  readonly shape: readonly number[];
  readonly sizeBytes: number;
};

function shapeOf(
  { text, vision }: MllamaConfig,
  tensors: readonly SizedTensor[],
  hasFloat32Matrices: boolean,
): ModelShape {
  const matrices = tensors.filter(({ name, shape }) => !isGate(name) && isMatrix(name, shape));
  const vectors = tensors.filter(({ name, shape }) => !isGate(name) && !isMatrix(name, shape));
  const numCrossLayers = text.crossLayers.length;
  return {
    numParameters: sum(tensors.map(({ shape }) => numElements(shape))),
    fileBytes: sum(tensors.map(({ sizeBytes }) => sizeBytes)),
    matrixBytes: sum(matrices.map(({ sizeBytes }) => sizeBytes)),
    vectorBytes: sum(vectors.map(({ shape }) => numElements(shape) * 4)),
    hasFloat32Matrices,
    text: { ...text, numCrossLayers, numSelfLayers: text.numLayers - numCrossLayers },
    vision: { ...vision, numTaps: vision.tapLayers.length },
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
