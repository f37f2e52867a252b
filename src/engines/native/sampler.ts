/**
 * Logits → token. Settings apply in this order: bias, penalties, what is ruled out, temperature, top-k,
 * top-p, min-p, draw.
 *
 * Log-probabilities are those of the model itself: of the raw logits, before any setting.
 */
import { type TokenId, tokenId } from "../../base/ids.ts";
import type { EngineSampling, TokenLogprob } from "../../generation/engine-prompt.ts";
import type { Random } from "./random.ts";

/** The tokens so far, for the penalties. */
export type TokenHistory = {
  readonly prompt: readonly TokenId[];
  readonly generated: readonly TokenId[];
};

export type ChoiceContext = {
  readonly history: TokenHistory;
  /** Drawn from once, and only when the temperature is not 0. */
  readonly random: Random;
  /** Tokens that the grammar allows, one bit each, 32 in a number; all when absent. */
  readonly allowed?: Int32Array | undefined;
};

/**
 * @param logits `[vocabSize]`, left as they are
 * @returns `undefined` when every token is ruled out
 */
export function chooseToken(
  logits: Float32Array,
  sampling: EngineSampling,
  { history, random, allowed }: ChoiceContext,
): TokenId | undefined {
  const penalized = penalize(withBias(logits, sampling), sampling, history);
  const scores = ruleOut(penalized, { sampling, allowed, numGenerated: history.generated.length });
  if (scores[indexOfLargest(scores)] === Number.NEGATIVE_INFINITY) return undefined;
  if (sampling.temperature === 0) return tokenId(indexOfLargest(scores));
  return tokenId(draw(scores, sampling, random.next()));
}

function indexOfLargest(scores: Float32Array): number {
  let best = 0;
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] ?? largest;
    if (score > largest) {
      largest = score;
      best = i;
    }
  }
  return best;
}

function withBias(logits: Float32Array, { logitBias = [] }: EngineSampling): Float32Array {
  if (logitBias.length === 0) return logits;
  const scores = logits.slice();
  for (const { tokenId: id, bias } of logitBias) scores[id] = (scores[id] ?? 0) + bias;
  return scores;
}

