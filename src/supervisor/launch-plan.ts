/**
 * What a model would take on this machine, before anything is downloaded or started. Pure: a model's
 * numbers, the machine's memory and the options of a launch → a table, a verdict, and what would fit.
 */
import { PlatformError } from "../base/errors.ts";
import type { HostMemory } from "../devices/host-memory.ts";
import {
  bytesBesideCache,
  chooseCacheSize,
  crossBytesPerTile,
  defaultStateDtype,
  KV_BLOCK_SIZE,
  kvBytesPerToken,
  type StateDtype,
  stepBytes,
  towerBytes,
  WORKER_BASE_BYTES,
} from "../engines/memory.ts";
import type { ModelShape } from "../engines/model-shape.ts";
import type { PlacementPlan } from "../engines/placement-plan.ts";

export type MemoryWish = {
  readonly maxModelLen: number | undefined;
  readonly maxNumSeqs: number | undefined;
  readonly kvCacheDtype: StateDtype | undefined;
  /** Tokens of one forward pass, at most; the engine's own when absent. */
  readonly maxNumBatchedTokens?: number | undefined;
  /** Processes that have the model each; 1 when absent. */
  readonly replicas?: number | undefined;
};

export type MemoryPart = { readonly what: string; readonly bytes: number };

/** Of one device; where there are several, they are alike. */
export type MemoryPlan = {
  /** As a person knows it: this machine, or a graphics card. */
  readonly device: string;
  readonly numDevices: number;
  readonly dtype: StateDtype;
  /** Tokens of prompt and answer together. */
  readonly contextLength: number;
  /** Sequences of that length that the cache holds at once. */
  readonly numSequences: number;
  readonly kvBytesPerToken: number;
  /** Cross-attention's keys and values of a picture that fills every tile. */
  readonly crossBytesPerPicture: number;
  /** Largest last: what they sum up to is `totalBytes`. */
  readonly parts: readonly MemoryPart[];
  readonly totalBytes: number;
  readonly availableBytes: number;
  /**
   * `from-disk`: all but the weights fits, so they are read from disk again and again; it runs, and
   * is slow.
   */
  readonly verdict: "fits" | "from-disk" | "too-large";
  /** For one sequence; 0 when no context fits. */
  readonly largestContext: number;
  /** Options, or another model, that would fit; `undefined` when it fits, or nothing does. */
  readonly nearest: string | undefined;
  /** What lies on which device; absent where all of it lies on this one. */
  readonly placed?: PlacementPlan["parts"] | undefined;
};

/** Another size or quantization of the model, to offer when this one does not fit. */
export type Alternative = {
  readonly name: string;
  readonly shape: ModelShape;
  /** Whether it is the same model, with weights that take less. */
  readonly isQuantization?: boolean;
};

/**
 * @param alternatives best first
 * @throws PlatformError `invalid_request` for a context longer than the model's
 */
