/** Anthropic's `POST /v1/messages` and `/v1/messages/count_tokens`: blocks in, blocks and events out. */
import { z } from "zod";
import { imageOrder } from "./chat.ts";
import { requestLimits } from "./limits.ts";
import { ImagePart } from "./pictures.ts";
import type { AnswerReceipt } from "./receipt.ts";

const TextBlock = z.looseObject({
  type: z.literal("text").describe("Always `text`."),
  text: z.string().describe("The text. Whatever it looks like, it stays text."),
});

/** Text, blocks of text and pictures, or a file; a file of pages is refused with a sentence. */
const DocumentSource = z.discriminatedUnion("type", [
  z.looseObject({
    type: z.literal("text").describe("`text`: the text itself."),
    data: z.string().describe("The document's text."),
  }),
  z.looseObject({
    type: z.literal("content").describe("`content`: a text, or blocks of text and pictures."),
    content: z
      .union([
        z.string(),
        z
          .array(z.discriminatedUnion("type", [TextBlock, ImagePart]))
          .max(requestLimits.maxPartsPerMessage),
      ])
      .describe("A text, or blocks of text and pictures, at most 256."),
  }),
  z.looseObject({
    type: z
      .enum(["base64", "url", "file"])
      .describe("A file of pages, which is refused with a sentence."),
  }),
]);

const DocumentBlock = z.looseObject({
  type: z.literal("document").describe("Always `document`."),
  source: DocumentSource.describe("What the document says."),
  title: z
    .string()
    .nullish()
    .describe("A title, put in front of the document's text. None when left out."),
  context: z
    .string()
    .nullish()
    .describe("What the document is about, put behind its title. None when left out."),
  citations: z
    .looseObject({
      enabled: z.boolean().nullish().describe("`true` is refused: answers have no citations."),
    })
    .nullish()
    .describe("Whether the answer should cite the document."),
});
export type AnthropicDocument = z.infer<typeof DocumentBlock>;

/** What another model thought before it answered: left out, as Anthropic leaves out that of earlier turns. */
const ThinkingBlock = z.looseObject({
  type: z
    .enum(["thinking", "redacted_thinking"])
    .describe("What another model thought; it is left out, and listed as ignored."),
});

export type AnthropicThought = z.infer<typeof ThinkingBlock>;

const ToolUseBlock = z.looseObject({
  type: z.literal("tool_use").describe("Always `tool_use`."),
  id: z.string().min(1).max(200).describe("Id of the call, which its `tool_result` names."),
  name: z.string().describe("Name of the tool that was called."),
  input: z
    .record(z.string(), z.unknown())
    .nullish()
    .describe("Arguments of the call. An empty object when left out."),
});

const ToolResultBlock = z.looseObject({
  type: z.literal("tool_result").describe("Always `tool_result`."),
  tool_use_id: z.string().min(1).max(200).describe("Id of the call that this is the result of."),
  content: z
    .union([
      z.string(),
      z
        .array(z.discriminatedUnion("type", [TextBlock, ImagePart, DocumentBlock]))
        .max(requestLimits.maxPartsPerMessage),
    ])
    .nullish()
    .describe(
      "What the tool returned: a text, or blocks of text, pictures and documents. Nothing when left out.",
    ),
  is_error: z
    .boolean()
    .nullish()
    .describe(
      "Whether the tool failed; the model is then told `Error:` in front. `false` when left out.",
    ),
});
export type AnthropicToolResult = z.infer<typeof ToolResultBlock>;

const ContentBlock = z.discriminatedUnion("type", [
  TextBlock,
  ImagePart,
  DocumentBlock,
  ThinkingBlock,
  ToolUseBlock,
  ToolResultBlock,
]);
export type AnthropicBlock = z.infer<typeof ContentBlock>;

export const AnthropicMessage = z.looseObject({
  role: z
    .enum(["user", "assistant", "system"])
    .describe("Whose turn it is. The last message must not be the assistant's."),
  content: z
    .union([z.string(), z.array(ContentBlock).max(requestLimits.maxPartsPerMessage)])
    .describe("A text, or blocks, at most 256."),
});
export type AnthropicMessage = z.infer<typeof AnthropicMessage>;

