/** `POST /v1/chat/completions`: OpenAI's words, with our `atalaya` object beside the usage. */
import { z } from "zod";
import { requestLimits } from "./limits.ts";
import { pictureParts } from "./pictures.ts";
import type { AnswerReceipt, OptionScore, Usage } from "./receipt.ts";
import { samplingFields } from "./sampling.ts";

const TextPart = z.looseObject({
  type: z.enum(["text", "input_text"]).describe("`text`, or what responses call it."),
  text: z.string().describe("The text. Whatever it looks like, it stays text."),
});

export const ChatContentPart = z.discriminatedUnion("type", [TextPart, ...pictureParts]);
export type ChatContentPart = z.infer<typeof ChatContentPart>;

/** `arguments` is the text of a JSON object, as OpenAI writes it; some clients send the object itself. */
const CalledFunction = z.looseObject({
  name: z.string().describe("Name of the function."),
  arguments: z
    .union([z.string(), z.record(z.string(), z.unknown())])
    .nullish()
    .describe(
      "The text of a JSON object; some clients send the object itself. No arguments when left out.",
    ),
});

export const ChatToolCall = z.looseObject({
  id: z.string().min(1).max(200).describe("Id of the call, which its result names."),
  type: z.string().nullish().describe("`function`, also when left out."),
  function: CalledFunction.nullish().describe("What was called, and with what."),
});
export type ChatToolCall = z.infer<typeof ChatToolCall>;

export const ChatMessage = z.looseObject({
  role: z
    .enum(["system", "developer", "user", "assistant", "tool", "function"])
    .describe(
      "Whose message it is. `developer` is `system`; `function` is the older form of `tool`.",
    ),
  content: z
    .union([z.string(), z.array(ChatContentPart).max(requestLimits.maxPartsPerMessage)])
    .nullish()
    .describe("A text, or up to 256 parts of text and pictures. May be left out beside calls."),
  tool_calls: z
    .array(ChatToolCall)
    .max(requestLimits.maxTools)
    .readonly()
    .nullish()
    .describe(
      "Calls of an assistant, at most 128; those of an answer can be sent back as they are.",
    ),
  tool_call_id: z
    .string()
    .min(1)
    .max(200)
    .nullish()
    .describe("Of a tool's result: id of the call that it answers."),
  function_call: CalledFunction.nullish().describe("What came before `tool_calls`: one call."),
});
export type ChatMessage = z.infer<typeof ChatMessage>;

const DescribedFunction = z.looseObject({
  name: z.string().describe("Name of the function, up to 128 letters, digits, `_`, `.` and `-`."),
  description: z.string().nullish().describe("What the function does, for the model."),
  parameters: z
    .record(z.string(), z.unknown())
    .nullish()
    .describe("JSON schema of the arguments. No arguments when left out."),
  strict: z
    .boolean()
    .nullish()
    .describe("Whether arguments are held to the schema. `false` when left out."),
});
export type DescribedFunction = z.infer<typeof DescribedFunction>;

/** Functions alone; other types are refused by name. */
export const chatTools = z
  .array(
    z.looseObject({
      type: z.string().describe("Always `function`; other types are refused by name."),
      function: DescribedFunction.nullish().describe("The function."),
    }),
  )
  .max(requestLimits.maxTools)
  .nullish();

const toolFields = {
  tools: chatTools.describe("Functions that the answer may call, at most 128. None when left out."),
  tool_choice: z
    .union([
      z.enum(["auto", "none", "required"]),
      z.looseObject({
        type: z.string().describe("Always `function`."),
        function: z
          .looseObject({ name: z.string().describe("Its name, which must be one of `tools`.") })
          .nullish()
          .describe("The function that must be called."),
      }),
    ])
    .nullish()
    .describe(
      "`auto`: the model decides; `none`: no call; `required`: some call; or the one that must be called. `auto` when left out.",
    ),
  parallel_tool_calls: z
    .boolean()
    .nullish()
    .describe(
      "Whether an answer may have several calls. When left out, as many as the model makes.",
    ),
  functions: z
    .array(DescribedFunction)
    .max(requestLimits.maxTools)
    .nullish()
    .describe("What came before `tools`; answered in its own form."),
  function_call: z
    .union([
      z.enum(["auto", "none"]),
      z.looseObject({ name: z.string().describe("Name of the function that must be called.") }),
    ])
    .nullish()
    .describe("What came before `tool_choice`. `auto` when left out."),
} as const;

/** Ours: `keep` leaves the pictures of a turn where they stand between its texts. */
export const imageOrder = z
  .enum(["hoist", "keep"])
  .nullish()
  .describe(
    "Ours: whether the pictures of a turn go in front of its text or stay where they are. `hoist` when left out.",
  );

