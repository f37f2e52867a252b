/** What Ollama's routes answer. */
import type { OllamaDetails, OllamaLogprobs, OllamaModel } from "./ollama.ts";
import type { AnswerReceipt } from "./receipt.ts";

type Line = {
  readonly model: string;
  readonly created_at: string;
  readonly logprobs?: OllamaLogprobs;
  readonly done: boolean;
  readonly done_reason?: string;
  /** Nanoseconds, as the other durations. */
  readonly total_duration?: number;
  readonly load_duration?: number;
  readonly prompt_eval_count?: number;
  readonly prompt_eval_duration?: number;
  readonly eval_count?: number;
  readonly eval_duration?: number;
  readonly atalaya?: AnswerReceipt;
};

export type OllamaToolCallReply = {
  readonly id: string;
  readonly function: {
    readonly index: number;
    readonly name: string;
    readonly arguments: Readonly<Record<string, unknown>>;
  };
};

/** A line of `POST /api/chat`, or all of its answer. */
export type OllamaChatLine = Line & {
  readonly message: {
    readonly role: "assistant";
    readonly content: string;
    /** In a line of their own in front of the last one. */
    readonly tool_calls?: readonly OllamaToolCallReply[];
  };
};

/** A line of `POST /api/generate`, or all of its answer. */
export type OllamaGenerateLine = Line & { readonly response: string };

/** Of `GET /api/tags` and `GET /api/ps`. */
export type OllamaModels = { readonly models: readonly OllamaModel[] };

/** Of `POST /api/show`. */
export type OllamaShown = {
  readonly modelfile: "";
  readonly parameters: string;
  readonly template: "";
  readonly details: OllamaDetails;
  readonly model_info: Readonly<Record<string, string | number | null>>;
  readonly capabilities: readonly string[];
  readonly modified_at: string;
  readonly atalaya: { readonly uid: string | null; readonly has_chat_template: boolean | null };
};

/** A line of `POST /api/pull`. */
export type OllamaStatus = { readonly status: string };

export type OllamaVersion = { readonly version: string; readonly atalaya: string };

export type OllamaErrorReply = { readonly error: string; readonly code: string };
