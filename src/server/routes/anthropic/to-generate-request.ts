/** Anthropic's words → ours. Pure; the other direction is `to-message.ts`. */
import {
  type AnthropicBlock,
  type AnthropicMessage,
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
import type { DefaultSampling } from "../../../supervisor/default-sampling.ts";
import { ignoredIn } from "../../known-fields.ts";
import { ignoredInParts, imageFromImagePart } from "../../picture-part.ts";

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
  const turns = messages.map(toMessage);
  return {
    type: "chat",
    messages: system == null ? turns : [systemTurn(system), ...turns],
    imageOrder: body.image_order ?? undefined,
  };
}

function systemTurn(system: NonNullable<CountTokensRequest["system"]>): ChatMessage {
  const text = typeof system === "string" ? system : system.map((block) => block.text).join("\n\n");
  return { role: "system", content: [{ type: "text", text }] };
}

function toMessage({ role, content }: AnthropicMessage, index: number): ChatMessage {
  if (typeof content === "string") return { role, content: [{ type: "text", text: content }] };
  return {
    role,
    content: content.map((block, blockIndex) =>
      toPart(block, `messages[${index}].content[${blockIndex}]`),
    ),
  };
}

function toPart(block: AnthropicBlock, field: string): ContentPart {
  return block.type === "text"
    ? { type: "text", text: block.text }
    : { type: "image", image: imageFromImagePart(block, field) };
}

/** What messages and their blocks carry that nothing reads, each name once. */
export function ignoredInMessages({ messages, system }: CountTokensRequest): string[] {
  const ignored = messages.flatMap((message) => [
    ...ignoredIn(message, "messages[]", { known: ["role", "content"] }),
    ...ignoredInParts(message.content, "messages[].content[]"),
  ]);
  return [...new Set([...ignored, ...ignoredInParts(system, "system[]")])];
}

function refuseTooManyImages(messages: readonly AnthropicMessage[]): void {
  const numImages = messages
    .flatMap(({ content }) => (Array.isArray(content) ? content : []))
    .filter(({ type }) => type === "image").length;
  if (numImages <= requestLimits.maxImages) return;
  throw new PlatformError(
    "invalid_request",
    `The request has ${numImages} pictures; the most is ${requestLimits.maxImages}.`,
    { details: { param: "messages" } },
  );
}
