/** What a model takes of this machine's memory and of its cards, when a part of it lies on them. Pure. */
import type { HostMemory } from "../devices/host-memory.ts";
import {
  crossBytesPerTile,
  KV_BLOCK_SIZE,
  kvBytesPerToken,
  type StateDtype,
  stepBytes,
  towerBytes,
  WORKER_BASE_BYTES,
} from "../engines/memory.ts";
import type { ModelShape } from "../engines/model-shape.ts";
import type { PlacementPlan } from "../engines/placement-plan.ts";
import type { MemoryPlan } from "./launch-plan.ts";

/** What a driver takes of the worker's own memory: lavapipe 60 MB; others were not measured. */
const DRIVER_BYTES = 200e6;

/**
 * The plan of the host's memory; the cards' part is in `placed`, and fits, for it was placed so.
 *
 * @param dtype of keys and values
 */
export function planPlaced(
  shape: ModelShape,
  {
    plan,
    dtype,
    host,
    maxNumBatchedTokens,
  }: {
    readonly plan: PlacementPlan;
    readonly dtype: StateDtype;
    readonly host: HostMemory;
    readonly maxNumBatchedTokens: number | undefined;
  },
): MemoryPlan {
  const { placement, cache, parts: placed } = plan;
  const { weights, text, vision } = shape;
  const isHere = (device: string | undefined): boolean => device === "cpu";
  const here = placement.layers.flatMap((device, index) => (isHere(device) ? [index] : []));
  const hereCross = here.filter((index) => weights.crossLayers.includes(index)).length;
  const hasTower = isHere(placement.tower);

  const perToken = kvBytesPerToken(shape, dtype);
  const crossBytesPerPicture = vision.maxTiles * crossBytesPerTile(shape, dtype);
  const share = (part: number, all: number): number => (all === 0 ? 0 : part / all);
  const cacheBytes = cache.numBlocks * KV_BLOCK_SIZE * perToken;
  const parts = [
    {
      what: "weights, read where they lie",
      bytes:
        weights.embedding +
        here.reduce((sum, index) => sum + (weights.layers[index] ?? 0), 0) +
        (isHere(placement.head) ? weights.head : 0) +
        (hasTower ? weights.tower : 0),
    },
    {
      what: "one picture of every tile",
      bytes: crossBytesPerPicture * share(hereCross, text.numCrossLayers),
    },
    { what: "buffers of the vision tower", bytes: hasTower ? towerBytes(shape, dtype) : 0 },
    { what: "the worker process itself", bytes: WORKER_BASE_BYTES + DRIVER_BYTES },
    { what: "KV cache", bytes: cacheBytes * share(here.length - hereCross, text.numSelfLayers) },
    {
      what: "buffers of a step",
      bytes: stepBytes(shape, {
        contextLength: cache.contextLength,
        dtype,
        maxBatchedTokens: maxNumBatchedTokens,
      }),
    },
  ].filter(({ bytes }) => bytes > 0);
  const totalBytes = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  const [mapped] = parts;
  const { availableBytes } = host;
  const verdict =
    totalBytes <= availableBytes
      ? "fits"
      : totalBytes - (mapped?.bytes ?? 0) <= availableBytes
        ? "from-disk"
        : "too-large";
  return {
    device: "this machine",
    numDevices: 1,
    dtype,
    contextLength: cache.contextLength,
    numSequences: Math.floor((cache.numBlocks * KV_BLOCK_SIZE) / cache.contextLength),
    kvBytesPerToken: perToken,
    crossBytesPerPicture,
    parts,
    totalBytes,
    availableBytes,
    verdict,
    largestContext: cache.contextLength,
    nearest: verdict === "fits" ? undefined : "--device cpu, or a smaller --max-model-len",
    placed,
  };
}
