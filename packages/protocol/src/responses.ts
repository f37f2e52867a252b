/** `POST /v1/responses` and what is kept of it: items in, items and named events out. */
import { z } from "zod";
import { imageOrder } from "./chat.ts";
import { requestLimits } from "./limits.ts";
import { pictureParts } from "./pictures.ts";
import type { AnswerReceipt } from "./receipt.ts";
import { samplingFields } from "./sampling.ts";

const InputTextPart = z.looseObject({
  type: z
    .enum(["input_text", "output_text", "text"])
    .describe("`input_text`, or what the model said."),
  text: z.string().describe("The text. Whatever it looks like, it stays text."),
});
const RefusalPart = z.looseObject({
  type: z.literal("refusal").describe("Always `refusal`."),
  refusal: z.string().describe("What a model said when it refused; read as text."),
});

export const ResponseInputPart = z.discriminatedUnion("type", [
  InputTextPart,
  RefusalPart,
  ...pictureParts,
]);
export type ResponseInputPart = z.infer<typeof ResponseInputPart>;

const MessageItem = z.looseObject({
  type: z.literal("message").optional().describe("`message`, or left out."),
  role: z
    .enum(["system", "developer", "user", "assistant"])
    .describe("Whose message it is. `developer` is `system`."),
  content: z
    .union([z.string(), z.array(ResponseInputPart).max(requestLimits.maxPartsPerMessage)])
    .describe("A text, or up to 256 parts."),
});

/** What an answer asked for, as clients send it back; `arguments` is the text of a JSON object. */
const FunctionCallItem = z.looseObject({
  type: z.literal("function_call").describe("Always `function_call`."),
  call_id: z.string().min(1).max(200).describe("Id of the call, which its output names."),
  name: z.string().describe("Name of the function."),
  arguments: z.string().describe("The text of a JSON object."),
});
export type ResponseFunctionCallItem = z.infer<typeof FunctionCallItem>;

const FunctionCallOutputItem = z.looseObject({
  type: z.literal("function_call_output").describe("Always `function_call_output`."),
  call_id: z.string().min(1).max(200).describe("Id of the call that this is the output of."),
  output: z
    .union([z.string(), z.array(ResponseInputPart).max(requestLimits.maxPartsPerMessage)])
    .describe("What the function returned: a text, or parts."),
});
export type ResponseFunctionCallOutputItem = z.infer<typeof FunctionCallOutputItem>;

/** Stands for an item that an earlier response said or was told. */
const ItemReference = z.looseObject({
  type: z.literal("item_reference").describe("Always `item_reference`."),
  id: z.string().min(1).max(100).describe("Id of an item of a response that was kept."),
});

