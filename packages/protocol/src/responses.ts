/** `POST /v1/responses` and what is kept of it: items in, items and named events out. */
import { z } from "zod";
import { imageOrder } from "./chat.ts";
import { requestLimits } from "./limits.ts";
import { pictureParts } from "./pictures.ts";
import type { AnswerReceipt } from "./receipt.ts";
import { samplingFields } from "./sampling.ts";

const InputTextPart = z.looseObject({
  type: z.enum(["input_text", "output_text", "text"]),
  text: z.string(),
});
const RefusalPart = z.looseObject({ type: z.literal("refusal"), refusal: z.string() });

export const ResponseInputPart = z.discriminatedUnion("type", [
  InputTextPart,
  RefusalPart,
  ...pictureParts,
]);
export type ResponseInputPart = z.infer<typeof ResponseInputPart>;

const MessageItem = z.looseObject({
  type: z.literal("message").optional(),
  role: z.enum(["system", "developer", "user", "assistant"]),
  content: z.union([z.string(), z.array(ResponseInputPart).max(requestLimits.maxPartsPerMessage)]),
});

/** What an answer asked for, as clients send it back; `arguments` is the text of a JSON object. */
const FunctionCallItem = z.looseObject({
  type: z.literal("function_call"),
  call_id: z.string().min(1).max(200),
  name: z.string(),
  arguments: z.string(),
});
export type ResponseFunctionCallItem = z.infer<typeof FunctionCallItem>;

const FunctionCallOutputItem = z.looseObject({
  type: z.literal("function_call_output"),
  call_id: z.string().min(1).max(200),
  output: z.union([z.string(), z.array(ResponseInputPart).max(requestLimits.maxPartsPerMessage)]),
});
export type ResponseFunctionCallOutputItem = z.infer<typeof FunctionCallOutputItem>;

/** Stands for an item that an earlier response said or was told. */
const ItemReference = z.looseObject({
  type: z.literal("item_reference"),
  id: z.string().min(1).max(100),
});

/** Known, and not spoken here: so they are told apart from mistyped ones. */
const ForeignItem = z.looseObject({
  type: z.enum([
    "reasoning",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "web_search_call",
    "computer_call",
    "computer_call_output",
    "image_generation_call",
    "code_interpreter_call",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "compaction",
  ]),
});

export const ResponseInputItem = z.union([
  MessageItem,
  FunctionCallItem,
  FunctionCallOutputItem,
  ItemReference,
  ForeignItem,
]);
export type ResponseInputItem = z.infer<typeof ResponseInputItem>;
export type ResponseMessageItem = z.infer<typeof MessageItem>;

/** Sixteen short notes that come back with the response. */
export const Metadata = z
  .record(z.string().max(64), z.string().max(512))
  .refine((notes) => Object.keys(notes).length <= 16, {
    message: "has more than 16 entries",
  });

const includable = z.enum([
  "file_search_call.results",
  "web_search_call.results",
  "web_search_call.action.sources",
  "message.input_image.image_url",
  "computer_call_output.output.image_url",
  "code_interpreter_call.outputs",
  "reasoning.encrypted_content",
  "message.output_text.logprobs",
]);

const {
  temperature,
  top_p,
  top_k,
  min_p,
  presence_penalty,
  frequency_penalty,
  repetition_penalty,
  seed,
  stream,
  user,
} = samplingFields;

