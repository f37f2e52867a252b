/** Anthropic's `POST /v1/messages` and `/v1/messages/count_tokens`: blocks in, blocks and events out. */
import { z } from "zod";
import { imageOrder } from "./chat.ts";
import { requestLimits } from "./limits.ts";
import { ImagePart } from "./pictures.ts";
import type { AnswerReceipt } from "./receipt.ts";

const TextBlock = z.looseObject({ type: z.literal("text"), text: z.string() });

/** Text, blocks of text and pictures, or a file; a file of pages is refused with a sentence. */
const DocumentSource = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("text"), data: z.string() }),
  z.looseObject({
    type: z.literal("content"),
    content: z.union([
      z.string(),
      z
        .array(z.discriminatedUnion("type", [TextBlock, ImagePart]))
        .max(requestLimits.maxPartsPerMessage),
    ]),
  }),
  z.looseObject({ type: z.enum(["base64", "url", "file"]) }),
]);

const DocumentBlock = z.looseObject({
  type: z.literal("document"),
  source: DocumentSource,
  title: z.string().nullish(),
  context: z.string().nullish(),
  citations: z.looseObject({ enabled: z.boolean().nullish() }).nullish(),
});
export type AnthropicDocument = z.infer<typeof DocumentBlock>;

/** What another model thought before it answered: left out, as Anthropic leaves out that of earlier turns. */
const ThinkingBlock = z.looseObject({ type: z.enum(["thinking", "redacted_thinking"]) });

export type AnthropicThought = z.infer<typeof ThinkingBlock>;

const ToolUseBlock = z.looseObject({
  type: z.literal("tool_use"),
  id: z.string().min(1).max(200),
  name: z.string(),
  input: z.record(z.string(), z.unknown()).nullish(),
});

const ToolResultBlock = z.looseObject({
  type: z.literal("tool_result"),
  tool_use_id: z.string().min(1).max(200),
  content: z
    .union([
      z.string(),
      z
        .array(z.discriminatedUnion("type", [TextBlock, ImagePart, DocumentBlock]))
        .max(requestLimits.maxPartsPerMessage),
    ])
    .nullish(),
  is_error: z.boolean().nullish(),
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
  role: z.enum(["user", "assistant", "system"]),
  content: z.union([z.string(), z.array(ContentBlock).max(requestLimits.maxPartsPerMessage)]),
});
export type AnthropicMessage = z.infer<typeof AnthropicMessage>;

const toolFields = {
  /** Functions of the caller's; tools that run at Anthropic's are refused by name. */
  tools: z
    .array(
      z.looseObject({
        type: z.string().nullish(),
        name: z.string(),
        description: z.string().nullish(),
        /** A JSON schema. */
        input_schema: z.record(z.string(), z.unknown()).nullish(),
        strict: z.boolean().nullish(),
      }),
    )
    .max(requestLimits.maxTools)
    .nullish(),
  tool_choice: z
    .looseObject({
      type: z.enum(["auto", "any", "tool", "none"]),
      name: z.string().nullish(),
      disable_parallel_tool_use: z.boolean().nullish(),
    })
    .nullish(),
} as const;

const outputFormat = z
  .looseObject({ type: z.literal("json_schema"), schema: z.record(z.string(), z.unknown()) })
  .nullish();

const prompt = {
  model: z.string().min(1),
  messages: z.array(AnthropicMessage).min(1).max(requestLimits.maxMessages),
  system: z.union([z.string(), z.array(TextBlock).max(requestLimits.maxPartsPerMessage)]).nullish(),
  ...toolFields,
  /** What the answer must look like, also where earlier clients say so. */
  output_config: z
    .looseObject({
      /** Nothing here depends on it. */
      effort: z.string().nullish(),
      format: outputFormat,
    })
    .nullish(),
  output_format: outputFormat,
  /** No model here thinks before it answers: taken, and listed as ignored when it is `enabled`. */
  thinking: z
    .looseObject({
      type: z.enum(["enabled", "disabled", "adaptive"]),
      budget_tokens: z.int().min(1).nullish(),
      display: z.string().nullish(),
    })
    .nullish(),
  /** Whose request it is, for the caller's own records; nothing depends on it. */
  metadata: z.looseObject({ user_id: z.string().max(1_024).nullish() }).nullish(),
  image_order: imageOrder,
} as const;

export const CountTokensRequest = z.looseObject(prompt);
export type CountTokensRequest = z.infer<typeof CountTokensRequest>;

export const MessagesRequest = z.looseObject({
  ...prompt,
  max_tokens: z.int().min(1),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.int().min(0).nullish(),
  stop_sequences: z
    .array(z.string().min(1).max(requestLimits.maxStopLength))
    .max(requestLimits.maxStops)
    .nullish(),
  stream: z.boolean().nullish(),
});
export type MessagesRequest = z.infer<typeof MessagesRequest>;

export type AnthropicUsage = {
  /** Image tokens are in it as one each; what cross-attention reads is in the receipt. */
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cache_creation_input_tokens: 0;
  readonly cache_read_input_tokens: 0;
};

export type AnthropicStopReason =
  | "end_turn"
  | "max_tokens"
  | "stop_sequence"
  | "tool_use"
  | "model_context_window_exceeded";

export type AnthropicTextBlock = { readonly type: "text"; readonly text: string };

export type AnthropicToolUse = {
  readonly type: "tool_use";
  readonly id: string;
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
};

export type AnthropicAnswer = {
  readonly id: string;
  readonly type: "message";
  readonly role: "assistant";
  readonly model: string;
  readonly content: readonly (AnthropicTextBlock | AnthropicToolUse)[];
  readonly stop_reason: AnthropicStopReason | null;
  readonly stop_sequence: string | null;
  readonly usage: AnthropicUsage;
  readonly atalaya?: AnswerReceipt;
};

/** In this order: start; of each block its start, its deltas and its stop; delta, stop. */
export type AnthropicEvent =
  | { readonly type: "message_start"; readonly message: AnthropicAnswer }
  | {
      readonly type: "content_block_start";
      readonly index: number;
      readonly content_block: AnthropicTextBlock | AnthropicToolUse;
    }
  | {
      readonly type: "content_block_delta";
      readonly index: number;
      readonly delta:
        | { readonly type: "text_delta"; readonly text: string }
        | { readonly type: "input_json_delta"; readonly partial_json: string };
    }
  | { readonly type: "content_block_stop"; readonly index: number }
  | {
      readonly type: "message_delta";
      readonly delta: Pick<AnthropicAnswer, "stop_reason" | "stop_sequence">;
      readonly usage: AnthropicUsage;
      readonly atalaya: AnswerReceipt;
    }
  | { readonly type: "message_stop" };

/** Of `POST /v1/messages/count_tokens`. */
export type AnthropicTokenCount = { readonly input_tokens: number };

export type AnthropicError = {
  readonly type: "error";
  readonly error: {
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
    readonly message: string;
    /** Ours, and stable. */
    readonly code: string;
  };
  readonly request_id: string;
};
