/** The numbers of a model that decide how much memory it takes, from a checkpoint or from its `config.json`. */
import { type Checkpoint, openCheckpoint } from "../models/mllama/checkpoint.ts";
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

const hasFloat32Weights = (json: unknown): boolean =>
  typeof json === "object" &&
  json !== null &&
  "torch_dtype" in json &&
  json.torch_dtype === "float32";

const numElements = (shape: readonly number[]): number =>
  shape.reduce((product, extent) => product * extent, 1);
const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);
