/**
 * A loaded Llama 3.2 Vision behind the `ModelRunner` contract: sequences and blocks in, logits out.
 *
 * Owns the back end, the weights and the KV cache; knows nothing of requests, queues or sampling.
 */
import { freemem } from "node:os";
import { PlatformError } from "../../base/errors.ts";
import type { BlockId } from "../../base/ids.ts";
import { tokenId } from "../../base/ids.ts";
import type { Picture } from "../../generation/engine-prompt.ts";
import { Backend } from "../../ggml/backend.ts";
import type { TensorSet } from "../../ggml/tensor-set.ts";
import { type Checkpoint, openCheckpoint } from "../../models/mllama/checkpoint.ts";
import { encodeImage } from "../../models/mllama/encode-image.ts";
import { prepareTiles } from "../../models/mllama/image-tiles.ts";
import { type LoadedWeights, loadWeights } from "../../models/mllama/load-weights.ts";
import { type MllamaModel, profiles, textFrequencies } from "../../models/mllama/mllama-model.ts";
import type { KvLayer, PictureStates } from "../../models/mllama/picture-states.ts";
import {
  type ImageProcessorConfig,
  parseImageProcessorConfig,
} from "../../models/mllama/processor-config.ts";
import { type TextPart, textForward } from "../../models/mllama/text-model.ts";
import type { EngineLoadOptions, EngineModelInfo, LoadProgress } from "../engine.ts";
import type { CrossStates, ModelRunner, StepSequence } from "./model-runner.ts";

/** Cells in one KV block: small enough to waste little, large enough to keep tables short. */
const BLOCK_SIZE = 64;
/** Sequences of full length that the cache holds, unless memory is short. */
const FULL_LENGTH_SEQUENCES = 4;
/** Part of the free memory that the KV cache may take when nobody named a context length. */
const KV_MEMORY_FRACTION = 0.25;
/** Below this many weights a second thread costs more than it saves. */
const SINGLE_THREAD_BYTES = 64e6;

/** Load a checkpoint directory. @throws PlatformError `corrupt_model_file`, `model_not_found`, `out_of_memory`, `engine_unavailable` */
export async function loadMllamaRunner(
  options: EngineLoadOptions,
  { onProgress }: { readonly onProgress: (progress: LoadProgress) => void },
): Promise<ModelRunner> {
  onProgress({ stage: "reading the checkpoint", fraction: undefined });
  const checkpoint = await openCheckpoint(options.directory);
  const processor = parseImageProcessorConfig(checkpoint.preprocessor);
  const numThreads =
    options.numThreads ?? (checkpoint.fileBytes < SINGLE_THREAD_BYTES ? 1 : undefined);
  const backend = Backend.openCpu({ numThreads });
  let weights: LoadedWeights | undefined;
  try {
    weights = await loadWeights(backend, checkpoint, (fraction) =>
      onProgress({ stage: "loading weights", fraction }),
    );
    return new MllamaRunner({ backend, checkpoint, processor, weights, options });
  } catch (error) {
    weights?.[Symbol.dispose]();
    backend[Symbol.dispose]();
    throw error;
  }
}

class MllamaRunner implements ModelRunner {
  readonly model: EngineModelInfo;
  readonly blockSize = BLOCK_SIZE;
  readonly numBlocks: number;
  readonly maxPictureBytes: number;
  readonly #mllama: MllamaModel;
  readonly #processor: ImageProcessorConfig;
  readonly #weights: LoadedWeights;
  readonly #cacheSet: TensorSet;
  readonly #kvCache: readonly (KvLayer | undefined)[];

  constructor(parts: {
    readonly backend: Backend;
    readonly checkpoint: Checkpoint;
    readonly processor: ImageProcessorConfig;
    readonly weights: LoadedWeights;
    readonly options: EngineLoadOptions;
  }) {
    const { backend, checkpoint, processor, weights, options } = parts;
    const { config } = checkpoint;
    const kvDtype = options.kvCacheDtype ?? defaultCacheDtype(checkpoint);
    this.#mllama = {
      backend,
      config,
      weights,
      switches: profiles[options.profile],
      inverseFrequencies: textFrequencies(config),
      stateDtype: kvDtype,
    };
    this.#processor = processor;
    this.#weights = weights;

