/** A response's items → our request. Pure; the other direction is `to-response.ts`. */
import { randomUUID } from "node:crypto";
import {
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
import { unsupportedField } from "../../../known-fields.ts";
import { imageFromPart } from "../../../picture-part.ts";

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
  const messages = items.map((item, index) =>
    toMessage(item, index < numEarlier ? "previous_response_id" : `input[${index - numEarlier}]`),
  );
  refuseTooManyImages(messages);
  return {
    prompt: {
      type: "chat",
      messages: body.instructions == null ? messages : [system(body.instructions), ...messages],
      imageOrder: body.image_order ?? undefined,
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
        typeof id === "string" && id !== "" ? id : `${isMessage ? "msg" : "item"}_${randomUUID()}`,
    };
  });
}

function toParts({ role, content }: ResponseMessageItem): readonly ResponseInputPart[] {
  if (typeof content !== "string") return content;
  return [{ type: role === "assistant" ? "output_text" : "input_text", text: content }];
}

/** What items carry that nothing reads, each name once: `input[].name`. */
export function ignoredInItems(input: ResponsesRequest["input"]): string[] {
  if (typeof input === "string") return [];
  const ignored = input.flatMap((item) =>
    Object.keys(item)
      .filter((key) => !readInItems.has(key))
      .map((key) => `input[].${key}`),
  );
  return [...new Set(ignored)];
}

/** `status` is what clients send back of an answer of ours. */
const readInItems: ReadonlySet<string> = new Set(["type", "role", "content", "id", "status"]);

function toMessage(stored: ResponseStoredItem, field: string): ChatMessage {
  // It was checked when it came in; an item of an answer of ours has the same form.
  const item = ResponseInputItemSchema.parse(stored);
  if (item.type !== undefined && item.type !== "message") {
    throw unsupportedField(`${field}.type = ${item.type}`);
  }
  const { role, content } = item as ResponseMessageItem;
  return {
    role: role === "developer" ? "system" : role,
    content:
      typeof content === "string"
        ? [{ type: "text", text: content }]
        : content.map((part, index) => toPart(part, `${field}.content[${index}]`)),
  };
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
