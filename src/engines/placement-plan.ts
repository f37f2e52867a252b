/**
 * Which layers of a model go on which card: pure arithmetic on a model's numbers and the cards' free
 * memory. The native engine places them with the same function that a plan is made with.
 *
 * A layer takes its weights, and its part of the KV cache or of pictures' keys and values. The tower comes
 * first, because the processor takes a minute for what a card does in a tenth of a second; then the output
 * head and the layers, from the last one, so that a step changes over from the processor once.
 */
import { PlatformError } from "../base/errors.ts";
import type { Device } from "../ggml/device.ts";
import { CPU } from "../ggml/device.ts";
import { allOn, type Placement } from "../models/mllama/placement.ts";
import type { DeviceWish } from "./device-wish.ts";
import type { PlacedPart } from "./engine.ts";
import {
  bytesBesideCache,
  type CacheSize,
  chooseCacheSize,
  crossBytesPerTile,
  KV_BLOCK_SIZE,
  kvBytesPerToken,
  PICTURES_ON_CARD,
  type StateDtype,
  stepBytes,
  towerBytes,
} from "./memory.ts";
import type { ModelShape } from "./model-shape.ts";

export type Card = Pick<Device, "id" | "name" | "kind" | "backend" | "isSoftware" | "freeBytes">;

export type PlacementPlan = {
  readonly placement: Placement;
  readonly cache: CacheSize;
  /** Cards in their order, then the processor. */
  readonly parts: readonly (PlacedPart & { readonly freeBytes: number })[];
  /** Of the caches and weights that are on cards, which the host's memory need not hold. */
  readonly bytesOnCards: number;
};

/** Of a card's free memory, what its driver takes for itself, and what is left alone. */
const RESERVED_FRACTION = 0.06;
/** Back ends that know a card best, first: the same card may be seen by two. */
const preference = ["cuda", "metal", "vulkan"];

export type PlacementRequest = {
  readonly wish: DeviceWish;
  /** All devices that there are. */
  readonly devices: readonly Card[];
  readonly dtype: StateDtype;
  readonly maxModelLen: number | undefined;
  readonly maxNumSeqs: number | undefined;
  /** Tokens of one forward pass, at most; the engine's own when absent. */
  readonly maxNumBatchedTokens?: number | undefined;
  /** Of the host, for what is not on cards. */
  readonly hostFreeBytes: number;
};

/**
 * @returns `undefined` when all of it goes on the processor
 * @throws PlatformError `engine_unavailable` for a device that is not there, `out_of_memory` for more layers
 *   than fit
 */
export function planPlacement(
  shape: ModelShape,
  request: PlacementRequest,
): PlacementPlan | undefined {
  const { wish } = request;
  const cards = chooseCards(request.devices, wish);
  if (cards.length === 0) {
    if (wish.devices !== "auto" || wish.gpuLayers === "auto" || wish.gpuLayers === 0) {
      return undefined;
    }
    throw noDevice(request.devices, "graphics card that would be taken unasked");
  }
  const numLayers = shape.weights.layers.length;
  const wanted = wish.gpuLayers === "all" ? numLayers : wish.gpuLayers;
  const onHost = cacheFor(shape, request, request.hostFreeBytes);
  if (wanted === "auto") {
    const whole = tryLayers(shape, cards, { ...request, cache: cardCache(), count: numLayers });
    if (whole !== undefined) return whole;
    return most({ ...request, cache: onHost });
  }
  const count = Math.min(wanted, numLayers);
  const cache = count === numLayers ? cardCache() : onHost;
  const placed = tryLayers(shape, cards, { ...request, cache, count });
  if (placed !== undefined) return placed;
  const fitting = most({ ...request, cache });
  throw tooMany(cards, {
    count,
    fit: fitting === undefined ? 0 : fitting.parts.reduce((sum, part) => sum + onCard(part), 0),
    needed: bytesOfLayers(shape, { dtype: request.dtype, cache, count }),
  });

  function cardCache(): CacheSize {
    const free = cards.reduce((sum, card) => sum + usable(card), 0);
    return cacheFor(shape, request, free);
  }

  function most(parts: Omit<Wanted, "count">): PlacementPlan | undefined {
    for (let layers = numLayers; layers >= 0; layers--) {
      const plan = tryLayers(shape, cards, { ...parts, count: layers });
      if (plan !== undefined) return plan;
    }
    return undefined;
  }
}

const onCard = ({ device, numLayers }: PlacedPart): number => (device === CPU ? 0 : numLayers);

function cacheFor(shape: ModelShape, request: PlacementRequest, freeBytes: number): CacheSize {
  const { dtype, maxModelLen, maxNumSeqs } = request;
  return chooseCacheSize(shape, {
    dtype,
    maxModelLen,
    maxNumSeqs,
    freeBytes,
    otherBytes: bytesBesideCache(shape, dtype),
  });
}

function chooseCards(devices: readonly Card[], { devices: wanted }: DeviceWish): readonly Card[] {
  const cards = devices.filter(({ kind }) => kind !== "cpu");
  if (wanted !== "auto") {
    return wanted.map((id) => {
      const card = cards.find((each) => each.id === id);
      if (card === undefined) throw noDevice(devices, `device ${id}`);
      return card;
    });
  }
  const taken = cards.filter(({ kind, isSoftware }) => kind === "gpu" && !isSoftware);
  const backend = preference.find((name) => taken.some((card) => card.backend === name));
  return taken.filter((card) => card.backend === backend);
}

