/** Anthropic's words → ours. Pure; the other direction is `to-message.ts`. */
import {
  type AnthropicBlock,
  type AnthropicDocument,
  type AnthropicMessage,
  type AnthropicThought,
  type AnthropicToolResult,
  type CountTokensRequest,
  type MessagesRequest,
  requestLimits,
} from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import type {
  AnswerForm,
  ChatMessage,
  ChatPrompt,
  ContentPart,
  GenerateRequest,
} from "../../../generation/request.ts";
import type { ToolCall } from "../../../generation/tools.ts";
import type { DefaultSampling } from "../../../supervisor/default-sampling.ts";
import { ignoredIn, unsupportedField } from "../../known-fields.ts";
import { ignoredInParts, imageFromImagePart } from "../../picture-part.ts";
import { toAnthropicOffer } from "./to-tool-offer.ts";

/** @throws PlatformError `invalid_request`, `invalid_image`, `unsupported_url_scheme` */
export function fromMessages(body: MessagesRequest, defaults: DefaultSampling): GenerateRequest {
  return {
    prompt: toPrompt(body),
    sampling: {
      maxTokens: body.max_tokens,
      // Clients must name a number, and name the largest: it is a bound, not a wish.
      fitMaxTokens: true,
      temperature: body.temperature ?? defaults.temperature,
      topK: body.top_k ?? defaults.topK,
      topP: body.top_p ?? defaults.topP,
      minP: defaults.minP,
      presencePenalty: 0,
      frequencyPenalty: 0,
      repetitionPenalty: defaults.repetitionPenalty,
      seed: undefined,
      stop: body.stop_sequences ?? [],
      logprobs: undefined,
    },
    form: toForm(body),
  };
}

function toForm({
  output_config: config,
  output_format: earlier,
}: MessagesRequest): AnswerForm | undefined {
  const format = config?.format ?? earlier;
  if (format == null) return undefined;
  const place = config?.format == null ? "output_format" : "output_config.format";
  return { type: "json-schema", schema: format.schema, field: `${place}.schema` };
}

/** @throws PlatformError `invalid_request`, `invalid_image`, `unsupported_url_scheme` */
export function toPrompt(body: CountTokensRequest): ChatPrompt {
  const { messages, system } = body;
  refuseTooManyImages(messages);
  if (messages.at(-1)?.role === "assistant") {
    throw new PlatformError(
      "invalid_request",
      "The last message is the assistant's, and this version does not continue an answer that was begun. End with a message of the user.",
      { details: { param: `messages[${messages.length - 1}].role` } },
    );
  }
  const turns = messages.flatMap(toMessages);
  return {
    type: "chat",
    tools: toAnthropicOffer(body),
    messages: system == null ? turns : [systemTurn(system), ...turns],
    imageOrder: body.image_order ?? undefined,
  };
}

function systemTurn(system: NonNullable<CountTokensRequest["system"]>): ChatMessage {
  const text = typeof system === "string" ? system : system.map((block) => block.text).join("\n\n");
  return { role: "system", content: [{ type: "text", text }] };
}

/** Results come first, as Anthropic wants them; what stands beside them is the user's next turn. */
function toMessages({ role, content }: AnthropicMessage, index: number): ChatMessage[] {
  if (typeof content === "string") return [{ role, content: [{ type: "text", text: content }] }];
  const placed = content.map((block, at) => ({
    block,
    field: `messages[${index}].content[${at}]`,
  }));
  const calls: ToolCall[] = [];
  const results: ChatMessage[] = [];
  const parts: ContentPart[] = [];
  for (const { block, field } of placed) {
    if (block.type === "tool_use") {
      if (role !== "assistant") throw misplaced(field, "tool_use", "an assistant's");
      calls.push({
        id: block.id,
        name: block.name,
        arguments: JSON.stringify(block.input ?? {}),
      });
    } else if (block.type === "tool_result") {
      if (role !== "user") throw misplaced(field, "tool_result", "a user's");
      results.push({
        role: "tool",
        content: resultParts(block, field),
        toolCallId: block.tool_use_id,
        field: `${field}.tool_use_id`,
      });
    } else if (isThought(block)) {
      if (role !== "assistant") throw misplaced(field, block.type, "an assistant's");
    } else parts.push(...toParts(block, field));
  }
  if (calls.length > 0) {
    return [{ role, content: parts, toolCalls: calls, field: `messages[${index}].content` }];
  }
  if (results.length === 0) return [{ role, content: parts }];
  return parts.length === 0 ? results : [...results, { role, content: parts }];
}