    this.maxPictureBytes = pictureBytes(checkpoint, kvDtype);
    const bytesPerCell = kvBytesPerCell(checkpoint, kvDtype);
    const contextLength = chooseContextLength(checkpoint, options, bytesPerCell);
    this.numBlocks = chooseNumBlocks(contextLength, options, bytesPerCell);
    this.#cacheSet = allocateCache(backend, checkpoint, kvDtype, this.numBlocks * BLOCK_SIZE);
    this.#kvCache = Array.from({ length: config.text.numLayers }, (_, index) =>
      config.text.crossLayers.includes(index)
        ? undefined
        : { key: this.#cacheSet.get(`${index}.key`), value: this.#cacheSet.get(`${index}.value`) },
    );
    this.model = {
      contextLength,
      vocabSize: config.text.vocabSize,
      numEmbeddings: config.text.numEmbeddings,
      imageTokenId: tokenId(config.imageTokenId),
      bosTokenId: tokenId(checkpoint.bosTokenId),
      stopTokenIds: checkpoint.stopTokenIds.map(tokenId),
      visionTokensPerTile: config.vision.tokensPerTile,
    };
  }

  async encodeImage(picture: Picture): Promise<CrossStates> {
    const tiles = prepareTiles(picture, this.#processor);
    const states = await encodeImage(this.#mllama, tiles);
    const { grid, resized, aspectRatioId } = tiles;
    return new EncodedPicture(states, { grid, resized, aspectRatioId });
  }

  async step(batch: readonly StepSequence[]): Promise<(Float32Array | undefined)[]> {
    const { backend, config, weights, switches } = this.#mllama;
    using graph = backend.newGraph({ kind: "step", maxNodes: maxStepNodes(config, batch) });
    const logits = textForward(graph, config, weights.text, {
      parts: batch.map(toTextPart),
      kvCache: this.#kvCache,
      inverseFrequencies: this.#mllama.inverseFrequencies,
      maskedRows: switches.maskedRows,
    });
    const [rows] = await graph.compute(logits === undefined ? [] : [logits]);
    const { vocabSize } = config.text;
    let row = 0;
    return batch.map(({ wantsLogits }) => {
      if (!wantsLogits || rows === undefined) return undefined;
      const start = row++ * vocabSize;
      return rows.subarray(start, start + vocabSize);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#cacheSet[Symbol.dispose]();
    this.#weights[Symbol.dispose]();
    this.#mllama.backend[Symbol.dispose]();
    return Promise.resolve();
  }
}

class EncodedPicture implements CrossStates {
  readonly states: PictureStates;
  readonly report: CrossStates["report"];

  constructor(states: PictureStates, report: CrossStates["report"]) {
    this.states = states;
    this.report = report;
  }

  get numVisionTokens(): number {
    return this.states.numVisibleTokens;
  }

  get sizeBytes(): number {
    return this.states.sizeBytes;
  }

  [Symbol.dispose](): void {
    this.states[Symbol.dispose]();
  }
}

function toTextPart(sequence: StepSequence): TextPart {
  const { tokenIds, startPosition, blockIds, pictures, imagePositions, wantsLogits } = sequence;
  return {
    tokenIds,
    startPosition,
    cells: cellsOf(blockIds, startPosition + tokenIds.length),
    pictures: pictures.map((picture) => {
      if (!(picture instanceof EncodedPicture)) throw new Error("a picture of another runner");
      return picture.states;
    }),
    imagePositions,
    wantsLogits,
  };
}

/** The cell of each of the first `numCells` positions. */
function cellsOf(blockIds: readonly BlockId[], numCells: number): number[] {
  if (blockIds.length * BLOCK_SIZE < numCells) {
    throw new Error(`${blockIds.length} blocks do not hold ${numCells} cells`);
  }
  return Array.from({ length: numCells }, (_, position) => {
    const block = blockIds[Math.floor(position / BLOCK_SIZE)] ?? 0;
    return block * BLOCK_SIZE + (position % BLOCK_SIZE);
  });
}

/** No coarser than the weights: keys and values in f16 move log-probabilities by up to 1e-3. */
function defaultCacheDtype({ tensors }: Checkpoint): "f32" | "f16" {
  return [...tensors.values()].some(({ dtype, shape }) => dtype === "F32" && shape.length > 1)
    ? "f32"
    : "f16";
}

function kvBytesPerCell({ config }: Checkpoint, dtype: "f32" | "f16"): number {
  const { numLayers, crossLayers, numKvHeads, headSize } = config.text;
  const bytesPerElement = dtype === "f32" ? 4 : 2;
  return (numLayers - crossLayers.length) * 2 * numKvHeads * headSize * bytesPerElement;
}

/** Keys and values of a picture that fills every tile. */
function pictureBytes({ config }: Checkpoint, dtype: "f32" | "f16"): number {
  const { crossLayers, numKvHeads, headSize } = config.text;
  const { maxTiles, tokensPerTile } = config.vision;
  const bytesPerElement = dtype === "f32" ? 4 : 2;
  return (
    maxTiles * tokensPerTile * crossLayers.length * 2 * numKvHeads * headSize * bytesPerElement
  );
}

/** As asked for; otherwise what the model can, or a quarter of the free memory holds. */
function chooseContextLength(
  { config }: Checkpoint,
  { maxModelLen }: EngineLoadOptions,
  bytesPerCell: number,
): number {
  const { maxPositions } = config.text;
  if (maxModelLen !== undefined) {
    if (maxModelLen > maxPositions) {
      throw new PlatformError(
        "invalid_request",
        `--max-model-len ${maxModelLen} is more than the ${maxPositions} positions of this model. Leave it out or lower it.`,
      );
    }
    return maxModelLen;
  }
  const affordable = Math.floor((freemem() * KV_MEMORY_FRACTION) / bytesPerCell);
  return Math.min(maxPositions, Math.max(affordable, BLOCK_SIZE));
}

function chooseNumBlocks(
  contextLength: number,
  { maxNumSeqs }: EngineLoadOptions,
  bytesPerCell: number,
): number {
  const blocksPerSequence = Math.ceil(contextLength / BLOCK_SIZE);
  const wanted =
    blocksPerSequence * Math.min(maxNumSeqs ?? FULL_LENGTH_SEQUENCES, FULL_LENGTH_SEQUENCES);
  const affordable = Math.floor((freemem() * KV_MEMORY_FRACTION) / (bytesPerCell * BLOCK_SIZE));
  return Math.max(blocksPerSequence, Math.min(wanted, affordable));
}

function allocateCache(
  backend: Backend,
  { config }: Checkpoint,
  dtype: "f32" | "f16",
  numCells: number,
): TensorSet {
  const { numLayers, crossLayers, numKvHeads, headSize } = config.text;
  const spec = { dtype, shape: [numCells, numKvHeads * headSize] };
  const selfLayers = Array.from({ length: numLayers }, (_, index) => index).filter(
    (index) => !crossLayers.includes(index),
  );
  return backend.allocate(
    new Map(
      selfLayers.flatMap((index) => [
        [`${index}.key`, spec],
        [`${index}.value`, spec],
      ]),
    ),
  );
}

/** Operators and inputs of a step, with room: some per layer, some per sequence and layer. */
function maxStepNodes({ text }: Checkpoint["config"], batch: readonly StepSequence[]): number {
  const perSequence = batch.reduce((sum, { pictures }) => sum + 16 + 8 * pictures.length, 0);
  // Rounded up, so that batches of similar size share one arena.
  return 2 ** Math.ceil(Math.log2(256 + text.numLayers * (48 + perSequence)));
}
