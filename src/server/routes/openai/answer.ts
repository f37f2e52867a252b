/** What both OpenAI dialects say the same way: the head of an answer, its usage. */
import type { Usage as WireUsage } from "@atalaya/protocol";
import type { Usage } from "../../../generation/event.ts";

/** What stays the same over all chunks of one answer. */
export type AnswerHead = {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
};

export function toUsage(usage: Usage): WireUsage {
  const { promptTokens, completionTokens, imageTokens, cachedTokens = 0 } = usage;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens, image_tokens: imageTokens },
  };
}
