/** A response's items → our request. Pure; the other direction is `to-response.ts`. */
import { randomUUID } from "node:crypto";
import {
  type ResponseFunctionCallItem,
  type ResponseFunctionCallOutputItem,
  type ResponseInputItem,
  ResponseInputItem as ResponseInputItemSchema,
  type ResponseInputPart,
  type ResponseMessageItem,
  type ResponseStoredItem,
  type ResponsesRequest,
  requestLimits,
} from "@atalaya/protocol";
import { PlatformError } from "../../../../base/errors.ts";
import type { ChatMessage, ContentPart, GenerateRequest } from "../../../../generation/request.ts";
import type { DefaultSampling } from "../../../../supervisor/default-sampling.ts";
import { formOfText } from "../../../answer-form.ts";
import { ignoredIn, isEmpty, unsupportedField } from "../../../known-fields.ts";
import { ignoredInParts, imageFromPart } from "../../../picture-part.ts";
import { toResponseToolOffer } from "../../../tool-offer.ts";

/** All that the model is told, oldest first. */
export type Conversation = {
  readonly items: readonly ResponseStoredItem[];
  /** How many of them come from earlier responses. */
  readonly numEarlier: number;
};

/** @throws PlatformError `invalid_request`, `unsupported_parameter`, `invalid_image` */
export function fromResponsesRequest(
  body: ResponsesRequest,
  { items, numEarlier }: Conversation,
  defaults: DefaultSampling,
): GenerateRequest {
  const numAlternatives = body.top_logprobs ?? 0;
  const wantsLogprobs = body.include?.includes("message.output_text.logprobs") === true;
  if (numAlternatives > 0 && !wantsLogprobs) {
    throw invalid(
      '"top_logprobs" needs "include": ["message.output_text.logprobs"] beside it.',
      "top_logprobs",
    );
  }
  const messages = toMessages(items, (index) =>
    index < numEarlier ? "previous_response_id" : `input[${index - numEarlier}]`,
  );
  refuseTooManyImages(messages);
  return {
    prompt: {
      type: "chat",
      messages: body.instructions == null ? messages : [system(body.instructions), ...messages],
      imageOrder: body.image_order ?? undefined,
      tools: toResponseToolOffer(body),
    },
    sampling: {
      maxTokens: body.max_output_tokens ?? undefined,
      temperature: body.temperature ?? defaults.temperature,
      topK: body.top_k == null ? defaults.topK : Math.max(body.top_k, 0),
      topP: body.top_p ?? defaults.topP,
      minP: body.min_p ?? defaults.minP,
      presencePenalty: body.presence_penalty ?? 0,
      frequencyPenalty: body.frequency_penalty ?? 0,
      repetitionPenalty: body.repetition_penalty ?? defaults.repetitionPenalty,
      seed: body.seed ?? undefined,
      stop: [],
      logprobs: wantsLogprobs ? numAlternatives : undefined,
    },
    form: formOfText(body),
  };
}

/** What was sent as items with ids of their own, in the form they are kept and listed in. */
export function toStoredItems(input: ResponsesRequest["input"]): ResponseStoredItem[] {
  const items: readonly ResponseInputItem[] =
    typeof input === "string"
      ? [{ type: "message", role: "user", content: [{ type: "input_text", text: input }] }]
      : input;
  return items.map((item) => {
    const { id } = item;
    const isMessage = item.type === undefined || item.type === "message";
    return {
      ...item,
      ...(isMessage ? { type: "message", content: toParts(item as ResponseMessageItem) } : {}),
      id:
        typeof id === "string" && id !== ""
          ? id
          : `${isMessage ? "msg" : item.type === "function_call" ? "fc" : "item"}_${randomUUID()}`,
    };
  });
}

function toParts({ role, content }: ResponseMessageItem): readonly ResponseInputPart[] {
  if (typeof content !== "string") return content;
  return [{ type: role === "assistant" ? "output_text" : "input_text", text: content }];
}

