/** Ollama's words → ours. Pure; the other direction is `to-ollama.ts`. */
import {
  type OllamaChatRequest,
  type OllamaGenerateRequest,
  type OllamaMessage,
  OllamaOptions,
  type PictureData,
} from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import type {
  AnswerForm,
  ChatMessage,
  ContentPart,
  GenerateRequest,
  SamplingParams,
} from "../../../generation/request.ts";
import type { ToolCall } from "../../../generation/tools.ts";
import type { ModelFacts } from "../../../supervisor/router.ts";
import { checkFields, unsupportedField } from "../../known-fields.ts";
import { imageFromData } from "../../picture-part.ts";
import { ignoredInTools, toToolOffer } from "../../tool-offer.ts";
import { optionHints, unsupportedByMessages, unsupportedOptions } from "./fields.ts";

/** A request, and the names of fields inside it that nothing reads. */
export type Translated = {
  readonly request: GenerateRequest;
  readonly ignoredFields: readonly string[];
};

/** @throws PlatformError `invalid_request`, `unsupported_parameter`, `invalid_image` */
export function fromOllamaChat(body: OllamaChatRequest, about: ModelFacts): Translated {
  const { sampling, ignoredFields } = toSampling(body, about);
  const messages = body.messages ?? [];
  const ignoredInside = messages.flatMap((message, index) => ignoredInMessage(message, index));
  return {
    request: {
      prompt: {
        type: "chat",
        messages: toMessages(messages),
        tools: toToolOffer(body),
        imageOrder: body.image_order ?? undefined,
      },
      sampling,
      form: toForm(body.format),
    },
    ignoredFields: [...ignoredFields, ...ignoredInTools(body), ...new Set(ignoredInside)],
  };
}

/**
 * A prompt for the chat template, or, `raw` and for base models, as it is.
 *
 * @throws PlatformError `invalid_request`, `unsupported_parameter`, `invalid_image`
 */
export function fromOllamaGenerate(body: OllamaGenerateRequest, about: ModelFacts): Translated {
  const { sampling, ignoredFields } = toSampling(body, about);
  const images = (body.images ?? []).map((data, index) => imageFromData(data, `images[${index}]`));
  const text = body.prompt ?? "";
  const system = body.system ?? "";
  const form = toForm(body.format);
  if (body.raw === true || !about.hasChatTemplate) {
    if (system !== "") {
      throw new PlatformError(
        "invalid_request",
        '"system" needs a chat template, and a raw prompt or a base model has none. Put it into "prompt".',
        { details: { param: "system" } },
      );
    }
    return {
      request: { prompt: { type: "raw", text, images, bos: "auto" }, sampling, form },
      ignoredFields,
    };
  }
  const content: ContentPart[] = [
    ...images.map((image): ContentPart => ({ type: "image", image })),
    { type: "text", text },
  ];
  const messages: ChatMessage[] = [{ role: "user", content }];
  if (system !== "")
    messages.unshift({ role: "system", content: [{ type: "text", text: system }] });
  return { request: { prompt: { type: "chat", messages }, sampling, form }, ignoredFields };
}

function toForm(format: OllamaChatRequest["format"]): AnswerForm | undefined {
  if (format == null || format === "" || Object.keys(format).length === 0) return undefined;
  if (format === "json") return { type: "json-object", field: "format" };
  return { type: "json-schema", schema: format, field: "format" };
}

/** Calls have no ids in most of this dialect: a result is that of the first open call of its function. */
function toMessages(messages: readonly OllamaMessage[]): ChatMessage[] {
  const turns: ChatMessage[] = [];
  let open: ToolCall[] = [];
  for (const [index, message] of messages.entries()) {
    const parts = toParts(message, index);
    if (message.role === "tool") {
      const id = callOf(message, open);
      open = open.filter((call) => call.id !== id);
      const field = `messages[${index}]`;
      turns.push({
        role: "tool",
        content: parts,
        field,
        ...(id !== undefined && { toolCallId: id }),
      });
      continue;
    }
    const calls = toCalls(message, turns.length);
    open.push(...calls);
    turns.push({
      role: message.role,
      content: parts,
      ...(calls.length > 0 && { toolCalls: calls, field: `messages[${index}].tool_calls` }),
    });
  }
  return turns;
}

/** The first that is open where a result says no more. */
function callOf(
  { tool_call_id: id, tool_name: name }: OllamaMessage,
  open: readonly ToolCall[],
): string | undefined {
  if (id != null && id !== "") return id;
  if (name == null || name === "") return open[0]?.id;
  return open.find((call) => call.name === name)?.id ?? name;
}