const toolFields = {
  tools: z
    .array(
      z.looseObject({
        type: z.string().nullish().describe("`custom`, or left out."),
        name: z.string().describe("Name of the tool, up to 128 letters, digits, `_`, `.` and `-`."),
        description: z.string().nullish().describe("What the tool does, for the model."),
        input_schema: z
          .record(z.string(), z.unknown())
          .nullish()
          .describe("JSON schema of the arguments."),
        strict: z
          .boolean()
          .nullish()
          .describe("Whether arguments are held to the schema. `false` when left out."),
      }),
    )
    .max(requestLimits.maxTools)
    .nullish()
    .describe(
      "Functions of the caller's that the answer may call, at most 128. Tools that run at Anthropic's are refused by name.",
    ),
  tool_choice: z
    .looseObject({
      type: z
        .enum(["auto", "any", "tool", "none"])
        .describe(
          "`auto`: the model decides; `any`: some tool; `tool`: the named one; `none`: no tool.",
        ),
      name: z.string().nullish().describe("Name of the tool, with `tool`."),
      disable_parallel_tool_use: z
        .boolean()
        .nullish()
        .describe(
          "Whether an answer has one call at most. When left out, as many as the model makes.",
        ),
    })
    .nullish()
    .describe("Whether a tool is called. `auto` when left out."),
} as const;

const outputFormat = z
  .looseObject({
    type: z.literal("json_schema").describe("Always `json_schema`."),
    schema: z.record(z.string(), z.unknown()).describe("JSON schema that the answer is held to."),
  })
  .nullish();

const prompt = {
  model: z.string().min(1).describe("Name of a running model, or one of its other names."),
  messages: z
    .array(AnthropicMessage)
    .min(1)
    .max(requestLimits.maxMessages)
    .describe("The conversation, 1 to 1,024 messages."),
  system: z
    .union([z.string(), z.array(TextBlock).max(requestLimits.maxPartsPerMessage)])
    .nullish()
    .describe("System text, or blocks of it. None when left out."),
  ...toolFields,
  output_config: z
    .looseObject({
      effort: z
        .string()
        .nullish()
        .describe("Taken, changes nothing, and is listed as ignored unless it is `high`."),
      format: outputFormat.describe("Form of the answer; free text when left out."),
    })
    .nullish()
    .describe("What the answer must look like."),
  output_format: outputFormat.describe("Form of the answer, where earlier clients say it."),
  thinking: z
    .looseObject({
      type: z
        .enum(["enabled", "disabled", "adaptive"])
        .describe("`enabled`, `disabled` or `adaptive`; none of them changes the answer."),
      budget_tokens: z
        .int()
        .min(1)
        .nullish()
        .describe(
          "Tokens to think, at least 1. None are spent: all of `max_tokens` is the answer's.",
        ),
      display: z.string().nullish().describe("How thoughts are to be shown; there are none."),
    })
    .nullish()
    .describe(
      "No model here thinks before it answers: taken, and listed as ignored when it is `enabled`.",
    ),
  metadata: z
    .looseObject({
      user_id: z
        .string()
        .max(1_024)
        .nullish()
        .describe("Whose request it is, at most 1,024 characters."),
    })
    .nullish()
    .describe("The caller's own notes; nothing depends on them."),
  image_order: imageOrder,
} as const;

export const CountTokensRequest = z.looseObject(prompt);
export type CountTokensRequest = z.infer<typeof CountTokensRequest>;

export const MessagesRequest = z.looseObject({
  ...prompt,
  max_tokens: z
    .int()
    .min(1)
    .describe(
      "Tokens of the answer at most. It is a bound: less is generated where the context ends first.",
    ),
  temperature: z
    .number()
    .min(0)
    .max(2)
    .nullish()
    .describe("0 is greedy, more is more varied. The checkpoint's own when left out."),
  top_p: z
    .number()
    .gt(0)
    .max(1)
    .nullish()
    .describe(
      "Keeps the likeliest tokens whose probabilities reach this sum. The checkpoint's own when left out.",
    ),
  top_k: z
    .int()
    .min(0)
    .nullish()
    .describe(
      "Keeps so many of the likeliest tokens; 0 keeps all. The checkpoint's own when left out.",
    ),
  stop_sequences: z
    .array(z.string().min(1).max(requestLimits.maxStopLength))
    .max(requestLimits.maxStops)
    .nullish()
    .describe("Up to 4 texts, of 256 characters each, that end the answer. None when left out."),
  stream: z
    .boolean()
    .nullish()
    .describe("Whether the answer comes as server-sent events. `false` when left out."),
});
export type MessagesRequest = z.infer<typeof MessagesRequest>;

