/** Our events → plain completions, whole or in chunks. */
import type { Completion, CompletionLogprobs } from "@atalaya/protocol";
import type { GeneratedToken, GenerateEvent } from "../../../generation/event.ts";
import type { GenerateRequest } from "../../../generation/request.ts";
import { type Answer, wholeFinishReason } from "../../answer.ts";
import { tokenText, toLogprob } from "../../token-text.ts";
import { type AnswerHead, toUsage } from "./answer.ts";
import type { ChunkOptions } from "./generate.ts";

export function toCompletion(
  answer: Answer,
  head: AnswerHead,
  { sampling }: GenerateRequest,
): Completion {
  return {
    ...head,
    object: "text_completion",
    choices: [
      {
        index: 0,
        text: answer.text,
        logprobs: sampling.logprobs === undefined ? null : toLogprobs(answer.tokens, 0),
        finish_reason: answer.finishReason,
      },
    ],
    usage: toUsage(answer.usage),
    atalaya: answer.receipt,
  };
}

/** One chunk a delta, a last with the finish reason and the receipt; then the usage when asked for. */
export async function* toCompletionChunks(
  events: AsyncIterable<GenerateEvent>,
  head: AnswerHead,
  { request, receipt, includeUsage }: ChunkOptions,
): AsyncGenerator<Completion, void> {
  const wantsLogprobs = request.sampling.logprobs !== undefined;
  const base = {
    ...head,
    object: "text_completion",
    ...(includeUsage ? { usage: null } : {}),
  } as const;
  let offset = 0;
  for await (const event of events) {
    switch (event.type) {
      case "started":
      case "image":
        break;
      case "text-delta": {
        if (event.text === "" && !wantsLogprobs) break;
        const logprobs = wantsLogprobs ? toLogprobs(event.tokens, offset) : null;
        offset += event.text.length;
        yield {
          ...base,
          choices: [{ index: 0, text: event.text, logprobs, finish_reason: null }],
        };
        break;
      }
      case "finish":
        yield {
          ...base,
          choices: [
            { index: 0, text: "", logprobs: null, finish_reason: wholeFinishReason(event.reason) },
          ],
          atalaya: receipt.toWire(),
        };
        if (includeUsage) yield { ...base, choices: [], usage: toUsage(event.usage) };
        return;
      default:
        event satisfies never;
    }
  }
  throw new Error("the events ended without a finish");
}

/** @param start where the first of `tokens` begins in the answer, in UTF-16 units */
function toLogprobs(tokens: readonly GeneratedToken[], start: number): CompletionLogprobs {
  const texts = tokens.map(({ bytes }) => tokenText(bytes));
  let offset = start;
  const offsets = texts.map((text) => {
    const at = offset;
    offset += text.length;
    return at;
  });
  return {
    tokens: texts,
    token_logprobs: tokens.map(({ logprob }) => toLogprob(logprob)),
    top_logprobs: tokens.map(({ topLogprobs }) =>
      Object.fromEntries(
        topLogprobs.map(({ bytes, logprob }) => [tokenText(bytes), toLogprob(logprob)]),
      ),
    ),
    text_offset: offsets,
  };
}
