/** Our events → a response's events, and the response that each of them carries. */
import { randomUUID } from "node:crypto";
import type {
  AnswerReceipt,
  ResponseEvent,
  ResponseFunctionCall,
  ResponseLogprob,
  ResponseObject,
  ResponseOutputMessage,
  ResponsesRequest,
  ResponseTextFormat,
  ResponseTextPart,
  ResponseUsage,
} from "@atalaya/protocol";
import type { GeneratedToken, GenerateEvent, Usage } from "../../../../generation/event.ts";
import type { GenerateRequest } from "../../../../generation/request.ts";
import type { ToolCall } from "../../../../generation/tools.ts";
import { wholeFinishReason } from "../../../answer.ts";
import type { HttpError } from "../../../error-reply.ts";
import type { Receipt } from "../../../receipt.ts";
import { tokenText, toLogprob } from "../../../token-text.ts";

export type ResponseHead = {
  readonly id: string;
  readonly messageId: string;
  /** Seconds since 1970. */
  readonly createdAt: number;
  /** Turns that did not fit and were left out. */
  readonly numDroppedTurns: number;
};

/** An event before it is numbered. */
type Event = ResponseEvent extends infer Each
  ? Each extends ResponseEvent
    ? Omit<Each, "sequence_number">
    : never
  : never;

/** The response as it is before anything was said. */
export function openResponse(
  body: ResponsesRequest,
  { sampling }: GenerateRequest,
  { id, createdAt }: ResponseHead,
): ResponseObject {
  return {
    id,
    object: "response",
    created_at: createdAt,
    completed_at: null,
    status: body.background === true ? "queued" : "in_progress",
    background: body.background === true,
    error: null,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    model: body.model,
    output: [],
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: body.previous_response_id ?? null,
    reasoning: { effort: null, summary: null },
    service_tier: "default",
    store: body.store !== false,
    temperature: sampling.temperature,
    text: { format: toFormat(body) },
    tool_choice: toChoice(body),
    tools: (body.tools ?? []).map(({ name, description, parameters, strict }) => ({
      type: "function",
      name: name ?? "",
      description: description ?? null,
      parameters: parameters ?? null,
      strict: strict ?? null,
    })),
    top_logprobs: body.top_logprobs ?? 0,
    top_p: sampling.topP,
    truncation: body.truncation ?? "disabled",
    usage: null,
    user: body.user ?? null,
  };
}

function toFormat({ text }: ResponsesRequest): ResponseTextFormat {
  const { type = "text", name, description, schema, strict } = text?.format ?? {};
  if (type !== "json_schema") return { type };
  return {
    type,
    name: name ?? "",
    description: description ?? null,
    schema,
    strict: strict ?? null,
  };
}

function toChoice({ tool_choice: choice }: ResponsesRequest): ResponseObject["tool_choice"] {
  if (choice == null || typeof choice === "string") return choice ?? "auto";
  return { type: "function", name: choice.name ?? "" };
}

export type ResponseContext = {
  readonly head: ResponseHead;
  readonly opening: ResponseObject;
  readonly receipt: Receipt;
  readonly wantsLogprobs: boolean;
};

/**
 * In OpenAI's order: created, in progress, the message and its part added, deltas, text done, part done,
 * message done, completed or incomplete. An answer that is calls has no message: each is added, its arguments
 * come whole in one delta, and it is done.
 *
 * @throws PlatformError what `events` throw; `cancelled` for an answer that was cut
 */
export async function* toResponseEvents(
  events: AsyncIterable<GenerateEvent>,
  context: ResponseContext,
): AsyncGenerator<ResponseEvent, void> {
  let number = 0;
  for await (const event of unnumbered(events, context)) {
    yield { ...event, sequence_number: number++ } as ResponseEvent;
  }
}

async function* unnumbered(
  events: AsyncIterable<GenerateEvent>,
  { head, opening, receipt, wantsLogprobs }: ResponseContext,
): AsyncGenerator<Event, void> {
  const running: ResponseObject = { ...opening, status: "in_progress" };
  const message = new MessageInProgress(head.messageId);
  const pending: ResponseLogprob[] = [];
  yield { type: "response.created", response: opening };
  yield { type: "response.in_progress", response: running };
  for await (const event of events) {
    switch (event.type) {
      case "started":
      case "image":
        break;
      case "text-delta":
        // Tokens without text may be those of a call, which has no place for them.
        if (wantsLogprobs) pending.push(...event.tokens.map(toResponseLogprob));
        if (event.text !== "") yield* message.push(event.text, pending.splice(0));
        break;
      case "finish": {
        const reason = wholeFinishReason(event.reason);
        const isCut = reason === "length" && event.toolCalls === undefined;
        const status = isCut ? "incomplete" : "completed";
        const calls = (event.toolCalls ?? []).map(toFunctionCall);
        if (calls.length > 0) yield* callEvents(calls);
        else {
          if (pending.length > 0) yield* message.push("", pending);
          yield* message.end(status);
        }
        const response: ResponseObject = {
          ...running,
          status,
          completed_at: Math.floor(Date.now() / 1_000),
          incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
          output: calls.length > 0 ? calls : [message.toWire(status)],
          usage: toUsage(event.usage),
          atalaya: receiptOf(receipt.toWire(), head),
        };
        yield { type: `response.${status}`, response };
        return;
      }
      default:
        event satisfies never;
    }
  }
  throw new Error("the events ended without a finish");
}

