/** What both OpenAI dialects say the same way: the head of an answer, its usage. */
import type { OptionScore, Usage as WireUsage } from "@atalaya/protocol";
import type { OptionProbability, Usage } from "../../../generation/event.ts";
import { toLogprob } from "../../token-text.ts";

/** What stays the same over all chunks of one answer. */
export type AnswerHead = {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
};

/** Answers that were asked about, with their worth. */
export function toOptions({ options }: { readonly options?: readonly OptionProbability[] }): {
  readonly options?: readonly OptionScore[];
} {
  if (options === undefined) return {};
  return {
    options: options.map((option) => ({ ...option, logprob: toLogprob(option.logprob) })),
  };
}

export function toUsage(usage: Usage): WireUsage {
  const { promptTokens, completionTokens, imageTokens, cachedTokens = 0 } = usage;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens, image_tokens: imageTokens },
  };
}
