/** OpenAI's words → ours. Pure; the other direction is `to-chat.ts` and `to-completion.ts`. */
import {
  type ChatCompletionRequest,
  type ChatContentPart,
  type CompletionRequest,
  requestLimits,
  type ChatMessage as WireMessage,
} from "@atalaya/protocol";
import { PlatformError } from "../../../base/errors.ts";
import type {
  ChatMessage,
  ContentPart,
  GenerateRequest,
  RawPrompt,
  SamplingParams,
} from "../../../generation/request.ts";
import type { DefaultSampling } from "../../../supervisor/default-sampling.ts";
import { toAnswerForm, toAnswerOptions } from "../../answer-form.ts";
import { ignoredIn, isEmpty } from "../../known-fields.ts";
import { ignoredInParts, imageFromData, imageFromPart, isTextPart } from "../../picture-part.ts";
import { toToolCalls, toToolOffer } from "../../tool-offer.ts";

/** What plain completions generate when `max_tokens` is left out: OpenAI's documented 16. */
const defaultCompletionTokens = 16;

/** @throws PlatformError `invalid_request`, `unsupported_parameter`, `invalid_image` */
export function fromChatRequest(
  body: ChatCompletionRequest,
  defaults: DefaultSampling,
): GenerateRequest {
  refuseTooManyImages(body.messages);
  const numAlternatives = body.top_logprobs ?? 0;
  if (numAlternatives > 0 && body.logprobs !== true) {
    throw new PlatformError("invalid_request", '"top_logprobs" needs "logprobs": true beside it.', {
      details: { param: "top_logprobs" },
    });
  }
  return {
    prompt: {
      type: "chat",
      messages: body.messages.map(toMessage),
      imageOrder: body.image_order ?? undefined,
      tools: toToolOffer(body),
    },
    sampling: {
      ...toSampling(body, defaults),
      maxTokens: body.max_completion_tokens ?? body.max_tokens ?? undefined,
      logprobs: body.logprobs === true ? numAlternatives : undefined,
    },
    ...toChoices(body),
  };
}

function toChoices(
  body: ChatCompletionRequest | CompletionRequest,
): Pick<GenerateRequest, "form" | "options" | "numChoices"> {
  const options = toAnswerOptions(body);
  if (options !== undefined && (body.n ?? 1) > 1) {
    throw new PlatformError("invalid_request", '"choices" gives one answer; "n" must be 1.', {
      details: { param: "n" },
    });
  }
  return { form: toAnswerForm(body), options, numChoices: body.n ?? 1 };
}

/**
 * One request for each prompt.
 *
 * @throws PlatformError `invalid_request`, `unsupported_parameter`, `invalid_image`
 */
export function fromCompletionRequest(
  body: CompletionRequest,
  defaults: DefaultSampling,
): readonly [GenerateRequest, ...GenerateRequest[]] {
  const [first, ...others] = promptsOf(body);
  refuseTooMuch(body, others.length + 1);
  const images = (body.images ?? []).map((image, index) =>
    imageFromData(image, `images[${index}]`),
  );
  const rest = {
    sampling: {
      ...toSampling(body, defaults),
      maxTokens: body.max_tokens ?? defaultCompletionTokens,
      logprobs: body.logprobs ?? undefined,
    },
    ...toChoices(body),
    ...toCandidates(body),
    echoesPrompt: body.echo === true,
    reportsPrompt: body.echo === true && body.logprobs != null,
  };
  const toRequest = (text: RawPrompt["text"]): GenerateRequest => ({
    prompt: { type: "raw", text, images, bos: "auto" },
    ...rest,
  });
  return [toRequest(first), ...others.map(toRequest)];
}

/** A text or token ids, or a list of either. A list of one is as good as its member. */
function promptsOf({
  prompt,
}: CompletionRequest): readonly [RawPrompt["text"], ...RawPrompt["text"][]] {
  if (typeof prompt === "string") return [prompt];
  if (isListOfNumbers(prompt)) return [{ tokenIds: prompt, field: "prompt" }];
  const [first = "", ...others] = prompt.map((one, index) =>
    typeof one === "string" ? one : { tokenIds: one, field: `prompt[${index}]` },
  );
  return [first, ...others];
}

function isListOfNumbers(
  prompt: readonly (string | number | readonly number[])[],
): prompt is readonly number[] {
  return typeof prompt[0] === "number";
}

function refuseTooMuch(body: CompletionRequest, numPrompts: number): void {
  if (numPrompts === 1) return;
  const refused = (param: string, message: string): PlatformError =>
    new PlatformError("invalid_request", message, { details: { param } });
  if ((body.images ?? []).length > 0) {
    throw refused(
      "images",
      `"images" belong to one prompt, and "prompt" has ${numPrompts}. Send a request for each.`,
    );
  }
  const [field, perPrompt] = body.best_of == null ? ["n", body.n ?? 1] : ["best_of", body.best_of];
  const numAnswers = numPrompts * perPrompt;
  if (numAnswers <= requestLimits.maxAnswers) return;
  throw refused(
    "prompt",
    `${numPrompts} prompts with "${field}" ${perPrompt} are ${numAnswers} answers; one request takes at most ${requestLimits.maxAnswers}. Send fewer prompts in one request.`,
  );
}

