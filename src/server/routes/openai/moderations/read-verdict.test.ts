import { describe, expect, test } from "vitest";
import { tokenId } from "../../../../base/ids.ts";
import type { GeneratedToken } from "../../../../generation/event.ts";
import { hazardScores, namedHazards, unsafeProbability } from "./read-verdict.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A token of `text` with probability `p`, and what else it might have been. */
const token = (text: string, p: number, others: Record<string, number> = {}): GeneratedToken => ({
  tokenId: tokenId(0),
  bytes: bytesOf(text),
  logprob: Math.log(p),
  topLogprobs: [...Object.entries(others), [text, p] as const].map(([other, probability]) => ({
    tokenId: tokenId(0),
    bytes: bytesOf(other),
    logprob: Math.log(probability),
  })),
});

describe("the probability of unsafe", () => {
  test.each([
    { why: "whole words", tokens: [token("safe", 0.9, { unsafe: 0.1 })], p: 0.1 },
    {
      why: "behind line breaks",
      tokens: [token("\n\n", 1), token("unsafe", 0.75, { safe: 0.25 })],
      p: 0.75,
    },
    { why: "letters", tokens: [token("u", 0.6, { s: 0.2 })], p: 0.75 },
    {
      why: "pieces, with and without a space",
      tokens: [token("un", 0.4, { " un": 0.1, s: 0.3, " safe": 0.2 })],
      p: 0.5,
    },
    { why: "the other word nowhere near", tokens: [token("safe", 0.99, { maybe: 0.01 })], p: 0 },
  ])("is read from $why", ({ tokens, p }) => {
    expect(unsafeProbability(tokens)).toBeCloseTo(p, 6);
  });

  test.each([
    { tokens: [] },
    { tokens: [token("\n", 1)] },
    { tokens: [token("A", 0.9, { safe: 0.1 })] },
  ])("is not there when the answer is no verdict", ({ tokens }) =>
    expect(unsafeProbability(tokens)).toBeUndefined(),
  );
});

test("hazards are those of the second line, once each, unknown ones left out", () => {
  expect(namedHazards("\n\nunsafe\nS1, S10,S1,S99,x")).toEqual(["S1", "S10"]);
  expect(namedHazards("safe")).toEqual([]);
  expect(namedHazards("unsafe")).toEqual([]);
});

describe("the scores of hazards", () => {
  test("are those of the tokens that name them, and of other numbers in the first one's place", () => {
    const scores = hazardScores([
      token("unsafe", 0.9),
      token("\n", 1),
      token("S", 0.5),
      token("10", 0.8, { "1": 0.15, "12": 0.05 }),
      token(",", 1),
      token("S", 1),
      token("1", 0.5, { "2": 0.5 }),
    ]);
    expect(Object.fromEntries(scores)).toEqual({
      S10: expect.closeTo(0.4, 6),
      S1: expect.closeTo(0.5, 6),
      S12: expect.closeTo(0.025, 6),
    });
  });

  test("are none for an answer without a list", () => {
    expect(hazardScores([token("safe", 0.9)]).size).toBe(0);
  });
});
