/**
 * How much memory the native engine takes for a model: pure arithmetic on a model's numbers. The engine
 * sizes its cache with the same functions.
 *
 * Graph buffers follow from which tensors live at the same time in `text-model.ts` and
 * `vision-model.ts`; a test compares all of it with what the engine allocates.
 */
import { bytesPerNumber, type StateDtype, towerDtype } from "../models/mllama/state-dtype.ts";
import type { ModelShape } from "./model-shape.ts";

export type { StateDtype } from "../models/mllama/state-dtype.ts";

/** Cells in one KV block: small enough to waste little, large enough to keep tables short. */
export const KV_BLOCK_SIZE = 64;
/** Sequences of full length that the cache holds, unless memory is short. */
const FULL_LENGTH_SEQUENCES = 4;
/** Part of the free memory that the KV cache may take when nobody named a context length. */
const KV_MEMORY_FRACTION = 0.25;
/** What the cache takes of the room that everything else leaves, but for the buffers of a step. */
const ROOM_FRACTION = 0.8;
/** Of the free memory, what the cache gets even where the weights take all: they are read from disk then. */
const LEAST_FRACTION = 1 / 64;
/** Tokens of one forward pass, at most, unless a launch says otherwise. */
export const MAX_BATCHED_TOKENS = 512;
/** Part of the machine's memory that pictures' states may take, and the most they take by default. */
const PICTURE_MEMORY_FRACTION = 1 / 16;
const MAX_PICTURE_BYTES = 2 ** 30;
/** Pictures of every tile whose keys and values have room on cards. */
export const PICTURES_ON_CARD = 4;
/** ggml's attention reads the mask in groups of this many rows. */
const MASK_ROW_GROUP = 64;
/**
 * Of a worker beside all this: Node, its code and ggml. On Linux x64 with Node 20 what stays resident
 * after a picture and a full context is 91 MB more for tiny A, and 100 for the demo model.
 */
export const WORKER_BASE_BYTES = 100e6;

/** No coarser than the weights: keys and values in f16 move log-probabilities by up to 1e-3. */
export function defaultStateDtype({ hasFloat32Matrices }: ModelShape): StateDtype {
  return hasFloat32Matrices ? "f32" : "f16";
}

/** Keys and values of one token in every self-attention layer. */
export function kvBytesPerToken({ text }: KvShape, dtype: StateDtype): number {
  return text.numSelfLayers * 2 * text.numKvHeads * text.headSize * bytesPerNumber(dtype);
}

/** Keys and values of one tile of a picture in every cross-attention layer. */
export function crossBytesPerTile({ text, vision }: ModelShape, dtype: StateDtype): number {
  const perToken = text.numCrossLayers * 2 * text.numKvHeads * text.headSize;
  return vision.tokensPerTile * perToken * bytesPerNumber(dtype);
}

/** What the cache's size depends on. */
export type KvShape = {
  readonly text: Pick<
    ModelShape["text"],
    "numSelfLayers" | "numKvHeads" | "headSize" | "maxPositions"
  >;
};

export type CacheSize = {
  /** Tokens of prompt and answer together, at most. */
  readonly contextLength: number;
  /** Of `KV_BLOCK_SIZE` cells. */
  readonly numBlocks: number;
};

/**
 * As asked for; otherwise what the model can, or a quarter of the free memory holds, or most of what
 * everything else leaves of it.
 *
 * The cache never holds less than one sequence of full length.
 */
export function chooseCacheSize(
  shape: KvShape,
  options: {
    readonly dtype: StateDtype;
    readonly freeBytes: number;
    /** `bytesBesideCache`: mapped pages of weights count as free, and are needed all the same. */
    readonly otherBytes: number;
    readonly maxModelLen: number | undefined;
    readonly maxNumSeqs: number | undefined;
  },
): CacheSize {
  const bytesPerToken = kvBytesPerToken(shape, options.dtype);
  const { freeBytes, otherBytes } = options;
  const share = Math.max(
    Math.min(freeBytes * KV_MEMORY_FRACTION, (freeBytes - otherBytes) * ROOM_FRACTION),
    freeBytes * LEAST_FRACTION,
  );
  const affordable = Math.floor(share / bytesPerToken);
  const contextLength =
    options.maxModelLen ?? Math.min(shape.text.maxPositions, Math.max(affordable, KV_BLOCK_SIZE));
  const blocksPerSequence = Math.ceil(contextLength / KV_BLOCK_SIZE);
  const wanted =
    blocksPerSequence *
    Math.min(options.maxNumSeqs ?? FULL_LENGTH_SEQUENCES, FULL_LENGTH_SEQUENCES);
  const numAffordable = Math.floor(affordable / KV_BLOCK_SIZE);
  return {
    contextLength,
    numBlocks: Math.max(blocksPerSequence, Math.min(wanted, numAffordable)),
  };
}

