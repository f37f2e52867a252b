import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type PlannableSequence, planStep } from "./plan-step.ts";

const sequence: fc.Arbitrary<PlannableSequence> = fc
  .record({
    arrival: fc.nat(),
    numTokens: fc.nat(64),
    fraction: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ arrival, numTokens, fraction }) => ({
    arrival,
    numTokens,
    numCached: Math.floor(numTokens * fraction),
  }));
const budgets = fc.record({
  maxTokens: fc.integer({ min: 1, max: 256 }),
  maxSequences: fc.integer({ min: 1, max: 16 }),
});

test("a plan stays within its budget and gives nobody more than they owe", () => {
  fc.assert(
    fc.property(fc.array(sequence), budgets, (sequences, budget) => {
      const plan = planStep(sequences, budget);
      expect(plan.length).toBeLessThanOrEqual(budget.maxSequences);
      expect(plan.reduce((sum, { numTokens }) => sum + numTokens, 0)).toBeLessThanOrEqual(
        budget.maxTokens,
      );
      for (const { sequence: planned, numTokens } of plan) {
        expect(numTokens).toBeGreaterThan(0);
        expect(numTokens).toBeLessThanOrEqual(planned.numTokens - planned.numCached);
      }
      expect(new Set(plan.map((part) => part.sequence)).size).toBe(plan.length);
    }),
  );
});

test("work is planned whenever somebody owes something", () => {
  fc.assert(
    fc.property(fc.array(sequence), budgets, (sequences, budget) => {
      const isOwed = sequences.some(({ numTokens, numCached }) => numTokens > numCached);
      expect(planStep(sequences, budget).length > 0).toBe(isOwed);
    }),
  );
});

test("among equals the oldest goes first, and running answers go before long prompts", () => {
  const long = { arrival: 0, numTokens: 500, numCached: 0 };
  const older = { arrival: 1, numTokens: 10, numCached: 9 };
  const younger = { arrival: 2, numTokens: 10, numCached: 9 };
  const plan = planStep([younger, long, older], { maxTokens: 100, maxSequences: 8 });
  expect(plan).toEqual([
    { sequence: older, numTokens: 1 },
    { sequence: younger, numTokens: 1 },
    { sequence: long, numTokens: 98 },
  ]);
});
