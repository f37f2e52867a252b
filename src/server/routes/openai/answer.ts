/** What both OpenAI dialects say the same way: the head of an answer, its usage, its log-probabilities. */
import type { Usage as WireUsage } from "@atalaya/protocol";
import type { Usage } from "../../../generation/event.ts";

/** What stays the same over all chunks of one answer. */
export type AnswerHead = {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
};

export function toUsage({ promptTokens, completionTokens, imageTokens }: Usage): WireUsage {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: 0, image_tokens: imageTokens },
  };
}

/** JSON has no infinities; OpenAI writes this for "never". */
const neverLogprob = -9999;

export function toLogprob(logprob: number | undefined): number {
  return logprob === undefined ? neverLogprob : Math.max(logprob, neverLogprob);
}

/** A token as text; bytes that are only part of a character show as �. */
export function tokenText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