export const ResponsesRequest = z.looseObject({
  model: z.string().min(1),
  input: z.union([z.string(), z.array(ResponseInputItem).max(requestLimits.maxMessages)]),
  instructions: z.string().nullish(),
  previous_response_id: z.string().min(1).max(100).nullish(),
  /** Left out: kept in memory for a while. `true`: kept on disk. `false`: forgotten at once. */
  store: z.boolean().nullish(),
  /** Answer at once; the response is asked for later. */
  background: z.boolean().nullish(),
  include: z.array(includable).nullish(),
  max_output_tokens: z.int().min(1).nullish(),
  metadata: Metadata.nullish(),
  user,
  stream,
  stream_options: z.looseObject({ include_obfuscation: z.boolean().nullish() }).nullish(),
  temperature,
  top_p,
  top_logprobs: z.int().min(0).max(requestLimits.maxTopLogprobs).nullish(),
  /** What the answer must look like. */
  text: z
    .looseObject({
      format: z
        .looseObject({
          type: z.enum(["text", "json_object", "json_schema"]),
          name: z.string().nullish(),
          description: z.string().nullish(),
          schema: z.unknown().optional(),
          strict: z.boolean().nullish(),
        })
        .nullish(),
      /** Nothing here depends on it. */
      verbosity: z.enum(["low", "medium", "high"]).nullish(),
    })
    .nullish(),
  /** Functions alone; other types are refused by name. */
  tools: z
    .array(
      z.looseObject({
        type: z.string(),
        name: z.string().nullish(),
        description: z.string().nullish(),
        /** A JSON schema. */
        parameters: z.record(z.string(), z.unknown()).nullish(),
        strict: z.boolean().nullish(),
      }),
    )
    .max(requestLimits.maxTools)
    .nullish(),
  tool_choice: z
    .union([
      z.enum(["auto", "none", "required"]),
      z.looseObject({ type: z.string(), name: z.string().nullish() }),
    ])
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  /** `auto` drops the oldest turns that do not fit. */
  truncation: z.enum(["auto", "disabled"]).nullish(),
  /** Ours: OpenAI's responses have no such fields. */
  top_k,
  min_p,
  presence_penalty,
  frequency_penalty,
  repetition_penalty,
  seed,
  image_order: imageOrder,
});
export type ResponsesRequest = z.infer<typeof ResponsesRequest>;

export type ResponseStatus =
  | "queued"
  | "in_progress"
  | "completed"
  | "incomplete"
  | "failed"
  | "cancelled";

export type ResponseLogprob = {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
  readonly top_logprobs: readonly {
    readonly token: string;
    readonly logprob: number;
    readonly bytes: readonly number[];
  }[];
};

export type ResponseTextPart = {
  readonly type: "output_text";
  readonly text: string;
  readonly annotations: readonly [];
  readonly logprobs: readonly ResponseLogprob[];
};

export type ResponseOutputMessage = {
  readonly type: "message";
  readonly id: string;
  readonly status: "in_progress" | "completed" | "incomplete";
  readonly role: "assistant";
  readonly content: readonly ResponseTextPart[];
};

export type ResponseFunctionCall = {
  readonly type: "function_call";
  readonly id: string;
  /** What its `function_call_output` refers to. */
  readonly call_id: string;
  readonly name: string;
  /** The text of a JSON object; empty until the call is complete. */
  readonly arguments: string;
  readonly status: "in_progress" | "completed";
};

export type ResponseOutputItem = ResponseOutputMessage | ResponseFunctionCall;

export type ResponseFunctionTool = {
  readonly type: "function";
  readonly name: string;
  readonly description: string | null;
  readonly parameters: Readonly<Record<string, unknown>> | null;
  readonly strict: boolean | null;
};

export type ResponseUsage = {
  readonly input_tokens: number;
  readonly input_tokens_details: {
    readonly cached_tokens: number;
    /** Vision tokens that cross-attention reads; they are not part of `input_tokens`. */
    readonly image_tokens: number;
  };
  readonly output_tokens: number;
  readonly output_tokens_details: { readonly reasoning_tokens: 0 };
  readonly total_tokens: number;
};

/** As it was asked for. */
export type ResponseTextFormat =
  | { readonly type: "text" }
  | { readonly type: "json_object" }
  | {
      readonly type: "json_schema";
      readonly name: string;
      readonly description: string | null;
      readonly schema: unknown;
      readonly strict: boolean | null;
    };