/** What items and their parts carry that nothing reads, each name once: `input[].name`. */
export function ignoredInItems(input: ResponsesRequest["input"]): string[] {
  if (typeof input === "string") return [];
  const ignored = input.flatMap((item) => [
    ...ignoredIn(item, "input[]", {
      known: [...readInItems, ...(readInCalls[item.type ?? "message"] ?? [])],
      hints: nothingInItems,
    }),
    ...ignoredInParts(item["content"], "input[].content[]"),
  ]);
  return [...new Set(ignored)];
}

/** `status` is what clients send back of an answer of ours. */
const readInItems = ["type", "role", "content", "id", "status"];
const nothingInItems = { phase: isEmpty };

const readInCalls: Readonly<Record<string, readonly string[]>> = {
  function_call: ["call_id", "name", "arguments"],
  function_call_output: ["call_id", "output"],
};

/** @param fieldOf where the item of that number was said */
function toMessages(
  items: readonly ResponseStoredItem[],
  fieldOf: (index: number) => string,
): ChatMessage[] {
  const messages: ChatMessage[] = [];
  for (const [index, stored] of items.entries()) {
    const field = fieldOf(index);
    // It was checked when it came in; an item of an answer of ours has the same form.
    const item = ResponseInputItemSchema.parse(stored);
    if (item.type === undefined || item.type === "message") {
      messages.push(toMessage(item as ResponseMessageItem, field));
    } else if (item.type === "function_call") {
      addCall(messages, item as ResponseFunctionCallItem, field);
    } else if (item.type === "function_call_output") {
      messages.push(toResult(item as ResponseFunctionCallOutputItem, field));
    } else {
      throw unsupportedField(`${field}.type = ${item.type}`);
    }
  }
  return messages;
}

function toMessage({ role, content }: ResponseMessageItem, field: string): ChatMessage {
  return {
    role: role === "developer" ? "system" : role,
    content:
      typeof content === "string"
        ? [{ type: "text", text: content }]
        : content.map((part, index) => toPart(part, `${field}.content[${index}]`)),
  };
}

/** Items of one answer, one behind the other, are one turn. */
function addCall(
  messages: ChatMessage[],
  { call_id: id, name, arguments: args }: ResponseFunctionCallItem,
  field: string,
): void {
  const call = { id, name, arguments: args.trim() === "" ? "{}" : args };
  const last = messages.at(-1);
  const place = `${field}.arguments`;
  if (last?.role === "assistant") {
    messages[messages.length - 1] = {
      ...last,
      toolCalls: [...(last.toolCalls ?? []), call],
      field: last.field ?? place,
    };
  } else {
    messages.push({ role: "assistant", content: [], toolCalls: [call], field: place });
  }
}

function toResult(
  { call_id: toolCallId, output }: ResponseFunctionCallOutputItem,
  field: string,
): ChatMessage {
  const content: ContentPart[] =
    typeof output === "string"
      ? [{ type: "text", text: output }]
      : output.map((part, index) => toPart(part, `${field}.output[${index}]`));
  return { role: "tool", content, toolCallId, field: `${field}.call_id` };
}

function toPart(part: ResponseInputPart, field: string): ContentPart {
  switch (part.type) {
    case "input_text":
    case "output_text":
    case "text":
      return { type: "text", text: part.text };
    case "refusal":
      return { type: "text", text: part.refusal };
    case "image_url":
    case "input_image":
    case "input_file":
    case "image":
    case "file":
      return { type: "image", image: imageFromPart(part, field) };
    default:
      return part satisfies never;
  }
}

function system(text: string): ChatMessage {
  return { role: "system", content: [{ type: "text", text }] };
}

function refuseTooManyImages(messages: readonly ChatMessage[]): void {
  const numImages = messages
    .flatMap(({ content }) => content)
    .filter(({ type }) => type === "image").length;
  if (numImages <= requestLimits.maxImages) return;
  throw invalid(
    `The conversation has ${numImages} pictures; the most is ${requestLimits.maxImages}.`,
    "input",
  );
}

function invalid(message: string, param: string): PlatformError {
  return new PlatformError("invalid_request", message, { details: { param } });
}