/** Set to −∞ what the grammar does not allow, and stop tokens while the answer is too short. */
function ruleOut(
  scores: Float32Array,
  {
    sampling,
    allowed,
    numGenerated,
  }: {
    readonly sampling: EngineSampling;
    readonly allowed: Int32Array | undefined;
    readonly numGenerated: number;
  },
): Float32Array {
  const { minTokens = 0, stopTokenIds } = sampling;
  const isTooShort = numGenerated < minTokens && stopTokenIds.length > 0;
  if (allowed === undefined && !isTooShort) return scores;
  const left = scores.slice();
  if (allowed !== undefined) {
    for (let id = 0; id < left.length; id++) {
      if ((((allowed[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 0) left[id] = Number.NEGATIVE_INFINITY;
    }
  }
  if (!isTooShort) return left;
  const unstopped = left.slice();
  for (const id of stopTokenIds) unstopped[id] = Number.NEGATIVE_INFINITY;
  // A grammar whose sentence is complete may leave nothing but the end.
  return unstopped[indexOfLargest(unstopped)] === Number.NEGATIVE_INFINITY ? left : unstopped;
}

function penalize(
  logits: Float32Array,
  sampling: EngineSampling,
  { prompt, generated }: TokenHistory,
): Float32Array {
  const { presencePenalty, frequencyPenalty, repetitionPenalty } = sampling;
  if (presencePenalty === 0 && frequencyPenalty === 0 && repetitionPenalty === 1) return logits;
  const scores = logits.slice();
  if (repetitionPenalty !== 1) {
    for (const id of new Set([...prompt, ...generated])) {
      const score = scores[id];
      if (score === undefined) continue; // the image token has no row in the head
      scores[id] = score > 0 ? score / repetitionPenalty : score * repetitionPenalty;
    }
  }
  const counts = new Map<TokenId, number>();
  for (const id of generated) counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const [id, count] of counts) {
    scores[id] = (scores[id] ?? 0) - presencePenalty - frequencyPenalty * count;
  }
  return scores;
}

type Candidate = { readonly index: number; readonly weight: number };

/** How likely each token is, relative to the likeliest, whose weight is 1. */
type Weights = {
  readonly scores: Float32Array;
  readonly largest: number;
  readonly temperature: number;
};

/** @param uniform in [0, 1) */
function draw(scores: Float32Array, sampling: EngineSampling, uniform: number): number {
  const { temperature, topK, topP, minP } = sampling;
  const weights = { scores, largest: scores[indexOfLargest(scores)] ?? 0, temperature };
  if ((topK === 0 || topK >= scores.length) && topP >= 1 && minP === 0) {
    return drawFromAll(weights, uniform);
  }
  const kept = keepLikely(weights, { topK, topP, minP });
  const target = uniform * sumOf(kept);
  let passed = 0;
  for (const { index, weight } of kept) {
    passed += weight;
    if (passed > target) return index;
  }
  return kept.at(-1)?.index ?? 0;
}

function drawFromAll(weights: Weights, uniform: number): number {
  const { scores, largest, temperature } = weights;
  const target = uniform * sumOfAll(weights);
  let passed = 0;
  let last = 0;
  for (let i = 0; i < scores.length; i++) {
    const weight = Math.exp(((scores[i] ?? 0) - largest) / temperature);
    if (weight === 0) continue;
    passed += weight;
    last = i;
    if (passed > target) return i;
  }
  return last;
}

function sumOfAll({ scores, largest, temperature }: Weights): number {
  let sum = 0;
  for (let i = 0; i < scores.length; i++) {
    sum += Math.exp(((scores[i] ?? 0) - largest) / temperature);
  }
  return sum;
}

function sumOf(candidates: readonly Candidate[]): number {
  return candidates.reduce((sum, { weight }) => sum + weight, 0);
}

/**
 * The candidates that top-k, top-p and min-p leave, most likely first.
 *
 * Sorting 128,000 numbers for every token costs more than a small model's step, so only the head of
 * the distribution is sorted, and a longer head when that does not suffice.
 */
function keepLikely(
  weights: Weights,
  { topK, topP, minP }: { readonly topK: number; readonly topP: number; readonly minP: number },
): Candidate[] {
  const vocabSize = weights.scores.length;
  const isCut = topK !== 0 && topK < vocabSize;
  const isLikelyEnough = ({ weight }: Candidate, rank: number): boolean =>
    rank === 0 || weight >= minP;
  if (!isCut && topP >= 1) return headOf(weights, Math.min(minP, 1)).filter(isLikelyEnough);
  // After top-k the probabilities are those among the k; without it, among all tokens.
  const totalOfAll = isCut ? undefined : sumOfAll(weights);
  for (let cutoff = 1e-3; ; cutoff = cutoff < 1e-12 ? 0 : cutoff * 1e-4) {
    const head = headOf(weights, cutoff);
    if (cutoff > 0 && isCut && head.length < topK) continue;
    const top = isCut ? head.slice(0, topK) : head;
    const nucleus = keepNucleus(top, topP, totalOfAll ?? sumOf(top));
    if (nucleus === undefined && cutoff > 0) continue;
    return (nucleus ?? top).filter(isLikelyEnough);
  }
}

/** The tokens whose weight is at least `cutoff`, most likely first; ties in the order of their index. */
function headOf({ scores, largest, temperature }: Weights, cutoff: number): Candidate[] {
  // A comparison costs much less than `exp`: it rules nearly all tokens out, with a margin for rounding.
  const floor = largest + temperature * (Math.log(cutoff) - 1e-3);
  const head: Candidate[] = [];
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index] ?? 0;
    if (score < floor || score === Number.NEGATIVE_INFINITY) continue;
    const weight = Math.exp((score - largest) / temperature);
    if (weight >= cutoff) head.push({ index, weight });
  }
  return head.sort((a, b) => b.weight - a.weight || a.index - b.index);
}

/** The shortest head whose weights reach `topP` of `total`; `undefined` when `candidates` do not reach it. */
function keepNucleus(
  candidates: readonly Candidate[],
  topP: number,
  total: number,
): readonly Candidate[] | undefined {
  if (topP >= 1) return candidates;
  let passed = 0;
  for (const [rank, { weight }] of candidates.entries()) {
    passed += weight;
    if (passed >= topP * total) return candidates.slice(0, rank + 1);
  }
  return undefined;
}

/** Log-probabilities of `chosen` and of the `count` most likely tokens, from raw logits. */
export function logProbabilities(
  logits: Float32Array,
  chosen: TokenId,
  count: number,
): { readonly logprob: number; readonly top: readonly TokenLogprob[] } {
  const normalizer = logSumExp(logits);
  const top = largestIndices(logits, count).map((index) => ({
    tokenId: tokenId(index),
    logprob: (logits[index] ?? 0) - normalizer,
  }));
  return { logprob: (logits[chosen] ?? Number.NEGATIVE_INFINITY) - normalizer, top };
}

/** log Σ exp, in double precision and without overflow. */
function logSumExp(logits: Float32Array): number {
  const largest = logits[indexOfLargest(logits)] ?? 0;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp((logits[i] ?? 0) - largest);
  return largest + Math.log(sum);
}

/** Indices of the `count` largest, largest first; ties in the order of their index. */
function largestIndices(values: Float32Array, count: number): number[] {
  const best: number[] = [];
  const valueAt = (index: number): number => values[index] ?? Number.NEGATIVE_INFINITY;
  for (let index = 0; index < values.length; index++) {
    const worst = best[count - 1];
    if (count === 0 || (worst !== undefined && valueAt(index) <= valueAt(worst))) continue;
    let place = best.length;
    while (place > 0 && valueAt(best[place - 1] ?? 0) < valueAt(index)) place--;
    best.splice(place, 0, index);
    if (best.length > count) best.pop();
  }
  return best;
}