export function planMemory(
  shape: ModelShape,
  {
    wish,
    host,
    alternatives = [],
  }: {
    readonly wish: MemoryWish;
    readonly host: HostMemory;
    readonly alternatives?: readonly Alternative[];
  },
): MemoryPlan {
  const { maxPositions } = shape.text;
  if (wish.maxModelLen !== undefined && wish.maxModelLen > maxPositions) {
    throw new PlatformError(
      "invalid_request",
      `--max-model-len ${wish.maxModelLen} is more than the ${maxPositions} positions of this model. Leave it out or lower it.`,
      { details: { param: "max_model_len" } },
    );
  }
  const dtype = wish.kvCacheDtype ?? defaultStateDtype(shape);
  const perToken = kvBytesPerToken(shape, dtype);
  const { contextLength, numBlocks } = chooseCacheSize(shape, {
    dtype,
    freeBytes: host.availableBytes,
    otherBytes: bytesBesideCache(shape, dtype),
    maxModelLen: wish.maxModelLen,
    maxNumSeqs: wish.maxNumSeqs,
  });
  const crossBytesPerPicture = shape.vision.maxTiles * crossBytesPerTile(shape, dtype);
  const cacheBytes = numBlocks * KV_BLOCK_SIZE * perToken;
  const { replicas = 1 } = wish;
  const ofEach = (what: string, bytes: number): MemoryPart => ({ what, bytes: bytes * replicas });
  const fixed: MemoryPart[] = [
    // All replicas read the same pages.
    { what: "weights, read where they lie", bytes: shape.matrixBytes },
    ofEach("weights, widened to float32", shape.vectorBytes),
    ofEach("one picture of every tile", crossBytesPerPicture),
    ofEach("buffers of the vision tower", towerBytes(shape, dtype)),
    ofEach("the worker process itself", WORKER_BASE_BYTES),
  ];
  const parts = [
    ...fixed,
    ofEach("KV cache", cacheBytes),
    ofEach(
      "buffers of a step",
      stepBytes(shape, { contextLength, dtype, maxBatchedTokens: wish.maxNumBatchedTokens }),
    ),
  ];
  const totalBytes = sum(parts);
  const { availableBytes } = host;
  const verdict =
    totalBytes <= availableBytes
      ? "fits"
      : totalBytes - shape.matrixBytes <= availableBytes
        ? "from-disk"
        : "too-large";
  const largestContext = findLargestContext(shape, {
    dtype,
    fixedBytes: sum(fixed),
    replicas,
    maxNumBatchedTokens: wish.maxNumBatchedTokens,
    host,
  });
  return {
    device: "this machine",
    numDevices: 1,
    dtype,
    contextLength,
    numSequences: Math.floor((numBlocks * KV_BLOCK_SIZE) / contextLength),
    kvBytesPerToken: perToken,
    crossBytesPerPicture,
    parts,
    totalBytes,
    availableBytes,
    verdict,
    largestContext,
    nearest:
      verdict === "fits" ? undefined : nearestFit(largestContext, { wish, host, alternatives }),
  };
}

function findLargestContext(
  shape: ModelShape,
  {
    dtype,
    fixedBytes,
    replicas,
    maxNumBatchedTokens,
    host,
  }: {
    readonly dtype: StateDtype;
    /** Of all replicas. */
    readonly fixedBytes: number;
    readonly replicas: number;
    readonly maxNumBatchedTokens: number | undefined;
    readonly host: HostMemory;
  },
): number {
  const fits = (numBlocks: number): boolean => {
    const contextLength = numBlocks * KV_BLOCK_SIZE;
    const ofEach =
      contextLength * kvBytesPerToken(shape, dtype) +
      stepBytes(shape, { contextLength, dtype, maxBatchedTokens: maxNumBatchedTokens });
    return fixedBytes + replicas * ofEach <= host.availableBytes;
  };
  let low = 0;
  let high = Math.floor(shape.text.maxPositions / KV_BLOCK_SIZE);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low * KV_BLOCK_SIZE;
}

/** Below this a context is no use to anybody, and another model is the better offer. */
const SMALLEST_OFFER = 1_024;

function nearestFit(
  largestContext: number,
  {
    wish,
    host,
    alternatives,
  }: {
    readonly wish: MemoryWish;
    readonly host: HostMemory;
    readonly alternatives: readonly Alternative[];
  },
): string | undefined {
  if (largestContext >= SMALLEST_OFFER) {
    const shorter = `--max-model-len ${largestContext} --max-num-seqs 1`;
    // Whoever asked for a long context may rather have it with smaller weights.
    const smaller =
      wish.maxModelLen !== undefined &&
      alternatives.find(
        ({ shape, isQuantization }) =>
          isQuantization === true && planMemory(shape, { wish, host }).verdict === "fits",
      );
    return smaller ? `${shorter}, or ${smaller.name}` : shorter;
  }
  return alternatives.find(
    ({ shape }) =>
      planMemory(shape, { wish: { ...wish, maxModelLen: SMALLEST_OFFER, maxNumSeqs: 1 }, host })
        .verdict === "fits",
  )?.name;
}

const sum = (parts: readonly MemoryPart[]): number =>
  parts.reduce((total, { bytes }) => total + bytes, 0);
