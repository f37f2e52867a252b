/** Settings that ask for nothing: the likeliest token each time, to the model's own end. */
import type { SamplingParams } from "../../src/generation/request.ts";

export const greedy: SamplingParams = {
  maxTokens: undefined,
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
  repetitionPenalty: 1,
  seed: undefined,
  stop: [],
  logprobs: undefined,
};
