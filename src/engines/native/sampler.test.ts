import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type TokenId, tokenId } from "../../base/ids.ts";
import type { EngineSampling } from "../../generation/engine-prompt.ts";
import { Random } from "./random.ts";
import { type ChoiceContext, chooseToken, logProbabilities } from "./sampler.ts";

const greedy: EngineSampling = {
  maxTokens: 1,
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
  repetitionPenalty: 1,
  seed: undefined,
  stopTokenIds: [],
  logprobs: undefined,
};
const noHistory = { prompt: [], generated: [] };

function pick(logits: Float32Array, sampling: EngineSampling, context: ChoiceContext): TokenId {
  const id = chooseToken(logits, sampling, context);
  if (id === undefined) throw new Error("every token is ruled out");
  return id;
}

function drawMany(
  logits: Float32Array,
  sampling: EngineSampling,
  numDraws: number,
): Map<number, number> {
  const random = new Random(7);
  const counts = new Map<number, number>();
  for (let i = 0; i < numDraws; i++) {
    const id = pick(logits, sampling, { history: noHistory, random });
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

/** The slow, obvious way: sort everything, cut, renormalise. */
function slowDistribution(logits: Float32Array, sampling: EngineSampling): Map<number, number> {
  const { temperature, topK, topP, minP } = sampling;
  let kept = Array.from(logits, (logit, id) => ({ id, weight: Math.exp(logit / temperature) }))
    .sort((a, b) => b.weight - a.weight || a.id - b.id)
    .slice(0, topK === 0 ? logits.length : topK);
  const total = kept.reduce((sum, { weight }) => sum + weight, 0);
  let passed = 0;
  kept = kept.filter(({ weight }) => {
    const isNeeded = topP >= 1 || passed < topP * total;
    passed += weight;
    return isNeeded;
  });
  const best = kept[0]?.weight ?? 1;
  kept = kept.filter(({ weight }) => weight >= minP * best);
  const sum = kept.reduce((s, { weight }) => s + weight, 0);
  return new Map(kept.map(({ id, weight }) => [id, weight / sum]));
}

const randomLogits = Float32Array.from({ length: 50 }, (_, i) => 3 * Math.sin(i * 12.9898));

describe("the drawn distribution is the one that was asked for", () => {
  test.each([
    ["plain", {}],
    ["warm", { temperature: 1.7 }],
    ["top-k", { topK: 5 }],
    ["top-p", { topP: 0.8 }],
    ["min-p", { minP: 0.3 }],
    ["all three", { topK: 20, topP: 0.9, minP: 0.05, temperature: 0.8 }],
  ])("%s", (_name, settings) => {
    const sampling = { ...greedy, temperature: 1, ...settings };
    const numDraws = 20_000;
    const counts = drawMany(randomLogits, sampling, numDraws);
    const expected = slowDistribution(randomLogits, sampling);
    expect([...counts.keys()].filter((id) => !expected.has(id))).toEqual([]);
    for (const [id, probability] of expected) {
      const deviation = Math.sqrt((probability * (1 - probability)) / numDraws);
      expect(Math.abs((counts.get(id) ?? 0) / numDraws - probability)).toBeLessThan(5 * deviation);
    }
  });
});

test("top-p and top-k keep the same tokens as the slow way, whatever the logits", () => {
  const logits = fc.array(
    fc.integer({ min: -90, max: 90 }).map((third) => third / 3),
    { minLength: 1, maxLength: 40 },
  );
  const settings = fc.record({
    topK: fc.nat(12),
    topP: fc.double({ min: 0.05, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(logits, settings, fc.nat(), (values, { topK, topP }, seed) => {
      const sampling = { ...greedy, temperature: 1, topK, topP };
      const id = pick(Float32Array.from(values), sampling, {
        history: noHistory,
        random: new Random(seed),
      });
      const total = [
        ...slowDistribution(Float32Array.from(values), {
          ...sampling,
          topP: Math.min(1, topP + 1e-9),
        }).keys(),
      ];
      expect(total).toContain(id);
    }),
  );
});

/** As `slowDistribution`, but the token that one uniform number draws, with the same sums. */
function slowChoose(logits: Float32Array, sampling: EngineSampling, uniform: number): number {
  const { temperature, topK, topP, minP } = sampling;
  const largest = Math.max(...logits);
  const all = Array.from(logits, (logit, id) => ({
    id,
    weight: Math.exp((logit - largest) / temperature),
  }));
  const sum = (tokens: readonly { weight: number }[]): number =>
    tokens.reduce((total, { weight }) => total + weight, 0);
  const isCut = topK !== 0 && topK < logits.length;
  const top = all
    .toSorted((a, b) => b.weight - a.weight || a.id - b.id)
    .slice(0, isCut ? topK : logits.length);
  const total = isCut ? sum(top) : sum(all);
  let passed = 0;
  const nucleus = top.filter(({ weight }) => {
    const isNeeded = topP >= 1 || passed < topP * total;
    passed += weight;
    return isNeeded;
  });
  const kept = nucleus.filter(({ weight }, rank) => rank === 0 || weight >= minP);
  const isPlain = !isCut && topP >= 1 && minP === 0;
  const target = uniform * (isPlain ? total : sum(kept));
  let drawn = 0;
  const order = isPlain ? all : kept;
  const hit = order.find(({ weight }) => {
    drawn += weight;
    return drawn > target;
  });
  return (hit ?? order.at(-1))?.id ?? 0;
}

test("a token is the one that sorting everything would draw, with any settings and logits", () => {
  const logits = fc.oneof(
    // Coarse, so that many are equal; and of any distance, so that weights vanish.
    fc.array(
      fc.integer({ min: -90, max: 90 }).map((third) => third / 3),
      { minLength: 1, maxLength: 60 },
    ),
    fc.array(fc.float({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 60 }),
  );
  const settings = fc.record({
    temperature: fc.double({ min: 0.01, max: 2, noNaN: true }),
    topK: fc.nat(70),
    topP: fc.oneof(fc.constant(1), fc.double({ min: 0.01, max: 1, noNaN: true })),
    minP: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
  });
  fc.assert(
    fc.property(logits, settings, fc.nat(), (values, chosen, seed) => {
      const row = Float32Array.from(values);
      const sampling = { ...greedy, ...chosen };
      const id = pick(row, sampling, { history: noHistory, random: new Random(seed) });
      expect(id).toBe(slowChoose(row, sampling, new Random(seed).next()));
    }),
    { numRuns: 500 },
  );
});

test("temperature 0 takes the first of the most likely", () => {
  const id = pick(Float32Array.of(1, 3, 3, 2), greedy, {
    history: noHistory,
    random: new Random(1),
  });
  expect(id).toBe(1);
});

test("the same seed draws the same tokens, another seed others", () => {
  const sampling = { ...greedy, temperature: 1 };
  const sequence = (seed: number): number[] => {
    const random = new Random(seed);
    return Array.from({ length: 20 }, () =>
      pick(randomLogits, sampling, { history: noHistory, random }),
    );
  };
  expect(sequence(5)).toEqual(sequence(5));
  expect(sequence(5)).not.toEqual(sequence(6));
});

test("penalties lower what was said before, and a token without a row in the head is skipped", () => {
  const logits = Float32Array.of(2, 1.9, -1);
  const choose = (settings: Partial<EngineSampling>, generated: number[]): number =>
    pick(
      logits,
      { ...greedy, ...settings },
      {
        history: { prompt: [tokenId(3)], generated: generated.map(tokenId) },
        random: new Random(1),
      },
    );
  expect(choose({}, [0])).toBe(0);
  expect(choose({ presencePenalty: 0.2 }, [0])).toBe(1);
  expect(choose({ frequencyPenalty: 0.06 }, [0])).toBe(0);
  expect(choose({ frequencyPenalty: 0.06 }, [0, 0])).toBe(1);
  expect(choose({ repetitionPenalty: 1.2 }, [0])).toBe(1);
  expect(Array.from(logits)).toEqual([2, Math.fround(1.9), -1]);
});

test("log-probabilities are log-softmax, most likely first", () => {
  const { logprob, top } = logProbabilities(Float32Array.of(1000, 1001, 999), tokenId(2), 2);
  const normalizer = Math.log(Math.exp(-1) + 1 + Math.exp(-2));
  expect(logprob).toBeCloseTo(-2 - normalizer, 12);
  expect(top.map(({ tokenId: id }) => id)).toEqual([1, 0]);
  expect(top[0]?.logprob).toBeCloseTo(-normalizer, 12);
});

test("uniform numbers are uniform", () => {
  const random = new Random(3);
  const bins = Array.from({ length: 20 }, () => 0);
  for (let i = 0; i < 40_000; i++) {
    const bin = Math.floor(random.next() * 20);
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  for (const count of bins) expect(Math.abs(count - 2000)).toBeLessThan(220);
});

describe("what is asked for beside the model's own wishes", () => {
  const random = new Random(1);
  const logits = Float32Array.of(1, 4, 3, 2);
  const mask = (...ids: readonly number[]): Int32Array =>
    Int32Array.of(ids.reduce((bits, id) => bits | (1 << id), 0));
  const at = (numGenerated: number, allowed?: Int32Array) => ({
    history: { prompt: [], generated: Array.from({ length: numGenerated }, () => tokenId(0)) },
    random,
    allowed,
  });

  test("a bias moves a logit, up and down", () => {
    const logitBias = [
      { tokenId: tokenId(1), bias: -100 },
      { tokenId: tokenId(3), bias: 1.5 },
    ];
    expect(pick(logits, { ...greedy, logitBias }, at(0))).toBe(3);
  });

  test("what the grammar does not allow is never drawn, whatever the settings", () => {
    const setting = fc.record({
      temperature: fc.constantFrom(0, 0.5, 2),
      topK: fc.nat(5),
      topP: fc.constantFrom(0.1, 0.9, 1),
      minP: fc.constantFrom(0, 0.3),
    });
    const wide = Float32Array.from({ length: 70 }, (_, i) => 5 * Math.sin(i));
    const ids = fc.uniqueArray(fc.nat(69), { minLength: 1 });
    fc.assert(
      fc.property(setting, ids, fc.nat(), (settings, allowedIds, seed) => {
        const allowed = new Int32Array(3);
        for (const id of allowedIds)
          allowed[id >>> 5] = (allowed[id >>> 5] ?? 0) | (1 << (id & 31));
        const context = { history: noHistory, random: new Random(seed), allowed };
        expect(allowedIds).toContain(pick(wide, { ...greedy, ...settings }, context));
      }),
    );
  });

  test("no stop token before there are enough tokens, unless nothing else is allowed", () => {
    const sampling = { ...greedy, minTokens: 2, stopTokenIds: [tokenId(1)] };
    expect(pick(logits, sampling, at(1))).toBe(2);
    expect(pick(logits, sampling, at(2))).toBe(1);
    expect(pick(logits, sampling, at(0, mask(1)))).toBe(1);
  });

  test("says so when nothing is left", () => {
    expect(chooseToken(logits, greedy, at(0, mask()))).toBeUndefined();
  });
});
