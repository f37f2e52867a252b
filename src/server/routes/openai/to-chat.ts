/** Our events → chat completions, whole or in chunks. */
import type { ChatCompletion, ChatCompletionChunk, ChatLogprobs } from "@atalaya/protocol";
import type { GeneratedToken, GenerateEvent, Usage } from "../../../generation/event.ts";
import type { GenerateRequest } from "../../../generation/request.ts";
import { type Answer, addUsage, wholeFinishReason } from "../../answer.ts";
import { tokenText, toLogprob } from "../../token-text.ts";
import { type AnswerHead, toOptions, toUsage } from "./answer.ts";
import type { ChunkOptions } from "./generate.ts";

export function toChatCompletion(
  answer: Answer,
  head: AnswerHead,
  { sampling }: GenerateRequest,
): ChatCompletion {
  return {
    ...head,
    object: "chat.completion",
    choices: answer.choices.map((choice, index) => ({
      index,
      message: { role: "assistant", content: choice.text, refusal: null },
      logprobs: sampling.logprobs === undefined ? null : toLogprobs(choice.tokens),
      finish_reason: choice.finishReason,
      ...toOptions(choice),
    })),
    usage: toUsage(answer.usage),
    atalaya: answer.receipt,
  };
}

/**
 * A first chunk with the role, one a delta, a last with the finish reason and the receipt; then, when
 * `includeUsage`, one with the usage and no choices.
 */
export async function* toChatChunks(
  events: AsyncIterable<GenerateEvent>,
  head: AnswerHead,
  { request, receipt, includeUsage }: ChunkOptions,
): AsyncGenerator<ChatCompletionChunk, void> {
  const wantsLogprobs = request.sampling.logprobs !== undefined;
  const base = {
    ...head,
    object: "chat.completion.chunk",
    ...(includeUsage ? { usage: null } : {}),
  } as const;
  const { numChoices = 1 } = request;
  const openingOf = (index: number) => ({ index, logprobs: null, finish_reason: null }) as const;
  for (let index = 0; index < numChoices; index++) {
    yield {
      ...base,
      choices: [{ ...openingOf(index), delta: { role: "assistant", content: "" } }],
    };
  }
  let usage: Usage | undefined;
  let numOpen = numChoices;
  for await (const event of events) {
    switch (event.type) {
      case "started":
      case "image":
        break;
      case "text-delta":
        if (event.text === "" && !wantsLogprobs) break;
        yield {
          ...base,
          choices: [
            {
              ...openingOf(event.choice ?? 0),
              delta: { content: event.text },
              logprobs: wantsLogprobs ? toLogprobs(event.tokens) : null,
            },
          ],
        };
        break;
      case "finish":
        usage = addUsage(usage, event.usage);
        numOpen -= 1;
        yield {
          ...base,
          choices: [
            {
              ...openingOf(event.choice ?? 0),
              delta: { content: "" },
              finish_reason: wholeFinishReason(event.reason),
              ...toOptions(event),
            },
          ],
          ...(numOpen === 0 && { atalaya: receipt.toWire() }),
        };
        if (numOpen > 0) break;
        if (includeUsage) yield { ...base, choices: [], usage: toUsage(usage) };
        return;
      default:
        event satisfies never;
    }
  }
  throw new Error("the events ended without a finish");
}

function toLogprobs(tokens: readonly GeneratedToken[]): ChatLogprobs {
  const entry = ({ bytes, logprob }: { bytes: Uint8Array; logprob: number | undefined }) => ({
    token: tokenText(bytes),
    logprob: toLogprob(logprob),
    bytes: [...bytes],
  });
  return {
    content: tokens.map((token) => ({
      ...entry(token),
      top_logprobs: token.topLogprobs.map(entry),
    })),
    refusal: null,
  };
}