function resultParts(
  { content, is_error: isError }: AnthropicToolResult,
  field: string,
): ContentPart[] {
  const parts: ContentPart[] =
    typeof content === "string"
      ? [{ type: "text", text: content }]
      : (content ?? []).flatMap((block, at) => toParts(block, `${field}.content[${at}]`));
  // The template has one word for all results.
  return isError === true ? [{ type: "text", text: "Error: " }, ...parts] : parts;
}

function misplaced(field: string, type: string, whose: string): PlatformError {
  return new PlatformError(
    "invalid_request",
    `"${field}" is a ${type} block, which stands in ${whose} message alone.`,
    { details: { param: field } },
  );
}

function isThought(block: AnthropicBlock): block is AnthropicThought {
  return block.type === "thinking" || block.type === "redacted_thinking";
}

type ShownBlock = Exclude<
  AnthropicBlock,
  AnthropicThought | { readonly type: "tool_use" | "tool_result" }
>;

function toParts(block: ShownBlock, field: string): ContentPart[] {
  switch (block.type) {
    case "text":
      return [{ type: "text", text: block.text }];
    case "image":
      return [{ type: "image", image: imageFromImagePart(block, field) }];
    case "document":
      return documentParts(block, field);
    default:
      return block satisfies never;
  }
}

/**
 * What a document says, behind its title and what it is about.
 *
 * @throws PlatformError `unsupported_parameter` for pages, and for citations
 */
function documentParts(document: AnthropicDocument, field: string): ContentPart[] {
  const { source, title, context, citations } = document;
  if (citations?.enabled === true) throw unsupportedField(`${field}.citations.enabled`);
  const heads = [title, context].flatMap((text): ContentPart[] =>
    text == null || text === "" ? [] : [{ type: "text", text: `${text}\n` }],
  );
  if (source.type === "text") return [...heads, { type: "text", text: source.data }];
  if (source.type === "content") {
    const { content } = source;
    if (typeof content === "string") return [...heads, { type: "text", text: content }];
    const place = `${field}.source.content`;
    return [...heads, ...content.flatMap((block, at) => toParts(block, `${place}[${at}]`))];
  }
  throw new PlatformError(
    "unsupported_parameter",
    `"${field}" is a document with a source of the type "${source.type}"; no files of pages are read here. Send its text, or its pages as pictures.`,
    { details: { param: `${field}.source.type` } },
  );
}

const readInBlocks = {
  document: ["type", "source", "title", "context", "citations"],
  tool_use: ["type", "id", "name", "input"],
  tool_result: ["type", "tool_use_id", "content", "is_error"],
};

/** What messages and their blocks carry that nothing reads, each name once. */
export function ignoredInMessages({ messages, system }: CountTokensRequest): string[] {
  const ignored = messages.flatMap((message) => [
    ...ignoredIn(message, "messages[]", { known: ["role", "content"] }),
    ...ignoredInBlocks(message.content),
  ]);
  return [...new Set([...ignored, ...ignoredInParts(system, "system[]")])];
}

function ignoredInBlocks(content: AnthropicMessage["content"]): string[] {
  if (typeof content === "string") return [];
  const where = "messages[].content[]";
  return [
    ...content.filter(isThought).map(({ type }) => `${where}.${type}`),
    ...ignoredInParts(
      content.filter((block) => !isThought(block)),
      where,
      readInBlocks,
    ),
  ];
}

function refuseTooManyImages(messages: readonly AnthropicMessage[]): void {
  const numImages = messages
    .flatMap(({ content }) => (Array.isArray(content) ? content : []))
    .flatMap(withInner)
    .flatMap(withInner)
    .filter(({ type }) => type === "image").length;
  if (numImages <= requestLimits.maxImages) return;
  throw new PlatformError(
    "invalid_request",
    `The request has ${numImages} pictures; the most is ${requestLimits.maxImages}.`,
    { details: { param: "messages" } },
  );
}

type Typed = { readonly type: string };

/** A block, and those of a result or a document in its place. */
function withInner(block: Typed): readonly Typed[] {
  const { content, source } = block as {
    readonly content?: unknown;
    readonly source?: { readonly content?: unknown };
  };
  const inner = block.type === "document" ? source?.content : content;
  return Array.isArray(inner) ? (inner as Typed[]) : [block];
}