/** What a model takes beside its KV cache and the buffers of a step: weights, one picture, the tower, the worker. */
export function bytesBesideCache(shape: ModelShape, dtype: StateDtype): number {
  const picture = shape.vision.maxTiles * crossBytesPerTile(shape, dtype);
  const weights = shape.matrixBytes + shape.vectorBytes;
  return weights + picture + towerBytes(shape, dtype) + WORKER_BASE_BYTES;
}

/** The most that pictures' states may take, those in use aside. */
export function pictureBudgetBytes(totalBytes: number): number {
  return Math.min(MAX_PICTURE_BYTES, totalBytes * PICTURE_MEMORY_FRACTION);
}

/**
 * Buffers of the largest forward pass: a whole batch of prompt at the end of the context.
 *
 * Live at once in a layer: the residual stream, its norm, and gate, up and product of the feed-forward
 * block, or queries and keys in three forms while they are rotated. A sequence whose blocks do not
 * follow each other is gathered first, which is not counted.
 */
export function stepBytes(
  { text }: ModelShape,
  {
    contextLength,
    dtype,
    maxBatchedTokens = MAX_BATCHED_TOKENS,
  }: {
    readonly contextLength: number;
    readonly dtype: StateDtype;
    readonly maxBatchedTokens?: number | undefined;
  },
): number {
  const numTokens = Math.min(maxBatchedTokens, contextLength);
  const rotatedWidth = (text.numHeads + text.numKvHeads) * text.headSize;
  const feedForward = 2 * text.hiddenSize + 3 * text.intermediateSize;
  const attention = 2 * text.hiddenSize + 3 * rotatedWidth;
  const maskRows = Math.ceil(numTokens / MASK_ROW_GROUP) * MASK_ROW_GROUP;
  const inputs = maskRows * contextLength * 2 + numTokens * text.headSize * 2 * 4;
  const buffers = numTokens * Math.max(feedForward, attention) * 4;
  if (dtype !== "q8_0") return buffers + inputs;
  // While a layer attends, its keys and values are there as floats; the feed-forward block comes after them.
  const asFloats = contextLength * 2 * text.numKvHeads * text.headSize * 4;
  const besideFloats = (3 * text.hiddenSize + rotatedWidth) * numTokens * 4;
  return Math.max(buffers, besideFloats + asFloats) + inputs;
}

/**
 * Buffers of the vision tower for a picture that fills every tile, in a model whose unused tiles are
 * computed once.
 *
 * In the last layers the taps wait beside what a layer needs: the residual stream, its norm, queries,
 * keys and values, some of them a second time with the channels that carry a logarithm, or as `dtype`.
 * After them the taps are stacked and interleaved, which needs them twice.
 */
export function towerBytes({ text, vision }: ModelShape, dtype: StateDtype): number {
  const { hiddenSize, headSize, maxTiles, tokensPerTile, numTaps } = vision;
  const numRows = maxTiles * (tokensPerTile + 1);
  const inTower = towerDtype(dtype);
  const withExtra = (headSize + (inTower === "f16" ? 16 : 1)) / headSize;
  const asState = (withExtra * bytesPerNumber(inTower)) / 4;
  const attention = 2 * (withExtra - 1) + asState + Math.max(5 + withExtra, 4 + 2 * withExtra);
  const feedForward = 2 + vision.intermediateSize / hiddenSize;
  const layers = numTaps + Math.max(attention, feedForward);
  const features = Math.max(2 * numTaps + 2, numTaps + 1 + text.hiddenSize / hiddenSize);
  return numRows * hiddenSize * Math.max(layers, features) * 4;
}