/** Fields that are not here reach the server too: it refuses the known ones and lists the others. */
export const ChatCompletionRequest = z.looseObject({
  model: z.string().min(1).describe("Name of a running model, or one of its other names."),
  messages: z
    .array(ChatMessage)
    .min(1)
    .max(requestLimits.maxMessages)
    .describe("The conversation, 1 to 1,024 messages."),
  ...samplingFields,
  ...toolFields,
  max_completion_tokens: z
    .int()
    .min(1)
    .nullish()
    .describe("Tokens of the answer at most. As many as the context holds when left out."),
  logprobs: z
    .boolean()
    .nullish()
    .describe("Whether each token's log-probability is told. `false` when left out."),
  top_logprobs: z
    .int()
    .min(0)
    .max(requestLimits.maxTopLogprobs)
    .nullish()
    .describe("How many alternatives are told with each token; needs `logprobs`. 0 when left out."),
  image_order: imageOrder,
});
export type ChatCompletionRequest = z.infer<typeof ChatCompletionRequest>;

export type WireFinishReason = "stop" | "length";

/** `function_call` where the request said `functions`. */
export type ChatFinishReason = WireFinishReason | "tool_calls" | "function_call";

export type ChatToolCallReply = {
  /** Id of the call, for its result's `tool_call_id`. */
  readonly id: string;
  /** Always `function`. */
  readonly type: "function";
  /** What is called, and with what. */
  readonly function: ChatFunctionCall;
};

export type ChatFunctionCall = {
  /** Name of the function. */
  readonly name: string;
  /** The text of a JSON object. */
  readonly arguments: string;
};

export type ChatLogprob = {
  /** The token as text; half a character is shown as U+FFFD. */
  readonly token: string;
  /** Natural logarithm of its probability; at least -9999. */
  readonly logprob: number;
  /** The token's own bytes: it may be half a character. */
  readonly bytes: readonly number[];
};

export type ChatLogprobs = {
  /** One for each token of the answer. */
  readonly content: readonly (ChatLogprob & {
    /** The likeliest tokens in this place, as many as were asked for. */
    readonly top_logprobs: readonly ChatLogprob[];
  })[];
  /** Always `null`. */
  readonly refusal: null;
};

export type ChatCompletion = {
  /** Id of the answer, `chatcmpl-…`. */
  readonly id: string;
  /** Always `chat.completion`. */
  readonly object: "chat.completion";
  /** When it was asked for, in seconds since 1970. */
  readonly created: number;
  /** The model's name, as it was asked for. */
  readonly model: string;
  /** The answers, `n` of them. */
  readonly choices: readonly {
    /** Number of the answer, from 0. */
    readonly index: number;
    /** What the model said. */
    readonly message: {
      /** Always `assistant`. */
      readonly role: "assistant";
      /** The text; `null` beside calls. */
      readonly content: string | null;
      /** Always `null`. */
      readonly refusal: null;
      /** Calls of functions, in their order; absent when there are none. */
      readonly tool_calls?: readonly ChatToolCallReply[];
      /** The call, where the request had `functions`. */
      readonly function_call?: ChatFunctionCall;
    };
    /** With `logprobs` in the request, else `null`. */
    readonly logprobs: ChatLogprobs | null;
    /** `stop`: by itself or at a stop text; `length`: at the bound; or with calls. */
    readonly finish_reason: ChatFinishReason;
    /** With `choices` in the request: what each of the listed answers is worth. */
    readonly options?: readonly OptionScore[];
  }[];
  /** Tokens that were taken. */
  readonly usage: Usage;
  /** The receipt: what became of each picture and each field. */
  readonly atalaya: AnswerReceipt;
};

export type ChatCompletionChunk = {
  /** Id of the answer, the same in all its chunks. */
  readonly id: string;
  /** Always `chat.completion.chunk`. */
  readonly object: "chat.completion.chunk";
  /** When it was asked for, in seconds since 1970. */
  readonly created: number;
  /** The model's name, as it was asked for. */
  readonly model: string;
  /** One answer's next piece. Empty only in the usage chunk, which comes only when it was asked for. */
  readonly choices: readonly {
    /** Number of the answer, from 0. */
    readonly index: number;
    /** What is added. `content` is always there: some clients read it without looking. */
    readonly delta: {
      /** Always `assistant`; in an answer's first chunk. */
      readonly role?: "assistant";
      /** The next piece of the text, perhaps empty. */
      readonly content: string;
      /** All calls, each whole, in the chunk with the finish reason. */
      readonly tool_calls?: readonly (ChatToolCallReply & {
        /** Number of the call, from 0. */
        readonly index: number;
      })[];
      /** The call, where the request had `functions`. */
      readonly function_call?: ChatFunctionCall;
    };
    /** Of the tokens of this piece, with `logprobs` in the request; else `null`. */
    readonly logprobs: ChatLogprobs | null;
    /** Why the answer ended; `null` until its last chunk. */
    readonly finish_reason: ChatFinishReason | null;
    /** With `choices` in the request: what each of the listed answers is worth. */
    readonly options?: readonly OptionScore[];
  }[];
  /**
   * Tokens that were taken, in the last chunk when `stream_options.include_usage` asks for it;
   * `null` before.
   */
  readonly usage?: Usage | null;
  /** The receipt, in the chunk that ends the last answer. */
  readonly atalaya?: AnswerReceipt;
};
