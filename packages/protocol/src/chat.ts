/** `POST /v1/chat/completions`: OpenAI's words, with our `atalaya` object beside the usage. */
import { z } from "zod";
import { requestLimits } from "./limits.ts";
import { pictureParts } from "./pictures.ts";
import type { AnswerReceipt, OptionScore, Usage } from "./receipt.ts";
import { samplingFields } from "./sampling.ts";

const TextPart = z.looseObject({ type: z.enum(["text", "input_text"]), text: z.string() });

export const ChatContentPart = z.discriminatedUnion("type", [TextPart, ...pictureParts]);
export type ChatContentPart = z.infer<typeof ChatContentPart>;

export const ChatMessage = z.looseObject({
  role: z.enum(["system", "developer", "user", "assistant", "tool", "function"]),
  content: z
    .union([z.string(), z.array(ChatContentPart).max(requestLimits.maxPartsPerMessage)])
    .nullish(),
});
export type ChatMessage = z.infer<typeof ChatMessage>;

/** Ours: `keep` leaves the pictures of a turn where they stand between its texts. */
export const imageOrder = z.enum(["hoist", "keep"]).nullish();

/** Fields that are not here reach the server too: it refuses the known ones and lists the others. */
export const ChatCompletionRequest = z.looseObject({
  model: z.string().min(1),
  messages: z.array(ChatMessage).min(1).max(requestLimits.maxMessages),
  ...samplingFields,
  max_completion_tokens: z.int().min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(requestLimits.maxTopLogprobs).nullish(),
  image_order: imageOrder,
});
export type ChatCompletionRequest = z.infer<typeof ChatCompletionRequest>;

export type WireFinishReason = "stop" | "length";

export type ChatLogprob = {
  readonly token: string;
  readonly logprob: number;
  /** The token's own bytes: it may be half a character. */
  readonly bytes: readonly number[];
};

export type ChatLogprobs = {
  readonly content: readonly (ChatLogprob & { readonly top_logprobs: readonly ChatLogprob[] })[];
  readonly refusal: null;
};

export type ChatCompletion = {
  readonly id: string;
  readonly object: "chat.completion";
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  readonly choices: readonly {
    readonly index: number;
    readonly message: {
      readonly role: "assistant";
      readonly content: string;
      readonly refusal: null;
    };
    readonly logprobs: ChatLogprobs | null;
    readonly finish_reason: WireFinishReason;
    /** With `choices` in the request. */
    readonly options?: readonly OptionScore[];
  }[];
  readonly usage: Usage;
  readonly atalaya: AnswerReceipt;
};

export type ChatCompletionChunk = {
  readonly id: string;
  readonly object: "chat.completion.chunk";
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  /** Empty only in the usage chunk, which comes only when it was asked for. */
  readonly choices: readonly {
    readonly index: number;
    /** `content` is always there: some clients read it without looking. */
    readonly delta: { readonly role?: "assistant"; readonly content: string };
    readonly logprobs: ChatLogprobs | null;
    readonly finish_reason: WireFinishReason | null;
    readonly options?: readonly OptionScore[];
  }[];
  readonly usage?: Usage | null;
  /** In the finishing chunk. */
  readonly atalaya?: AnswerReceipt;
};
