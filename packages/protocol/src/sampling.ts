/** The fields that chat and plain completions share. `null` means "not set", as OpenAI's clients send it. */
import { z } from "zod";
import { requestLimits } from "./limits.ts";

/** What an answer must look like; vLLM's names beside OpenAI's. */
const formFields = {
  response_format: z
    .looseObject({
      type: z
        .enum(["text", "json_object", "json_schema"])
        .describe("`text`: free; `json_object`: any object; `json_schema`: what fits the schema."),
      json_schema: z
        .looseObject({
          name: z.string().nullish().describe("What the schema is called."),
          description: z
            .string()
            .nullish()
            .describe("What the schema is for; nothing depends on it."),
          schema: z.unknown().optional().describe("The JSON schema. Any object when left out."),
          strict: z
            .boolean()
            .nullish()
            .describe("Answers are held to the schema, whatever this says."),
        })
        .nullish()
        .describe("The schema, with `json_schema`."),
    })
    .nullish()
    .describe("What the answer must look like. Free text when left out."),
  guided_json: z
    .unknown()
    .optional()
    .describe("vLLM's: a JSON schema that the answer is held to, as an object or as text."),
  guided_regex: z
    .string()
    .min(1)
    .nullish()
    .describe("vLLM's: an expression that all of the answer matches."),
  guided_choice: z
    .array(z.string().min(1))
    .min(1)
    .max(requestLimits.maxOptions)
    .nullish()
    .describe("vLLM's: up to 256 texts, one of which is the answer."),
  guided_grammar: z
    .string()
    .min(1)
    .nullish()
    .describe("vLLM's: a grammar in EBNF, start symbol `root`."),
  guided_json_object: z
    .boolean()
    .nullish()
    .describe("Xinference's: any JSON object. `false` when left out."),
  structured_outputs: z
    .looseObject({
      json: z.unknown().optional().describe("A JSON schema, as an object or as text."),
      regex: z.string().min(1).nullish().describe("An expression that all of the answer matches."),
      choice: z
        .array(z.string().min(1))
        .min(1)
        .max(requestLimits.maxOptions)
        .nullish()
        .describe("Up to 256 texts, one of which is the answer."),
      grammar: z.string().min(1).nullish().describe("A grammar in EBNF, start symbol `root`."),
      json_object: z.boolean().nullish().describe("Any JSON object. `false` when left out."),
    })
    .nullish()
    .describe("vLLM's newer form of the same; one member at most."),
  choices: z
    .array(z.string().min(1))
    .min(1)
    .max(requestLimits.maxOptions)
    .nullish()
    .describe(
      "Ours: nothing is generated; the answer is the likeliest of these, up to 256, with the probability of each.",
    ),
} as const;

const stopText = z.string().min(1).max(requestLimits.maxStopLength);

export const samplingFields = {
  max_tokens: z
    .int()
    .min(1)
    .nullish()
    .describe("Tokens of the answer at most. As many as the context holds when left out."),
  temperature: z
    .number()
    .min(0)
    .max(2)
    .nullish()
    .describe("0 is greedy, more is more varied. The checkpoint's own when left out, else 0."),
  top_p: z
    .number()
    .gt(0)
    .max(1)
    .nullish()
    .describe(
      "Keeps the likeliest tokens whose probabilities reach this sum; 1 keeps all. The checkpoint's own when left out.",
    ),
  top_k: z
    .int()
    .min(-1)
    .nullish()
    .describe(
      "Keeps so many of the likeliest tokens; 0 and -1 keep all. The checkpoint's own when left out.",
    ),
  min_p: z
    .number()
    .min(0)
    .max(1)
    .nullish()
    .describe(
      "Drops tokens less likely than this share of the likeliest; 0 keeps all. The checkpoint's own when left out.",
    ),
  presence_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .describe(
      "Subtracted once from the logit of a token that was generated before. 0 when left out.",
    ),
  frequency_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .describe("Subtracted per earlier occurrence in the answer. 0 when left out."),
  repetition_penalty: z
    .number()
    .gt(0)
    .max(10)
    .nullish()
    .describe(
      "Divides the logits of tokens in prompt or answer; 1 is off. The checkpoint's own when left out.",
    ),
  seed: z
    .number()
    .min(-(2 ** 63))
    .lt(2 ** 63)
    .multipleOf(1)
    .nullish()
    .describe(
      "A whole number of 64 bits that makes the answer repeatable; several answers have the next ones. Drawn when left out.",
    ),
  stop: z
    .union([stopText, z.array(stopText).max(requestLimits.maxStops)])
    .nullish()
    .describe(
      "A text, or up to 4, of 256 characters each, that ends the answer and is not part of it. None when left out.",
    ),
  n: z
    .int()
    .min(1)
    .max(requestLimits.maxChoices)
    .nullish()
    .describe("How many answers. 1 when left out."),
  logit_bias: z
    .record(z.string(), z.number().min(-100).max(100))
    .nullish()
    .describe(
      "Token id → what is added to its logit, -100 to 100; up to 1,024. None when left out.",
    ),
  min_tokens: z
    .int()
    .min(0)
    .nullish()
    .describe("No end before there are so many tokens. 0 when left out."),
  ignore_eos: z
    .boolean()
    .nullish()
    .describe("Whether the model's own end does not end the answer. `false` when left out."),
  stop_token_ids: z
    .array(z.int().min(0))
    .max(requestLimits.maxStopTokens)
    .nullish()
    .describe("Up to 64 further tokens that end the answer. None when left out."),
  ...formFields,
  user: z
    .string()
    .max(1_024)
    .nullish()
    .describe("Whose request it is, for the caller's own records; nothing depends on it."),
  metadata: z
    .record(z.string().max(64), z.string().max(512))
    .nullish()
    .describe("The caller's own notes; nothing depends on them."),
  stream: z
    .boolean()
    .nullish()
    .describe("Whether the answer comes as server-sent events. `false` when left out."),
  stream_options: z
    .looseObject({
      include_usage: z
        .boolean()
        .nullish()
        .describe("Whether a last chunk tells the usage. `false` when left out."),
    })
    .nullish()
    .describe("How it is streamed; needs `stream`."),
} as const;