export type ResponseObject = {
  readonly id: string;
  readonly object: "response";
  /** Seconds since 1970. */
  readonly created_at: number;
  readonly completed_at: number | null;
  readonly status: ResponseStatus;
  readonly background: boolean;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly incomplete_details: { readonly reason: "max_output_tokens" } | null;
  readonly instructions: string | null;
  readonly max_output_tokens: number | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly model: string;
  readonly output: readonly ResponseOutputItem[];
  readonly parallel_tool_calls: boolean;
  readonly previous_response_id: string | null;
  readonly reasoning: { readonly effort: null; readonly summary: null };
  readonly service_tier: "default";
  readonly store: boolean;
  readonly temperature: number;
  readonly text: { readonly format: ResponseTextFormat };
  readonly tool_choice:
    | "auto"
    | "none"
    | "required"
    | { readonly type: "function"; readonly name: string };
  readonly tools: readonly ResponseFunctionTool[];
  readonly top_logprobs: number;
  readonly top_p: number;
  readonly truncation: "auto" | "disabled";
  readonly usage: ResponseUsage | null;
  readonly user: string | null;
  readonly atalaya?: AnswerReceipt & {
    /** Turns that `truncation: "auto"` left out. */
    readonly dropped_turns: number;
  };
};

type WithoutNumber =
  | {
      readonly type:
        | "response.queued"
        | "response.created"
        | "response.in_progress"
        | "response.completed"
        | "response.incomplete"
        | "response.failed";
      readonly response: ResponseObject;
    }
  | {
      readonly type: "response.output_item.added" | "response.output_item.done";
      readonly output_index: number;
      readonly item: ResponseOutputItem;
    }
  | (PartPlace & {
      readonly type: "response.content_part.added" | "response.content_part.done";
      readonly part: ResponseTextPart;
    })
  | (PartPlace & {
      readonly type: "response.output_text.delta";
      readonly delta: string;
      readonly logprobs: readonly ResponseLogprob[];
    })
  | {
      readonly type: "response.function_call_arguments.delta";
      readonly item_id: string;
      readonly output_index: number;
      readonly delta: string;
    }
  | {
      readonly type: "response.function_call_arguments.done";
      readonly item_id: string;
      readonly output_index: number;
      readonly name: string;
      readonly arguments: string;
    }
  | (PartPlace & {
      readonly type: "response.output_text.done";
      readonly text: string;
      readonly logprobs: readonly ResponseLogprob[];
    })
  | {
      readonly type: "error";
      readonly code: string;
      readonly message: string;
      readonly param: string | null;
      /** The same once more, where other clients look for it. */
      readonly error: {
        readonly type: string;
        readonly code: string;
        readonly message: string;
        readonly param: string | null;
      };
    };

type PartPlace = {
  readonly item_id: string;
  readonly output_index: number;
  readonly content_index: number;
};

/** Numbered from 0, in the order they were sent. */
export type ResponseEvent = WithoutNumber & { readonly sequence_number: number };

/** What was said to a response, as it is listed. */
export type ResponseItemList = {
  readonly object: "list";
  readonly data: readonly ResponseStoredItem[];
  readonly first_id: string | null;
  readonly last_id: string | null;
  readonly has_more: boolean;
};

export type ResponseStoredItem = Readonly<Record<string, unknown>> & { readonly id: string };

export type ResponseDeleted = {
  readonly id: string;
  readonly object: "response";
  readonly deleted: true;
};

/** One value, or several, which OpenAI's clients write as `include[]` or with indices. */
const included = z.union([includable, z.array(includable)]).optional();

/** What tools of OpenAI's would have returned may be asked for; a response has all that there is. */
export const RetrieveResponseQuery = z.looseObject({ include: included });

/** Of a list that goes on: after which one to begin, how many, which way. */
export const ListItemsQuery = z.looseObject({
  include: included,
  after: z.string().min(1).max(100).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
  order: z.enum(["asc", "desc"]).default("desc"),
});
