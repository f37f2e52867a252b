/** What Ollama's routes answer. */
import type { OllamaDetails, OllamaLogprobs, OllamaModel } from "./ollama.ts";
import type { AnswerReceipt } from "./receipt.ts";

type Line = {
  /** The model's name, as it was asked for. */
  readonly model: string;
  /** When this was said, ISO 8601. */
  readonly created_at: string;
  /** Of the tokens of this line, with `logprobs` in the request. */
  readonly logprobs?: OllamaLogprobs;
  /** Whether this is the last line. */
  readonly done: boolean;
  /** Why the answer ended, in the last line: `stop`, `length`, `load` or `unload`. */
  readonly done_reason?: string;
  /** From the request to its end, in nanoseconds, as the other durations; in the last line. */
  readonly total_duration?: number;
  /** Until the engine began with it. */
  readonly load_duration?: number;
  /** Tokens of the prompt. */
  readonly prompt_eval_count?: number;
  /** Until the first token of the answer. */
  readonly prompt_eval_duration?: number;
  /** Tokens of the answer. */
  readonly eval_count?: number;
  /** From the first token of the answer to the last. */
  readonly eval_duration?: number;
  /** The receipt, in the last line: what became of each picture and each field. */
  readonly atalaya?: AnswerReceipt;
};

export type OllamaToolCallReply = {
  /** Id of the call, for its result's `tool_call_id`. */
  readonly id: string;
  /** What is called, and with what. */
  readonly function: {
    /** Number of the call, from 0. */
    readonly index: number;
    /** Name of the function. */
    readonly name: string;
    /** Its arguments, by name. */
    readonly arguments: Readonly<Record<string, unknown>>;
  };
};

/** A line of `POST /api/chat`, or all of its answer. */
export type OllamaChatLine = Line & {
  /** What the model said, or the next piece of it. */
  readonly message: {
    /** Always `assistant`. */
    readonly role: "assistant";
    /** The text, or its next piece. */
    readonly content: string;
    /** Calls of functions, in a line of their own in front of the last one. */
    readonly tool_calls?: readonly OllamaToolCallReply[];
  };
};

/** A line of `POST /api/generate`, or all of its answer. */
export type OllamaGenerateLine = Line & {
  /** The text, or its next piece. */
  readonly response: string;
};

/** Of `GET /api/tags` and `GET /api/ps`. */
export type OllamaModels = {
  /** The models. */
  readonly models: readonly OllamaModel[];
};

/** Of `POST /api/show`. */
export type OllamaShown = {
  /** Always empty: models are not made of Modelfiles here. */
  readonly modelfile: "";
  /** What a request starts from, a setting a line. */
  readonly parameters: string;
  /** Always empty: the template is the checkpoint's own. */
  readonly template: "";
  /** What kind of model it is. */
  readonly details: OllamaDetails;
  /** Its numbers, under the names of GGUF. */
  readonly model_info: Readonly<Record<string, string | number | null>>;
  /** What it can do. */
  readonly capabilities: readonly string[];
  /** When its files last changed, ISO 8601. */
  readonly modified_at: string;
  /** What this server knows of it beside that. */
  readonly atalaya: {
    /** The name that it answers to; `null` when it is not loaded. */
    readonly uid: string | null;
    /** Whether it chats; `null` when it is not loaded. */
    readonly has_chat_template: boolean | null;
  };
};

/** A line of `POST /api/pull`. */
export type OllamaStatus = {
  /** How the pull goes; `success` in the end. */
  readonly status: string;
};

export type OllamaVersion = {
  /** Version of Ollama whose API this is. */
  readonly version: string;
  /** Version of this program. */
  readonly atalaya: string;
};

export type OllamaErrorReply = {
  /** For a person: what happened, with the values, then what to do. */
  readonly error: string;
  /** Ours, and stable; see the table of errors. */
  readonly code: string;
};