/** Known, and not spoken here: so they are told apart from mistyped ones. */
const ForeignItem = z.looseObject({
  type: z
    .enum([
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
    ])
    .describe("An item of a tool of OpenAI's, which is refused by name."),
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
  model: z.string().min(1).describe("Name of a running model, or one of its other names."),
  input: z
    .union([z.string(), z.array(ResponseInputItem).max(requestLimits.maxMessages)])
    .describe("What the user says, or up to 1,024 items."),
  instructions: z
    .string()
    .nullish()
    .describe(
      "System text in front of everything; not carried over to the next response. None when left out.",
    ),
  previous_response_id: z
    .string()
    .min(1)
    .max(100)
    .nullish()
    .describe("Id of a kept response that this one continues. None when left out."),
  store: z
    .boolean()
    .nullish()
    .describe(
      "Left out: kept in memory for a while. `true`: kept on disk. `false`: forgotten at once.",
    ),
  background: z
    .boolean()
    .nullish()
    .describe("Whether to answer at once; the response is asked for later. `false` when left out."),
  include: z
    .array(includable)
    .nullish()
    .describe("What else to tell: `message.output_text.logprobs`; the others change nothing."),
  max_output_tokens: z
    .int()
    .min(1)
    .nullish()
    .describe("Tokens of the answer at most. As many as the context holds when left out."),
  metadata: Metadata.nullish().describe(
    "Up to 16 notes of the caller's, which come back with the response.",
  ),
  user,
  stream,
  stream_options: z
    .looseObject({
      include_obfuscation: z
        .boolean()
        .nullish()
        .describe("Taken, and listed as ignored when `true`: nothing is added to events."),
    })
    .nullish()
    .describe("How it is streamed."),
  temperature,
  top_p,
  top_logprobs: z
    .int()
    .min(0)
    .max(requestLimits.maxTopLogprobs)
    .nullish()
    .describe("How many alternatives are told with each token; needs `include`. 0 when left out."),
  text: z
    .looseObject({
      format: z
        .looseObject({
          type: z
            .enum(["text", "json_object", "json_schema"])
            .describe(
              "`text`: free; `json_object`: any object; `json_schema`: what fits `schema`.",
            ),
          name: z.string().nullish().describe("What the schema is called."),
          description: z
            .string()
            .nullish()
            .describe("What the schema is for; nothing depends on it."),
          schema: z
            .unknown()
            .optional()
            .describe("JSON schema that the answer is held to, with `json_schema`."),
          strict: z
            .boolean()
            .nullish()
            .describe("Answers are held to the schema, whatever this says."),
        })
        .nullish()
        .describe("Form of the answer. Free text when left out."),
      verbosity: z
        .enum(["low", "medium", "high"])
        .nullish()
        .describe("Taken, changes nothing, and is listed as ignored unless it is `medium`."),
    })
    .nullish()
    .describe("What the answer must look like."),
  tools: z
    .array(
      z.looseObject({
        type: z.string().describe("Always `function`."),
        name: z
          .string()
          .nullish()
          .describe("Name of the function, up to 128 letters, digits, `_`, `.` and `-`."),
        description: z.string().nullish().describe("What the function does, for the model."),
        parameters: z
          .record(z.string(), z.unknown())
          .nullish()
          .describe("JSON schema of the arguments. No arguments when left out."),
        strict: z
          .boolean()
          .nullish()
          .describe("Whether arguments are held to the schema. `false` when left out."),
      }),
    )
    .max(requestLimits.maxTools)
    .nullish()
    .describe("Functions that the answer may call, at most 128; other types are refused by name."),
  tool_choice: z
    .union([
      z.enum(["auto", "none", "required"]),
      z.looseObject({
        type: z.string().describe("Always `function`."),
        name: z.string().nullish().describe("Name of the function that must be called."),
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
  truncation: z
    .enum(["auto", "disabled"])
    .nullish()
    .describe(
      "`auto` drops the oldest turns that do not fit; `disabled`, also when left out, refuses what does not fit.",
    ),
  // Ours: OpenAI's responses have no such fields.
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
  /** The token as text; half a character is shown as U+FFFD. */
  readonly token: string;
  /** Natural logarithm of its probability; at least -9999. */
  readonly logprob: number;
  /** The token's own bytes: it may be half a character. */
  readonly bytes: readonly number[];
  /** The likeliest tokens in this place, as many as were asked for. */
  readonly top_logprobs: readonly {
    /** The token as text; half a character is shown as U+FFFD. */
    readonly token: string;
    /** Natural logarithm of its probability; at least -9999. */
    readonly logprob: number;
    /** The token's own bytes. */
    readonly bytes: readonly number[];
  }[];
};

export type ResponseTextPart = {
  /** Always `output_text`. */
  readonly type: "output_text";
  /** What the model said. */
  readonly text: string;
  /** Always empty: answers cite nothing. */
  readonly annotations: readonly [];
  /** Of its tokens, when they were asked for. */
  readonly logprobs: readonly ResponseLogprob[];
};

export type ResponseOutputMessage = {
  /** Always `message`. */
  readonly type: "message";
  /** Id of the item, `msg_…`. */
  readonly id: string;
  /** How far it is. */
  readonly status: "in_progress" | "completed" | "incomplete";
  /** Always `assistant`. */
  readonly role: "assistant";
  /** Its text, in one part. */
  readonly content: readonly ResponseTextPart[];
};

export type ResponseFunctionCall = {
  /** Always `function_call`. */
  readonly type: "function_call";
  /** Id of the item, `fc_…`. */
  readonly id: string;
  /** Id of the call, for its `function_call_output`. */
  readonly call_id: string;
  /** Name of the function. */
  readonly name: string;
  /** The text of a JSON object; empty until the call is complete. */
  readonly arguments: string;
  /** How far it is. */
  readonly status: "in_progress" | "completed";
};

export type ResponseOutputItem = ResponseOutputMessage | ResponseFunctionCall;

export type ResponseFunctionTool = {
  /** Always `function`. */
  readonly type: "function";
  /** Name of the function. */
  readonly name: string;
  /** What it does, or `null`. */
  readonly description: string | null;
  /** JSON schema of its arguments, or `null`. */
  readonly parameters: Readonly<Record<string, unknown>> | null;
  /** Whether arguments are held to the schema, or `null`. */
  readonly strict: boolean | null;
};

export type ResponseUsage = {
  /** Tokens of the prompt, each picture's marker as one. */
  readonly input_tokens: number;
  /** What the prompt was made of. */
  readonly input_tokens_details: {
    /** Tokens that the engine had computed before. */
    readonly cached_tokens: number;
    /** Vision tokens that cross-attention reads; they are not part of `input_tokens`. */
    readonly image_tokens: number;
  };
  /** Tokens of the answer. */
  readonly output_tokens: number;
  /** What the answer was made of. */
  readonly output_tokens_details: {
    /** Always 0: no model here thinks before it answers. */
    readonly reasoning_tokens: 0;
  };
  /** Both together. */
  readonly total_tokens: number;
};

/** As it was asked for. */
export type ResponseTextFormat =
  | {
      /** Free text. */
      readonly type: "text";
    }
  | {
      /** Any JSON object. */
      readonly type: "json_object";
    }
  | {
      /** What fits `schema`. */
      readonly type: "json_schema";
      /** What the schema is called. */
      readonly name: string;
      /** What the schema is for, or `null`. */
      readonly description: string | null;
      /** The JSON schema. */
      readonly schema: unknown;
      /** As it was asked for, or `null`. */
      readonly strict: boolean | null;
    };

export type ResponseObject = {
  /** Id of the response, `resp_…`. */
  readonly id: string;
  /** Always `response`. */
  readonly object: "response";
  /** When it was asked for, in seconds since 1970. */
  readonly created_at: number;
  /** When it was complete, in seconds since 1970, or `null`. */
  readonly completed_at: number | null;
  /** How far it is. */
  readonly status: ResponseStatus;
  /** Whether it was asked for in the background. */
  readonly background: boolean;
  /** Why it failed, or `null`. */
  readonly error: {
    /** Stable; see the table of errors. */
    readonly code: string;
    /** For a person: what happened, and what to do. */
    readonly message: string;
  } | null;
  /** Why it is incomplete, or `null`. */
  readonly incomplete_details: {
    /** The answer ended at its bound. */
    readonly reason: "max_output_tokens";
  } | null;
  /** As they were asked for, or `null`. */
  readonly instructions: string | null;
  /** As it was asked for, or `null`. */
  readonly max_output_tokens: number | null;
  /** The caller's own notes. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The model's name, as it was asked for. */
  readonly model: string;
  /** What the model said and called, in order. */
  readonly output: readonly ResponseOutputItem[];
  /** As it was asked for; `true` when it was left out. */
  readonly parallel_tool_calls: boolean;
  /** Id of the response that it continues, or `null`. */
  readonly previous_response_id: string | null;
  /** Nothing: no model here thinks before it answers. */
  readonly reasoning: {
    /** Always `null`. */
    readonly effort: null;
    /** Always `null`. */
    readonly summary: null;
  };
  /** Always `default`. */
  readonly service_tier: "default";
  /** Whether it was to be kept; `true` also when it was left out. */
  readonly store: boolean;
  /** What it was generated with. */
  readonly temperature: number;
  /** What the answer must look like. */
  readonly text: {
    /** Form of the answer. */
    readonly format: ResponseTextFormat;
  };
  /** As it was asked for; `auto` when it was left out. */
  readonly tool_choice:
    | "auto"
    | "none"
    | "required"
    | {
        /** Always `function`. */
        readonly type: "function";
        /** Name of the function that must be called. */
        readonly name: string;
      };
  /** The functions that were offered. */
  readonly tools: readonly ResponseFunctionTool[];
  /** As it was asked for; 0 when it was left out. */
  readonly top_logprobs: number;
  /** What it was generated with. */
  readonly top_p: number;
  /** As it was asked for; `disabled` when it was left out. */
  readonly truncation: "auto" | "disabled";
  /** Tokens that were taken; `null` until it has ended. */
  readonly usage: ResponseUsage | null;
  /** As it was asked for, or `null`. */
  readonly user: string | null;
  /** The receipt: what became of each picture and each field. */
  readonly atalaya?: AnswerReceipt & {
    /** Turns that `truncation: "auto"` left out. */
    readonly dropped_turns: number;
  };
};

type WithoutNumber =
  | {
      /** How the response is now. */
      readonly type:
        | "response.queued"
        | "response.created"
        | "response.in_progress"
        | "response.completed"
        | "response.incomplete"
        | "response.failed";
      /** The response, as far as it is. */
      readonly response: ResponseObject;
    }
  | {
      /** An item begins, or is complete. */
      readonly type: "response.output_item.added" | "response.output_item.done";
      /** Number of the item, from 0. */
      readonly output_index: number;
      /** The item, as far as it is. */
      readonly item: ResponseOutputItem;
    }
  | (PartPlace & {
      /** A part begins, or is complete. */
      readonly type: "response.content_part.added" | "response.content_part.done";
      /** The part, as far as it is. */
      readonly part: ResponseTextPart;
    })
  | (PartPlace & {
      /** A text goes on. */
      readonly type: "response.output_text.delta";
      /** The next piece of the text. */
      readonly delta: string;
      /** Of these tokens, when they were asked for. */
      readonly logprobs: readonly ResponseLogprob[];
    })
  | {
      /** The arguments of a call go on. */
      readonly type: "response.function_call_arguments.delta";
      /** Id of the item. */
      readonly item_id: string;
      /** Number of the item, from 0. */
      readonly output_index: number;
      /** The arguments, whole. */
      readonly delta: string;
    }
  | {
      /** A call is complete. */
      readonly type: "response.function_call_arguments.done";
      /** Id of the item. */
      readonly item_id: string;
      /** Number of the item, from 0. */
      readonly output_index: number;
      /** Name of the function. */
      readonly name: string;
      /** The text of a JSON object. */
      readonly arguments: string;
    }
  | (PartPlace & {
      /** A text is complete. */
      readonly type: "response.output_text.done";
      /** The whole text. */
      readonly text: string;
      /** Of these tokens, when they were asked for. */
      readonly logprobs: readonly ResponseLogprob[];
    })
  | {
      /** The response failed; the last event. */
      readonly type: "error";
      /** Stable; see the table of errors. */
      readonly code: string;
      /** For a person: what happened, and what to do. */
      readonly message: string;
      /** The field it is about, or `null`. */
      readonly param: string | null;
      /** The same once more, where other clients look for it. */
      readonly error: {
        /** OpenAI's name for this kind of failure. */
        readonly type: string;
        /** Stable; see the table of errors. */
        readonly code: string;
        /** For a person: what happened, and what to do. */
        readonly message: string;
        /** The field it is about, or `null`. */
        readonly param: string | null;
      };
    };

type PartPlace = {
  /** Id of the item. */
  readonly item_id: string;
  /** Number of the item, from 0. */
  readonly output_index: number;
  /** Number of the part in it, from 0. */
  readonly content_index: number;
};

/** Numbered from 0, in the order they were sent. */
export type ResponseEvent = WithoutNumber & {
  /** Number of the event, from 0, in the order they were sent. */
  readonly sequence_number: number;
};

/** What was said to a response, as it is listed. */
export type ResponseItemList = {
  /** Always `list`. */
  readonly object: "list";
  /** The items, in the order that was asked for. */
  readonly data: readonly ResponseStoredItem[];
  /** Id of the first of them, or `null`. */
  readonly first_id: string | null;
  /** Id of the last of them, for `after`, or `null`. */
  readonly last_id: string | null;
  /** Whether there are more. */
  readonly has_more: boolean;
};

export type ResponseStoredItem = Readonly<Record<string, unknown>> & {
  /** Id of the item. */
  readonly id: string;
};

export type ResponseDeleted = {
  /** Id of the response that was forgotten. */
  readonly id: string;
  /** Always `response`. */
  readonly object: "response";
  /** Always `true`. */
  readonly deleted: true;
};

/** One value, or several, which OpenAI's clients write as `include[]` or with indices. */
const included = z.union([includable, z.array(includable)]).optional();

/** What tools of OpenAI's would have returned may be asked for; a response has all that there is. */
export const RetrieveResponseQuery = z.looseObject({
  include: included.describe("What else to tell; a response has all that there is."),
});

/** Of a list that goes on: after which one to begin, how many, which way. */
export const ListItemsQuery = z.looseObject({
  include: included.describe("What else to tell; an item has all that there is."),
  after: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe("Id of an item: only what comes behind it. From the first when left out."),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .default(20)
    .describe("How many at most. 20 when left out."),
  order: z
    .enum(["asc", "desc"])
    .default("desc")
    .describe("`desc`: the newest first; `asc`: the oldest first. `desc` when left out."),
});
