/** Our events → Ollama's answers, whole or a line at a time. */
import type { AnswerReceipt, OllamaLogprobs, OllamaToolCallReply } from "@atalaya/protocol";
import type { GeneratedToken, GenerateEvent, Usage } from "../../../generation/event.ts";
import type { ToolCall } from "../../../generation/tools.ts";
import { type Answer, type WholeFinishReason, wholeFinishReason } from "../../answer.ts";
import type { Receipt } from "../../receipt.ts";
import { tokenText, toLogprob } from "../../token-text.ts";

/** What both routes put around a piece of text; calls come with a chat alone. */
export type AnswerForm = (text: string, calls?: readonly ToolCall[]) => object;

export const chatForm: AnswerForm = (text, calls) => ({
  message: {
    role: "assistant",
    content: text,
    ...(calls !== undefined && { tool_calls: calls.map(toToolCall) }),
  },
});
export const generateForm: AnswerForm = (text) => ({ response: text });

function toToolCall({ id, name, arguments: text }: ToolCall, index: number): OllamaToolCallReply {
  // The pipeline makes a call of nothing else than an object.
  const args = JSON.parse(text) as OllamaToolCallReply["function"]["arguments"];
  return { id, function: { index, name, arguments: args } };
}

export type AnswerHead = {
  readonly model: string;
  readonly form: AnswerForm;
  readonly wantsLogprobs: boolean;
  readonly clock: AnswerClock;
};

/** Ollama counts in nanoseconds. */
const nsPerMs = 1e6;

/** When the parts of one answer happened, in milliseconds of a steady clock. */
export class AnswerClock {
  readonly #now: () => number;
  readonly #askedAt: number;
  #loadedAt: number;
  #firstTokenAt: number | undefined;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#askedAt = now();
    this.#loadedAt = this.#askedAt;
  }

  /** The model is there. */
  loaded(): void {
    this.#loadedAt = this.#now();
  }

  note(event: GenerateEvent): void {
    if (event.type === "text-delta") this.#firstTokenAt ??= this.#now();
  }

  /** Durations in nanoseconds. */
  toWire({ promptTokens, completionTokens }: Usage): object {
    const endedAt = this.#now();
    const firstTokenAt = this.#firstTokenAt ?? endedAt;
    return {
      total_duration: Math.round((endedAt - this.#askedAt) * nsPerMs),
      load_duration: Math.round((this.#loadedAt - this.#askedAt) * nsPerMs),
      prompt_eval_count: promptTokens,
      prompt_eval_duration: Math.round((firstTokenAt - this.#loadedAt) * nsPerMs),
      eval_count: completionTokens,
      eval_duration: Math.round((endedAt - firstTokenAt) * nsPerMs),
    };
  }
}

/** Note the times of events on their way. */
export async function* timed(
  events: AsyncIterable<GenerateEvent>,
  clock: AnswerClock,
): AsyncGenerator<GenerateEvent, void> {
  for await (const event of events) {
    clock.note(event);
    yield event;
  }
}

export function toOllamaAnswer(answer: Answer, head: AnswerHead): object {
  return {
    ...lineHead(head),
    ...head.form(answer.text, answer.toolCalls),
    ...toLogprobs(answer.tokens, head),
    ...end(answer, head, answer.receipt),
  };
}

/** A line a delta, then one with the reason, the counts and the receipt. */
export async function* toOllamaLines(
  events: AsyncIterable<GenerateEvent>,
  head: AnswerHead,
  receipt: Receipt,
): AsyncGenerator<object, void> {
  for await (const event of events) {
    switch (event.type) {
      case "started":
      case "image":
        break;
      case "text-delta":
        if (event.text === "" && !head.wantsLogprobs) break;
        yield {
          ...lineHead(head),
          ...head.form(event.text),
          ...toLogprobs(event.tokens, head),
          done: false,
        };
        break;
      case "finish": {
        const finishReason = wholeFinishReason(event.reason);
        if (event.toolCalls !== undefined) {
          yield { ...lineHead(head), ...head.form("", event.toolCalls), done: false };
        }
        yield {
          ...lineHead(head),
          ...head.form(""),
          ...end({ finishReason, usage: event.usage }, head, receipt.toWire()),
        };
        return;
      }
      default:
        event satisfies never;
    }
  }
  throw new Error("the events ended without a finish");
}

/** What a request without a question is answered with: it loads the model, or frees it. */
export function withoutAnswer(head: AnswerHead, doneReason: "load" | "unload"): object {
  return { ...lineHead(head), ...head.form(""), done_reason: doneReason, done: true };
}

function lineHead({ model }: AnswerHead): object {
  return { model, created_at: new Date().toISOString() };
}

function end(
  { finishReason, usage }: { finishReason: WholeFinishReason; usage: Usage },
  { clock }: AnswerHead,
  receipt: AnswerReceipt,
): object {
  return { done_reason: finishReason, done: true, ...clock.toWire(usage), atalaya: receipt };
}

function toLogprobs(
  tokens: readonly GeneratedToken[],
  { wantsLogprobs }: AnswerHead,
): { readonly logprobs?: OllamaLogprobs } {
  if (!wantsLogprobs) return {};
  const entry = ({ bytes, logprob }: { bytes: Uint8Array; logprob: number | undefined }) => ({
    token: tokenText(bytes),
    logprob: toLogprob(logprob),
    bytes: [...bytes],
  });
  return {
    logprobs: tokens.map((token) => ({
      ...entry(token),
      top_logprobs: token.topLogprobs.map(entry),
    })),
  };
}
