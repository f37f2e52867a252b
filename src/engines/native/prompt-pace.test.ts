import { expect, test } from "vitest";
import { PromptPace } from "./prompt-pace.ts";

test("a slow machine takes few tokens a step, a fast one many", () => {
  const slow = new PromptPace();
  slow.observe(512, 51_200);
  expect(slow.numTokens).toBe(16);
  const fast = new PromptPace();
  fast.observe(512, 51.2);
  expect(fast.numTokens).toBe(1_000);
});

test("it begins carefully, follows what is measured, and learns nothing from a step of answers", () => {
  const pace = new PromptPace();
  expect(pace.numTokens).toBe(16);
  pace.observe(1, 500);
  expect(pace.numTokens).toBe(16);
  for (let step = 0; step < 20; step++) pace.observe(100, 200);
  expect(pace.numTokens).toBe(50);
});
