/** Our events → chat completions, whole or in chunks. */
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ChatFinishReason,
  ChatFunctionCall,
  ChatLogprobs,
  ChatToolCallReply,
} from "@atalaya/protocol";
import type { GeneratedToken, GenerateEvent } from "../../../generation/event.ts";
import type { ToolCall } from "../../../generation/tools.ts";
import { type Answer, UsageSum, type WholeFinishReason, wholeFinishReason } from "../../answer.ts";
import { tokenText, toLogprob } from "../../token-text.ts";
import { type AnswerHead, toOptions, toUsage } from "./answer.ts";
import type { Asked, ChunkOptions } from "./generate.ts";

export function toChatCompletion(
  answer: Answer,
  head: AnswerHead,
  { requests: [request], body }: Asked<ChatCompletionRequest>,
): ChatCompletion {
  return {
    ...head,
    object: "chat.completion",
    choices: answer.choices.map((choice, index) => ({
      index,
      message: {
        role: "assistant",
        content: choice.toolCalls === undefined ? choice.text : null,
        refusal: null,
        ...toCalls(choice, body),
      },
      logprobs: request.sampling.logprobs === undefined ? null : toLogprobs(choice.tokens),
      finish_reason: toFinishReason(choice.finishReason, choice, body),
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
  { requests: [request], body, receipt, includeUsage }: ChunkOptions<ChatCompletionRequest>,
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
  const usage = new UsageSum();
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
        usage.add(event);
        numOpen -= 1;
        yield {
          ...base,
          choices: [
            {
              ...openingOf(event.choice ?? 0),
              delta: { content: "", ...toCallDelta(event, body) },
              finish_reason: toFinishReason(wholeFinishReason(event.reason), event, body),
              ...toOptions(event),
            },
          ],
          ...(numOpen === 0 && { atalaya: receipt.toWire() }),
        };
        if (numOpen > 0) break;
        if (includeUsage) yield { ...base, choices: [], usage: toUsage(usage.total) };
        return;
      default:
        event satisfies never;
    }
  }
  throw new Error("the events ended without a finish");
}

type WithCalls = { readonly toolCalls?: readonly ToolCall[] };

/** Whoever asked in the older form is answered in it. */
function isOlder({ functions }: ChatCompletionRequest): boolean {
  return functions != null && functions.length > 0;
}

function toFinishReason(
  reason: WholeFinishReason,
  { toolCalls }: WithCalls,
  body: ChatCompletionRequest,
): ChatFinishReason {
  if (toolCalls === undefined) return reason;
  return isOlder(body) ? "function_call" : "tool_calls";
}

function toCalls(
  { toolCalls }: WithCalls,
  body: ChatCompletionRequest,
): {
  readonly tool_calls?: readonly ChatToolCallReply[];
  readonly function_call?: ChatFunctionCall;
} {
  const [first] = toolCalls ?? [];
  if (first === undefined) return {};
  if (isOlder(body)) return { function_call: { name: first.name, arguments: first.arguments } };
  return {
    tool_calls: (toolCalls ?? []).map(({ id, name, arguments: args }) => ({
      id,
      type: "function",
      function: { name, arguments: args },
    })),
  };
}

/** Whole, and in one chunk: some clients read calls from the finishing chunk alone. */
function toCallDelta(
  event: WithCalls,
  body: ChatCompletionRequest,
): Pick<ChatCompletionChunk["choices"][number]["delta"], "tool_calls" | "function_call"> {
  const { tool_calls: calls, ...older } = toCalls(event, body);
  if (calls === undefined) return older;
  return { tool_calls: calls.map((call, index) => ({ index, ...call })) };
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
