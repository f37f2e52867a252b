import { describe, expect, test } from "vitest";
import { greedy as plain } from "../../test/support/greedy.ts";
import { PlatformError } from "../base/errors.ts";
import type { SamplingParams } from "../generation/request.ts";
import { checkSamplingParams } from "./check-sampling.ts";

function problem(change: Partial<SamplingParams>): string {
  try {
    checkSamplingParams({ ...plain, ...change });
  } catch (error) {
    if (error instanceof PlatformError && error.code === "invalid_request") return error.message;
    throw error;
  }
  return "accepted";
}

describe("checkSamplingParams", () => {
  test.each<Partial<SamplingParams>>([
    {},
    { maxTokens: 1, temperature: 2, topK: 2 ** 31 - 1, topP: 0.001, minP: 1 },
    { presencePenalty: -2, frequencyPenalty: 2, repetitionPenalty: 10, logprobs: 20 },
    { seed: -1 },
    { seed: 2 ** 62, stop: ["a", "\n", "é", "x".repeat(256)] },
  ])("accepts %j", (change) => {
    expect(problem(change)).toBe("accepted");
  });

  test.each<[Partial<SamplingParams>, string]>([
    [{ temperature: Number.NaN }, "temperature is NaN; it must be a number from 0 to 2."],
    [{ temperature: Number.POSITIVE_INFINITY }, "temperature is Infinity;"],
    [{ temperature: -0.1 }, "temperature is -0.1;"],
    [{ temperature: 2.1 }, "temperature is 2.1;"],
    [{ topP: 0 }, "top_p is 0; it must be a number above 0 to 1."],
    [{ topK: 1.5 }, "top_k is 1.5; it must be a whole number"],
    [{ minP: 1.01 }, "min_p is 1.01;"],
    [{ presencePenalty: -2.5 }, "presence_penalty is -2.5;"],
    [{ frequencyPenalty: 3 }, "frequency_penalty is 3;"],
    [{ repetitionPenalty: 0 }, "repetition_penalty is 0;"],
    [{ maxTokens: 1e21 }, "max_tokens is 1e+21;"],
    [{ seed: 2 ** 63 }, "seed is 9223372036854776000;"],
    [{ seed: 0.5 }, "seed is 0.5;"],
    [{ logprobs: 21 }, "logprobs is 21;"],
    [{ stop: [""] }, "A stop string has 0 characters;"],
    [{ stop: ["x".repeat(257)] }, "A stop string has 257 characters;"],
    [{ stop: ["a", "b", "c", "d", "e"] }, "stop has 5 strings; at most 4"],
    [{ stop: ["\ud83d"] }, "half a character"],
  ])("refuses %j", (change, message) => {
    expect(problem(change)).toContain(message);
  });
});
