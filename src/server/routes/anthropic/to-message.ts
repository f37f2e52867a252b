/** Our events → Anthropic's message, whole or as events. */
import type {
  AnthropicAnswer,
  AnthropicEvent,
  AnthropicStopReason,
  AnthropicToolUse,
  AnthropicUsage,
} from "@atalaya/protocol";
import type { GenerateEvent, Usage } from "../../../generation/event.ts";
import type { ToolCall } from "../../../generation/tools.ts";
import { type Answer, type WholeFinishReason, wholeFinishReason } from "../../answer.ts";
import type { Receipt } from "../../receipt.ts";

export type MessageHead = {
  readonly id: string;
  readonly model: string;
  /** Tokens that the caller allowed. */
  readonly maxTokens: number;
};

export function toMessage(answer: Answer, head: MessageHead): AnthropicAnswer {
  return {
    ...opening(head, toUsage(answer.usage)),
    content: answer.toolCalls?.map(toToolUse) ?? [{ type: "text", text: answer.text }],
    ...ending(answer, head),
    atalaya: answer.receipt,
  };
}

/** The receipt comes with `message_delta`. */
export async function* toMessageEvents(
  events: AsyncIterable<GenerateEvent>,
  head: MessageHead,
  receipt: Receipt,
): AsyncGenerator<AnthropicEvent, void> {
  let isOpen = false;
  const open = (): readonly AnthropicEvent[] => {
    if (isOpen) return [];
    isOpen = true;
    return [{ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }];
  };
  for await (const event of events) {
    switch (event.type) {
      case "started": {
        const usage = toUsage({ promptTokens: event.promptTokenIds.length, completionTokens: 0 });
        yield { type: "message_start", message: opening(head, usage) };
        break;
      }
      case "image":
        break;
      case "text-delta":
        if (event.text === "") break;
        yield* open();
        yield {
          type: "content_block_delta",
          index: 0,
          delta: { type: "text_delta", text: event.text },
        };
        break;
      case "finish": {
        const finishReason = wholeFinishReason(event.reason);
        const calls = event.toolCalls ?? [];
        // An answer without a word is an empty text, unless it is calls.
        if (calls.length === 0) yield* open();
        if (isOpen) yield { type: "content_block_stop", index: 0 };
        for (const [number, call] of calls.entries()) {
          yield* toolUseEvents(call, isOpen ? number + 1 : number);
        }
        yield {
          type: "message_delta",
          delta: ending({ ...event, finishReason }, head),
          usage: toUsage(event.usage),
          atalaya: receipt.toWire(),
        };
        yield { type: "message_stop" };
        return;
      }
      default:
        event satisfies never;
    }
  }
  throw new Error("the events ended without a finish");
}

function* toolUseEvents(call: ToolCall, index: number): Generator<AnthropicEvent, void> {
  yield { type: "content_block_start", index, content_block: { ...toToolUse(call), input: {} } };
  yield {
    type: "content_block_delta",
    index,
    delta: { type: "input_json_delta", partial_json: call.arguments },
  };
  yield { type: "content_block_stop", index };
}

function toToolUse({ id, name, arguments: text }: ToolCall): AnthropicToolUse {
  // The pipeline makes a call of nothing else than an object.
  return { type: "tool_use", id, name, input: JSON.parse(text) as AnthropicToolUse["input"] };
}

function opening({ id, model }: MessageHead, usage: AnthropicUsage): AnthropicAnswer {
  return {
    id,
    type: "message",
    role: "assistant",
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
  };
}

function ending(
  end: {
    readonly finishReason: WholeFinishReason;
    readonly stopString: string | undefined;
    readonly usage: Usage;
    readonly toolCalls?: readonly ToolCall[];
  },
  { maxTokens }: MessageHead,
): { readonly stop_reason: AnthropicStopReason; readonly stop_sequence: string | null } {
  if (end.toolCalls !== undefined) return { stop_reason: "tool_use", stop_sequence: null };
  if (end.stopString !== undefined) {
    return { stop_reason: "stop_sequence", stop_sequence: end.stopString };
  }
  if (end.finishReason === "stop") return { stop_reason: "end_turn", stop_sequence: null };
  // Cut short of what was allowed: the context was full.
  const isAllowance = end.usage.completionTokens >= maxTokens;
  return {
    stop_reason: isAllowance ? "max_tokens" : "model_context_window_exceeded",
    stop_sequence: null,
  };
}

function toUsage({
  promptTokens,
  completionTokens,
}: Pick<Usage, "promptTokens" | "completionTokens">): AnthropicUsage {
  return {
    input_tokens: promptTokens,
    output_tokens: completionTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
  };
}
