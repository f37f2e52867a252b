/** The fields that chat and plain completions share. `null` means "not set", as OpenAI's clients send it. */
import { z } from "zod";
import { requestLimits } from "./limits.ts";

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
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
} as const;