type Wanted = {
  readonly dtype: StateDtype;
  readonly cache: CacheSize;
  readonly maxNumBatchedTokens?: number | undefined;
  /** Layers on cards. */
  readonly count: number;
};

const usable = ({ freeBytes }: Card): number => freeBytes * (1 - RESERVED_FRACTION);

/** Weights of a layer, and the caches that lie with it. */
function layerBytes(
  shape: ModelShape,
  index: number,
  { dtype, cache }: Omit<Wanted, "count">,
): number {
  const { layers, crossLayers } = shape.weights;
  const { numSelfLayers, numCrossLayers } = shape.text;
  const pictures =
    (PICTURES_ON_CARD * shape.vision.maxTiles * crossBytesPerTile(shape, dtype)) / numCrossLayers;
  const cells = (cache.numBlocks * KV_BLOCK_SIZE * kvBytesPerToken(shape, dtype)) / numSelfLayers;
  return (layers[index] ?? 0) + (crossLayers.includes(index) ? pictures : cells);
}

function bytesOfLayers(shape: ModelShape, wanted: Wanted): number {
  const { layers, head } = shape.weights;
  const indices = layers.map((_, index) => index).slice(layers.length - wanted.count);
  return indices.reduce((sum, index) => sum + layerBytes(shape, index, wanted), head);
}

/** Fill the cards in their order; `undefined` when `count` layers do not fit. */
function tryLayers(
  shape: ModelShape,
  cards: readonly Card[],
  wanted: Wanted,
): PlacementPlan | undefined {
  const { weights } = shape;
  const { dtype, cache, count } = wanted;
  const numLayers = weights.layers.length;
  const step = stepBytes(shape, {
    contextLength: cache.contextLength,
    dtype,
    maxBatchedTokens: wanted.maxNumBatchedTokens,
  });
  const tower = weights.tower + towerBytes(shape, dtype);
  const used = cards.map(() => 0);
  const layers = allOn(CPU, numLayers).layers.slice();
  const fits = (card: Card, index: number, bytes: number): boolean =>
    (used[index] ?? 0) + bytes <= usable(card);

  let at = 0;
  const put = (bytes: number): string | undefined => {
    for (; at < cards.length; at++) {
      const card = cards[at];
      if (card === undefined) break;
      const first = used[at] === 0 ? step : 0;
      if (!fits(card, at, first + bytes)) continue;
      used[at] = (used[at] ?? 0) + first + bytes;
      return card.id;
    }
    return undefined;
  };
  const towerCard = put(tower);
  // Without the tower there may still be room for layers.
  if (towerCard === undefined) at = 0;
  for (let layer = numLayers - count; layer < numLayers; layer++) {
    const card = put(layerBytes(shape, layer, wanted));
    if (card === undefined) return undefined;
    layers[layer] = card;
  }
  const head = count === 0 ? CPU : put(weights.head);
  if (head === undefined) return undefined;
  const placement = { layers, head, tower: towerCard ?? CPU };
  if (count === 0 && towerCard === undefined) return undefined;
  return {
    placement,
    cache,
    parts: describeParts(placement, cards, used),
    bytesOnCards: used.reduce((sum, bytes) => sum + bytes, 0),
  };
}

function describeParts(
  { layers, head, tower }: Placement,
  cards: readonly Card[],
  used: readonly number[],
): PlacementPlan["parts"] {
  const partOf = (device: string): Omit<PlacedPart, "name" | "bytes"> => ({
    device,
    numLayers: layers.filter((each) => each === device).length,
    hasHead: head === device,
    hasTower: tower === device,
  });
  return [
    ...cards.map(({ id, name, freeBytes }, index) => ({
      ...partOf(id),
      name,
      bytes: Math.round(used[index] ?? 0),
      freeBytes,
    })),
    { ...partOf(CPU), name: "", bytes: 0, freeBytes: 0 },
  ].filter(({ numLayers, hasHead, hasTower }) => numLayers > 0 || hasHead || hasTower);
}

function noDevice(devices: readonly Card[], what: string): PlatformError {
  const ids = [...new Set([...devices.map(({ id }) => id), CPU])].join(", ");
  return new PlatformError(
    "engine_unavailable",
    `There is no ${what}; there are ${ids}. \`atalaya devices\` lists them and says what is missing.`,
    { details: { param: "device" } },
  );
}

function tooMany(
  cards: readonly Card[],
  { count, fit, needed }: { readonly count: number; readonly fit: number; readonly needed: number },
): PlatformError {
  const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1);
  const free = cards.map(({ id, freeBytes }) => `${gigabytes(freeBytes)} GB on ${id}`).join(", ");
  return new PlatformError(
    "out_of_memory",
    `${count} layers take ${gigabytes(needed)} GB with their caches, and ${free} are free: ${fit === 1 ? "1 layer fits" : `${fit} layers fit`}. Launch with \`--gpu-layers ${fit}\`, or a smaller \`--max-model-len\`.`,
    { details: { param: "gpu_layers" } },
  );
}