export type AnthropicUsage = {
  /** Image tokens are in it as one each; what cross-attention reads is in the receipt. */
  readonly input_tokens: number;
  /** Tokens of the answer. */
  readonly output_tokens: number;
  /** Always 0: what is cached is not charged apart. */
  readonly cache_creation_input_tokens: 0;
  /** Always 0: what is cached is not charged apart. */
  readonly cache_read_input_tokens: 0;
};

export type AnthropicStopReason =
  | "end_turn"
  | "max_tokens"
  | "stop_sequence"
  | "tool_use"
  | "model_context_window_exceeded";

export type AnthropicTextBlock = {
  /** Always `text`. */
  readonly type: "text";
  /** What the model said; empty at the start of a streamed block. */
  readonly text: string;
};

export type AnthropicToolUse = {
  /** Always `tool_use`. */
  readonly type: "tool_use";
  /** Id of the call, for its `tool_result`. */
  readonly id: string;
  /** Name of the tool that is called. */
  readonly name: string;
  /** Arguments of the call; empty at the start of a streamed block. */
  readonly input: Readonly<Record<string, unknown>>;
};

export type AnthropicAnswer = {
  /** Id of the answer, `msg_…`. */
  readonly id: string;
  /** Always `message`. */
  readonly type: "message";
  /** Always `assistant`. */
  readonly role: "assistant";
  /** The model's name, as it was asked for. */
  readonly model: string;
  /** A text, or the calls of tools. */
  readonly content: readonly (AnthropicTextBlock | AnthropicToolUse)[];
  /** Why the answer ended; `null` while it is streamed. */
  readonly stop_reason: AnthropicStopReason | null;
  /** The text of `stop_sequences` that ended it, or `null`. */
  readonly stop_sequence: string | null;
  /** Tokens that were taken. */
  readonly usage: AnthropicUsage;
  /** The receipt: what became of each picture and each field. Not in `message_start`. */
  readonly atalaya?: AnswerReceipt;
};

/** In this order: start; of each block its start, its deltas and its stop; delta, stop. */
export type AnthropicEvent =
  | {
      /** The answer begins. */
      readonly type: "message_start";
      /** The answer, without content so far. */
      readonly message: AnthropicAnswer;
    }
  | {
      /** A block begins. */
      readonly type: "content_block_start";
      /** Number of the block, from 0. */
      readonly index: number;
      /** The block, still empty. */
      readonly content_block: AnthropicTextBlock | AnthropicToolUse;
    }
  | {
      /** A block goes on. */
      readonly type: "content_block_delta";
      /** Number of the block, from 0. */
      readonly index: number;
      /** What is added to the block. */
      readonly delta:
        | {
            /** `text_delta` of a text. */
            readonly type: "text_delta";
            /** The next piece of the text. */
            readonly text: string;
          }
        | {
            /** `input_json_delta` of a call. */
            readonly type: "input_json_delta";
            /** The arguments, as the text of a JSON object. */
            readonly partial_json: string;
          };
    }
  | {
      /** A block is complete. */
      readonly type: "content_block_stop";
      /** Number of the block, from 0. */
      readonly index: number;
    }
  | {
      /** The answer is complete. */
      readonly type: "message_delta";
      /** Why the answer ended. */
      readonly delta: Pick<AnthropicAnswer, "stop_reason" | "stop_sequence">;
      /** Tokens that were taken, all together. */
      readonly usage: AnthropicUsage;
      /** The receipt: what became of each picture and each field. */
      readonly atalaya: AnswerReceipt;
    }
  | {
      /** No event follows. */
      readonly type: "message_stop";
    };

/** Of `POST /v1/messages/count_tokens`. */
export type AnthropicTokenCount = {
  /** Tokens of the prompt as the model would be given it, each picture's marker as one. */
  readonly input_tokens: number;
};

export type AnthropicError = {
  /** Always `error`. */
  readonly type: "error";
  /** What went wrong. */
  readonly error: {
    /** Anthropic's name for this kind of failure. */
    readonly type:
      | "invalid_request_error"
      | "authentication_error"
      | "permission_error"
      | "not_found_error"
      | "request_too_large"
      | "rate_limit_error"
      | "api_error"
      | "overloaded_error"
      | "timeout_error";
    /** For a person: what happened, with the values, then what to do. */
    readonly message: string;
    /** Ours, and stable; see the table of errors. */
    readonly code: string;
  };
  /** Id of the request, also in the logs. */
  readonly request_id: string;
};