function toFunctionCall({ id, name, arguments: args }: ToolCall): ResponseFunctionCall {
  return {
    type: "function_call",
    id: `fc_${randomUUID()}`,
    call_id: id,
    name,
    arguments: args,
    status: "completed",
  };
}

function* callEvents(calls: readonly ResponseFunctionCall[]): Generator<Event, void> {
  for (const [index, call] of calls.entries()) {
    const place = { item_id: call.id, output_index: index };
    const { name, arguments: args } = call;
    yield {
      type: "response.output_item.added",
      output_index: index,
      item: { ...call, arguments: "", status: "in_progress" },
    };
    yield { type: "response.function_call_arguments.delta", ...place, delta: args };
    yield { type: "response.function_call_arguments.done", ...place, name, arguments: args };
    yield { type: "response.output_item.done", output_index: index, item: call };
  }
}

/** One message of one part, as it grows. */
class MessageInProgress {
  readonly #id: string;
  #text = "";
  #isOpen = false;
  readonly #logprobs: ResponseLogprob[] = [];

  constructor(id: string) {
    this.#id = id;
  }

  *push(delta: string, logprobs: readonly ResponseLogprob[]): Generator<Event, void> {
    yield* this.#open();
    this.#text += delta;
    this.#logprobs.push(...logprobs);
    yield { type: "response.output_text.delta", ...this.#place(), delta, logprobs };
  }

  *end(status: "completed" | "incomplete"): Generator<Event, void> {
    yield* this.#open();
    const { text, logprobs } = this.#part();
    yield { type: "response.output_text.done", ...this.#place(), text, logprobs };
    yield { type: "response.content_part.done", ...this.#place(), part: this.#part() };
    yield { type: "response.output_item.done", output_index: 0, item: this.toWire(status) };
  }

  toWire(status: ResponseOutputMessage["status"]): ResponseOutputMessage {
    return {
      type: "message",
      id: this.#id,
      status,
      role: "assistant",
      content: status === "in_progress" ? [] : [this.#part()],
    };
  }

  *#open(): Generator<Event, void> {
    if (this.#isOpen) return;
    this.#isOpen = true;
    yield { type: "response.output_item.added", output_index: 0, item: this.toWire("in_progress") };
    yield { type: "response.content_part.added", ...this.#place(), part: this.#part() };
  }

  #place(): { item_id: string; output_index: number; content_index: number } {
    return { item_id: this.#id, output_index: 0, content_index: 0 };
  }

  #part(): ResponseTextPart {
    return {
      type: "output_text",
      text: this.#text,
      annotations: [],
      logprobs: [...this.#logprobs],
    };
  }
}

/** The response that ended in an error. */
export function failedResponse(response: ResponseObject, { body }: HttpError): ResponseObject {
  const { code, message } = body.error;
  return {
    ...response,
    status: code === "cancelled" ? "cancelled" : "failed",
    error: code === "cancelled" ? null : { code, message },
  };
}

function receiptOf(
  receipt: AnswerReceipt,
  { numDroppedTurns }: ResponseHead,
): NonNullable<ResponseObject["atalaya"]> {
  return { ...receipt, dropped_turns: numDroppedTurns };
}

function toUsage(usage: Usage): ResponseUsage {
  const { promptTokens, completionTokens, imageTokens, cachedTokens = 0 } = usage;
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens, image_tokens: imageTokens },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: promptTokens + completionTokens,
  };
}

function toResponseLogprob(token: GeneratedToken): ResponseLogprob {
  const entry = ({ bytes, logprob }: { bytes: Uint8Array; logprob: number | undefined }) => ({
    token: tokenText(bytes),
    logprob: toLogprob(logprob),
    bytes: [...bytes],
  });
  return { ...entry(token), top_logprobs: token.topLogprobs.map(entry) };
}
