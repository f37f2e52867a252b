/**
 * What a model would take of graphics cards under vLLM 0.10.2, card by card. Pure.
 *
 * That version pages tokens and pictures alike for all layers: a picture costs five times what its
 * cross-attention layers read, and a token what the cross-attention layers add.
 *
 * @see engines.md §2.2 and §2.6
 */
import type { GraphicsCard } from "../devices/nvidia-smi.ts";
import { crossBytesPerTile, kvBytesPerToken } from "../engines/memory.ts";
import type { ModelShape } from "../engines/model-shape.ts";
import type { MemoryPlan } from "./launch-plan.ts";

export type CardLayout = { readonly numCards: number; readonly cardBytes: number };

export type CardWish = {
  readonly maxModelLen: number | undefined;
  readonly maxNumSeqs: number | undefined;
  /** `tensor_parallel_size`; the fewest that hold it when absent. */
  readonly tensorParallel?: number | undefined;
  /** `gpu_memory_utilization`, of a card's whole memory. */
  readonly memoryFraction?: number | undefined;
  readonly quantization?: string | undefined;
};

/** What vLLM may use of a card, and what it leaves to the tower's peak. */
const MEMORY_FRACTION = 0.9;
const TOWER_BYTES = 2e9;
/** Tokens that a page holds. */
const BLOCK_SIZE = 16;
/** A context to do something useful with, and one that is not taken unasked however much room there is. */
const USEFUL_CONTEXT = 8_192;
const MODEST_CONTEXT = 32_768;
/** Below this nothing is offered. */
const SMALLEST_OFFER = 1_024;
const cardSizes = [24e9, 48e9, 80e9, 141e9] as const;
/** Numbers of cards that divide eight key-value heads. */
const cardCounts = [1, 2, 4, 8] as const;
/** Of the weights' bytes in bf16, what stays. */
const weightShare: Readonly<Record<string, number>> = { fp8: 0.52, bitsandbytes: 0.315 };

/**
 * How many graphics cards of each usual size would hold the model in vLLM with 8,192 tokens and one
 * picture; the layouts that up to eight cards make.
 */
export function cardsThatHold(shape: ModelShape): readonly CardLayout[] {
  const shared = shape.fileBytes + USEFUL_CONTEXT * vllmTokenBytes(shape) + vllmPictureBytes(shape);
  const layouts = cardSizes.flatMap((cardBytes) => {
    const numCards = cardCounts.find(
      (count) => shared / count + TOWER_BYTES <= cardBytes * MEMORY_FRACTION,
    );
    return numCards === undefined ? [] : [{ numCards, cardBytes }];
  });
  // Beyond the smallest single card, larger ones say nothing new.
  const firstSingle = layouts.findIndex(({ numCards }) => numCards === 1);
  return firstSingle < 0 ? layouts : layouts.slice(0, firstSingle + 1);
}

/** vLLM 0.10.2 pages a picture for all layers, five times what its cross-attention layers read. */
export function vllmPictureBytes(shape: ModelShape): number {
  const { numSelfLayers, numCrossLayers } = shape.text;
  const needed = shape.vision.maxTiles * crossBytesPerTile(shape, "f16");
  return (needed * (numSelfLayers + numCrossLayers)) / numCrossLayers;
}

/** Keys and values of one token, in every layer's pages. */
export function vllmTokenBytes(shape: ModelShape): number {
  const { numSelfLayers, numCrossLayers } = shape.text;
  return (kvBytesPerToken(shape, "f16") * (numSelfLayers + numCrossLayers)) / numSelfLayers;
}

/**
 * The plan of each card, all of them alike: on the fewest that hold it, or on as many as were asked for.
 *
 * @param cards at least one; the smallest of those that are used counts
 */
export function planOnCards(
  shape: ModelShape,
  cards: readonly Pick<GraphicsCard, "name" | "totalBytes" | "freeBytes">[],
  wish: CardWish,
): MemoryPlan {
  const counts =
    wish.tensorParallel === undefined
      ? cardCounts.filter((count) => count <= cards.length)
      : [wish.tensorParallel];
  const plans = counts.map((count) => planWith(shape, cards.slice(0, count), { wish, count }));
  const plan = plans.find(({ verdict }) => verdict === "fits") ?? plans.at(-1);
  if (plan === undefined) throw new Error("a plan on no card was asked for");
  return plan;
}

function planWith(
  shape: ModelShape,
  cards: readonly Pick<GraphicsCard, "name" | "totalBytes" | "freeBytes">[],
  { wish, count }: { readonly wish: CardWish; readonly count: number },
): MemoryPlan {
  const fraction = wish.memoryFraction ?? MEMORY_FRACTION;
  const hasAll = cards.length === count;
  const availableBytes = hasAll
    ? Math.min(...cards.map((card) => Math.min(card.freeBytes, card.totalBytes * fraction)))
    : 0;
  const ofEach = (bytes: number): number => bytes / count;
  const weightBytes = shape.fileBytes * (weightShare[wish.quantization ?? "none"] ?? 1);
  const fixed = [
    { what: "weights", bytes: ofEach(weightBytes) },
    { what: "one picture of every tile", bytes: ofEach(vllmPictureBytes(shape)) },
    // Every card encodes every picture.
    { what: "buffers of the vision tower", bytes: TOWER_BYTES },
  ];
  const fixedBytes = sum(fixed);
  const tokenBytes = vllmTokenBytes(shape);
  const room = Math.max(0, availableBytes - fixedBytes) * count;
  const numTokens = Math.floor(room / tokenBytes / BLOCK_SIZE) * BLOCK_SIZE;
  const { maxPositions } = shape.text;
  const largestContext = Math.min(maxPositions, numTokens);
  const contextLength =
    wish.maxModelLen ??
    Math.min(maxPositions, MODEST_CONTEXT, Math.max(largestContext, USEFUL_CONTEXT));
  const numSequences = Math.max(
    1,
    Math.min(wish.maxNumSeqs ?? 16, Math.floor(numTokens / contextLength)),
  );
  const cacheBytes = ofEach(numSequences * contextLength * tokenBytes);
  const parts = [...fixed, { what: "KV cache", bytes: cacheBytes }];
  const totalBytes = sum(parts);
  const fits = totalBytes <= availableBytes;
  const [card] = cards;
  return {
    device: count === 1 ? (card?.name ?? "the card") : `each of ${count} × ${card?.name ?? "card"}`,
    numDevices: count,
    dtype: "f16",
    contextLength,
    numSequences,
    kvBytesPerToken: tokenBytes,
    crossBytesPerPicture: vllmPictureBytes(shape),
    parts,
    totalBytes,
    availableBytes,
    verdict: fits ? "fits" : "too-large",
    largestContext,
    nearest: fits ? undefined : nearestOf(largestContext, shape, wish),
  };
}

function nearestOf(
  largestContext: number,
  shape: ModelShape,
  { quantization }: CardWish,
): string | undefined {
  if (largestContext >= SMALLEST_OFFER) return `--max-model-len ${largestContext}`;
  if (quantization === undefined || quantization === "none") {
    const layouts = cardsThatHold(shape).map(
      ({ numCards, cardBytes }) => `${numCards} × ${Math.round(cardBytes / 1e9)} GB`,
    );
    return `--quantization fp8 or bitsandbytes, or cards of ${layouts.join(" or ")}`;
  }
  return undefined;
}

const sum = (parts: readonly { readonly bytes: number }[]): number =>
  parts.reduce((total, { bytes }) => total + bytes, 0);
