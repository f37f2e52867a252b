/** The fields that chat and plain completions share. `null` means "not set", as OpenAI's clients send it. */
import { z } from "zod";
import { requestLimits } from "./limits.ts";

/** What an answer must look like; vLLM's names beside OpenAI's. */
const formFields = {
  response_format: z
    .looseObject({
      type: z.enum(["text", "json_object", "json_schema"]),
      json_schema: z
        .looseObject({
          name: z.string().nullish(),
          description: z.string().nullish(),
          schema: z.unknown().optional(),
          strict: z.boolean().nullish(),
        })
        .nullish(),
    })
    .nullish(),
  /** A JSON schema, as an object or as text. */
  guided_json: z.unknown().optional(),
  guided_regex: z.string().min(1).nullish(),
  guided_choice: z.array(z.string().min(1)).min(1).max(requestLimits.maxOptions).nullish(),
  guided_grammar: z.string().min(1).nullish(),
  /** Xinference's: any JSON object. */
  guided_json_object: z.boolean().nullish(),
  structured_outputs: z
    .looseObject({
      json: z.unknown().optional(),
      regex: z.string().min(1).nullish(),
      choice: z.array(z.string().min(1)).min(1).max(requestLimits.maxOptions).nullish(),
      grammar: z.string().min(1).nullish(),
      json_object: z.boolean().nullish(),
    })
    .nullish(),
  /** Ours: nothing is generated; the answer is the likeliest of these, with the probability of each. */
  choices: z.array(z.string().min(1)).min(1).max(requestLimits.maxOptions).nullish(),
} as const;

const stopText = z.string().min(1).max(requestLimits.maxStopLength);

export const samplingFields = {
  max_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  /** 0 and -1 keep all tokens. */
  top_k: z.int().min(-1).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  repetition_penalty: z.number().gt(0).max(10).nullish(),
  seed: z
    .number()
    .min(-(2 ** 63))
    .lt(2 ** 63)
    .multipleOf(1)
    .nullish(),
  stop: z.union([stopText, z.array(stopText).max(requestLimits.maxStops)]).nullish(),
  n: z.int().min(1).max(requestLimits.maxChoices).nullish(),
  /** Token id → what is added to its logit. */
  logit_bias: z.record(z.string(), z.number().min(-100).max(100)).nullish(),
  min_tokens: z.int().min(0).nullish(),
  ignore_eos: z.boolean().nullish(),
  stop_token_ids: z.array(z.int().min(0)).max(requestLimits.maxStopTokens).nullish(),
  ...formFields,
  /** Whose request it is, for the caller's own records; nothing depends on it. */
  user: z.string().max(1_024).nullish(),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
} as const;