function toCalls({ role, tool_calls: calls }: OllamaMessage, turn: number): ToolCall[] {
  if (role !== "assistant") return [];
  return (calls ?? []).map(({ id, function: { name, arguments: sent } }, index) => ({
    id: id == null || id === "" ? `call_${turn}_${index}` : id,
    name,
    arguments: typeof sent === "string" && sent.trim() !== "" ? sent : JSON.stringify(sent || {}),
  }));
}

function toParts({ content, images }: OllamaMessage, index: number): ContentPart[] {
  return [...toImages(images ?? [], index), { type: "text", text: content ?? "" }];
}

function toImages(images: readonly PictureData[], messageIndex: number): ContentPart[] {
  return images.map((data, index) => ({
    type: "image",
    image: imageFromData(data, `messages[${messageIndex}].images[${index}]`),
  }));
}

function ignoredInMessage(message: OllamaMessage, index: number): string[] {
  try {
    const known = ["role", "content", "images", "tool_calls", "tool_name", "tool_call_id"];
    return checkFields(message, { known, unsupported: unsupportedByMessages }).map(
      (field) => `messages[].${field}`,
    );
  } catch (error) {
    const field = error instanceof PlatformError ? error.details["param"] : undefined;
    throw typeof field === "string" ? unsupportedField(`messages[${index}].${field}`) : error;
  }
}

type SamplingBody = Pick<OllamaChatRequest, "options" | "logprobs" | "top_logprobs">;

function toSampling(
  { options, logprobs, top_logprobs: numAlternatives }: SamplingBody,
  about: ModelFacts,
): { readonly sampling: SamplingParams; readonly ignoredFields: readonly string[] } {
  const given: OllamaOptions = options ?? {};
  const ignoredFields = ignoredOptions(given);
  refuseLargerContext(given.num_ctx ?? 0, about.contextLength);
  if ((numAlternatives ?? 0) > 0 && logprobs !== true) {
    throw new PlatformError("invalid_request", '"top_logprobs" needs "logprobs": true beside it.', {
      details: { param: "top_logprobs" },
    });
  }
  const { defaultSampling: defaults } = about;
  const numPredict = given.num_predict ?? -1;
  if (numPredict === 0) {
    throw new PlatformError(
      "invalid_request",
      '"options.num_predict" is 0; it must be 1 or more, or -1 for as many tokens as the context holds.',
      { details: { param: "options.num_predict" } },
    );
  }
  return {
    ignoredFields,
    sampling: {
      maxTokens: numPredict < 0 ? undefined : numPredict,
      // Ollama's answers end where the context does, whatever was asked for.
      fitMaxTokens: true,
      temperature: given.temperature ?? defaults.temperature,
      topK: given.top_k == null ? defaults.topK : Math.max(given.top_k, 0),
      // 0 keeps the likeliest token alone, which the smallest sum above 0 does.
      topP: Math.max(given.top_p ?? defaults.topP, Number.EPSILON),
      minP: given.min_p ?? defaults.minP,
      presencePenalty: given.presence_penalty ?? 0,
      frequencyPenalty: given.frequency_penalty ?? 0,
      repetitionPenalty: given.repeat_penalty ?? defaults.repetitionPenalty,
      seed: given.seed ?? undefined,
      stop: typeof given.stop === "string" ? [given.stop] : (given.stop ?? []),
      logprobs: logprobs === true ? (numAlternatives ?? 0) : undefined,
    },
  };
}

/** How a model is loaded is decided at its launch: those options are listed, not refused. */
function ignoredOptions(options: OllamaOptions): string[] {
  const known = Object.keys(OllamaOptions.shape);
  // How far back a penalty looks matters only when there is one; ours looks at everything.
  const hasPenalty = (options.repeat_penalty ?? 1) !== 1;
  const unsupported = hasPenalty
    ? { ...unsupportedOptions, repeat_last_n: (value: unknown) => value === -1 }
    : unsupportedOptions;
  try {
    return checkFields(options, { known, unsupported, hints: optionHints }).map(
      (field) => `options.${field}`,
    );
  } catch (error) {
    const field = error instanceof PlatformError ? error.details["param"] : undefined;
    throw typeof field === "string" ? unsupportedField(`options.${field}`) : error;
  }
}

function refuseLargerContext(wanted: number, contextLength: number): void {
  if (wanted <= contextLength) return;
  throw new PlatformError(
    "context_length_exceeded",
    `"options.num_ctx" is ${wanted}; this model was launched with a context of ${contextLength} tokens. Leave it out, or launch the model with a larger --max-model-len.`,
    { details: { param: "options.num_ctx" } },
  );
}