function toCandidates(body: CompletionRequest): Pick<GenerateRequest, "bestOf"> {
  const { best_of: bestOf, n, stream, max_tokens: maxTokens, echo } = body;
  if (maxTokens === 0 && echo !== true) {
    throw new PlatformError(
      "invalid_request",
      '"max_tokens" is 0; it must be 1 or more, unless "echo" asks for the prompt alone.',
      { details: { param: "max_tokens" } },
    );
  }
  if (bestOf == null) return {};
  const refusal =
    bestOf < (n ?? 1)
      ? `"best_of" is ${bestOf}; it must be at least "n", which is ${n ?? 1}.`
      : stream === true && bestOf > (n ?? 1)
        ? '"best_of" compares whole answers; it cannot be streamed.'
        : undefined;
  if (refusal === undefined) return { bestOf };
  throw new PlatformError("invalid_request", refusal, { details: { param: "best_of" } });
}

function toSampling(
  body: ChatCompletionRequest | CompletionRequest,
  defaults: DefaultSampling,
): Omit<SamplingParams, "maxTokens" | "logprobs"> {
  if (body.stream_options != null && body.stream !== true) {
    throw new PlatformError("invalid_request", '"stream_options" needs "stream": true beside it.', {
      details: { param: "stream_options" },
    });
  }
  return {
    temperature: body.temperature ?? defaults.temperature,
    topK: body.top_k == null ? defaults.topK : Math.max(body.top_k, 0),
    topP: body.top_p ?? defaults.topP,
    minP: body.min_p ?? defaults.minP,
    presencePenalty: body.presence_penalty ?? 0,
    frequencyPenalty: body.frequency_penalty ?? 0,
    repetitionPenalty: body.repetition_penalty ?? defaults.repetitionPenalty,
    seed: body.seed ?? undefined,
    stop: typeof body.stop === "string" ? [body.stop] : (body.stop ?? []),
    minTokens: body.min_tokens ?? 0,
    ignoreEos: body.ignore_eos === true,
    stopTokenIds: body.stop_token_ids ?? [],
    logitBias: toLogitBias(body.logit_bias ?? {}),
  };
}

function toLogitBias(
  biases: Readonly<Record<string, number>>,
): NonNullable<SamplingParams["logitBias"]> {
  const entries = Object.entries(biases);
  const refused = (message: string): PlatformError =>
    new PlatformError("invalid_request", message, { details: { param: "logit_bias" } });
  if (entries.length > requestLimits.maxBiases) {
    throw refused(
      `"logit_bias" has ${entries.length} entries; at most ${requestLimits.maxBiases} are accepted.`,
    );
  }
  return entries.map(([key, bias]) => {
    if (!/^\d{1,9}$/.test(key)) {
      throw refused(
        `"logit_bias" names ${JSON.stringify(key.slice(0, 40))}; it must be a token id.`,
      );
    }
    return { tokenId: Number(key), bias };
  });
}

function toMessage(message: WireMessage, index: number): ChatMessage {
  const field = `messages[${index}]`;
  const { role, content } = message;
  const toolCalls = toToolCalls(message, field);
  if (toolCalls !== undefined && role !== "assistant") {
    throw new PlatformError(
      "invalid_request",
      `"${field}" is the ${role}'s and has calls; only an assistant's message has.`,
      { details: { param: field } },
    );
  }
  if (content == null && role !== "assistant") {
    throw new PlatformError(
      "invalid_request",
      `"${field}.content" is ${content === null ? "null" : "missing"}; it must be text or a list of parts.`,
      { details: { param: `${field}.content` } },
    );
  }
  const parts = toParts(content ?? "", `${field}.content`);
  if (role === "tool" || role === "function") return toResult(message, parts, field);
  return {
    // OpenAI's newer models call the system role "developer".
    role: role === "developer" ? "system" : role,
    content: parts,
    ...(toolCalls !== undefined && { toolCalls, field: `${field}.tool_calls` }),
  };
}

function toResult(
  { role, tool_call_id: id, name }: WireMessage,
  content: readonly ContentPart[],
  field: string,
): ChatMessage {
  // The older form tells its calls apart by the function's name.
  const [key, callId] = role === "tool" ? ["tool_call_id", id] : ["name", name];
  if (typeof callId !== "string") {
    throw new PlatformError(
      "invalid_request",
      `"${field}.${key}" is missing; it must say which call this is the result of.`,
      { details: { param: `${field}.${key}` } },
    );
  }
  return { role: "tool", content, toolCallId: callId, field: `${field}.${key}` };
}

/** What messages and their parts carry that nothing reads, each name once: `messages[].name`. */
export function ignoredInMessages(messages: readonly WireMessage[]): string[] {
  const ignored = messages.flatMap((message) => [
    ...ignoredIn(message, "messages[]", {
      // A result of the older form says by it whose it is.
      known: message.role === "function" ? [...readInMessages, "name"] : readInMessages,
      hints: nothingInMessages,
    }),
    ...ignoredInParts(message.content, "messages[].content[]"),
  ]);
  return [...new Set(ignored)];
}

const readInMessages = ["role", "content", "tool_calls", "tool_call_id", "function_call"];

/** What an answer of ours has, and clients send back. */
const nothingInMessages = { refusal: isEmpty, annotations: isEmpty, audio: isEmpty };

function toParts(content: string | readonly ChatContentPart[], field: string): ContentPart[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return content.map((part, index) =>
    isTextPart(part)
      ? { type: "text", text: part.text }
      : { type: "image", image: imageFromPart(part, `${field}[${index}]`) },
  );
}

function refuseTooManyImages(messages: readonly WireMessage[]): void {
  const numImages = messages
    .flatMap(({ content }) => (Array.isArray(content) ? content : []))
    .filter((part) => !isTextPart(part)).length;
  if (numImages > requestLimits.maxImages) {
    throw new PlatformError(
      "invalid_request",
      `The request has ${numImages} pictures; the most is ${requestLimits.maxImages}.`,
      { details: { param: "messages" } },
    );
  }
}
