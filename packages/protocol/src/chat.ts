/** `POST /v1/chat/completions`: OpenAI's words, with our `atalaya` object beside the usage. */
import { z } from "zod";
import { requestLimits } from "./limits.ts";
import { pictureParts } from "./pictures.ts";
import type { AnswerReceipt, OptionScore, Usage } from "./receipt.ts";
import { samplingFields } from "./sampling.ts";

const TextPart = z.looseObject({ type: z.enum(["text", "input_text"]), text: z.string() });

export const ChatContentPart = z.discriminatedUnion("type", [TextPart, ...pictureParts]);
export type ChatContentPart = z.infer<typeof ChatContentPart>;

/** `arguments` is the text of a JSON object, as OpenAI writes it; some clients send the object itself. */
const CalledFunction = z.looseObject({
  name: z.string(),
  arguments: z.union([z.string(), z.record(z.string(), z.unknown())]).nullish(),
});

export const ChatToolCall = z.looseObject({
  id: z.string().min(1).max(200),
  type: z.string().nullish(),
  function: CalledFunction.nullish(),
});
export type ChatToolCall = z.infer<typeof ChatToolCall>;

export const ChatMessage = z.looseObject({
  role: z.enum(["system", "developer", "user", "assistant", "tool", "function"]),
  content: z
    .union([z.string(), z.array(ChatContentPart).max(requestLimits.maxPartsPerMessage)])
    .nullish(),
  /** Of an assistant; those of an answer can be sent back as they are. */
  tool_calls: z.array(ChatToolCall).max(requestLimits.maxTools).readonly().nullish(),
  /** Of a tool's result. */
  tool_call_id: z.string().min(1).max(200).nullish(),
  /** What came before `tool_calls`. */
  function_call: CalledFunction.nullish(),
});
export type ChatMessage = z.infer<typeof ChatMessage>;

const DescribedFunction = z.looseObject({
  name: z.string(),
  description: z.string().nullish(),
  /** A JSON schema. */
  parameters: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish(),
});
export type DescribedFunction = z.infer<typeof DescribedFunction>;

/** Functions alone; other types are refused by name. */
export const chatTools = z
  .array(z.looseObject({ type: z.string(), function: DescribedFunction.nullish() }))
  .max(requestLimits.maxTools)
  .nullish();

const toolFields = {
  tools: chatTools,
  tool_choice: z
    .union([
      z.enum(["auto", "none", "required"]),
      z.looseObject({
        type: z.string(),
        function: z.looseObject({ name: z.string() }).nullish(),
      }),
    ])
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  /** What came before `tools` and `tool_choice`; answered in its own form. */
  functions: z.array(DescribedFunction).max(requestLimits.maxTools).nullish(),
  function_call: z.union([z.enum(["auto", "none"]), z.looseObject({ name: z.string() })]).nullish(),
} as const;

/** Ours: `keep` leaves the pictures of a turn where they stand between its texts. */
export const imageOrder = z.enum(["hoist", "keep"]).nullish();

/** Fields that are not here reach the server too: it refuses the known ones and lists the others. */
export const ChatCompletionRequest = z.looseObject({
  model: z.string().min(1),
  messages: z.array(ChatMessage).min(1).max(requestLimits.maxMessages),
  ...samplingFields,
  ...toolFields,
  max_completion_tokens: z.int().min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(requestLimits.maxTopLogprobs).nullish(),
  image_order: imageOrder,
});
export type ChatCompletionRequest = z.infer<typeof ChatCompletionRequest>;

export type WireFinishReason = "stop" | "length";

/** `function_call` where the request said `functions`. */
export type ChatFinishReason = WireFinishReason | "tool_calls" | "function_call";

export type ChatToolCallReply = {
  readonly id: string;
  readonly type: "function";
  readonly function: ChatFunctionCall;
};

export type ChatFunctionCall = {
  readonly name: string;
  /** The text of a JSON object. */
  readonly arguments: string;
};

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
      /** `null` beside calls. */
      readonly content: string | null;
      readonly refusal: null;
      readonly tool_calls?: readonly ChatToolCallReply[];
      readonly function_call?: ChatFunctionCall;
    };
    readonly logprobs: ChatLogprobs | null;
    readonly finish_reason: ChatFinishReason;
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
    readonly delta: {
      readonly role?: "assistant";
      readonly content: string;
      /** All of them, each whole, in the chunk with the finish reason. */
      readonly tool_calls?: readonly (ChatToolCallReply & { readonly index: number })[];
      readonly function_call?: ChatFunctionCall;
    };
    readonly logprobs: ChatLogprobs | null;
    readonly finish_reason: ChatFinishReason | null;
    readonly options?: readonly OptionScore[];
  }[];
  readonly usage?: Usage | null;
  /** In the finishing chunk. */
  readonly atalaya?: AnswerReceipt;
};
