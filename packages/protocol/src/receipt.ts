/** What an answer tells about itself: tokens spent, and what became of each picture. */
export type Usage = {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: {
    readonly cached_tokens: number;
    /** Vision tokens that cross-attention reads; they are not part of `prompt_tokens`. */
    readonly image_tokens: number;
  };
};

/** What one of the listed answers is worth. */
export type OptionScore = {
  readonly text: string;
  /** Of this answer, as the model would give it. */
  readonly logprob: number;
  /** Among the listed answers, which together have 1. */
  readonly probability: number;
};

/** One picture of the request, in order. */
export type ImageReceipt =
  | {
      /** The model was given this picture. */
      readonly seen: true;
      /** The text of the last turn, and so the answer, looks at it; a later group hides an earlier. */
      readonly seen_by_last_turn: boolean;
      readonly width: number;
      readonly height: number;
      readonly grid: { readonly rows: number; readonly columns: number };
      readonly resized: { readonly width: number; readonly height: number };
      readonly aspect_ratio_id: number;
      /** Its encoding was still there from an earlier request. */
      readonly cached: boolean;
      /** Where: in memory, or on disk, from which its states were computed. Absent when it was not. */
      readonly cached_in?: "memory" | "disk";
      /** Until its states were there, milliseconds; 0 when they were in memory. */
      readonly encode_ms: number;
    }
  | { readonly seen: false; readonly seen_by_last_turn: boolean };

export type AnswerReceipt = {
  readonly images: readonly ImageReceipt[];
  /** Whose semantics the model runs with: Meta's (`ref`) or those of Transformers (`hf`). */
  readonly profile: "ref" | "hf";
  /** What the rules of the chat changed before the template was rendered. */
  readonly prompt_changes: readonly (
    | "result-pictures-moved"
    | "tool-calls-split"
    | "text-beside-call-dropped"
    | "tools-in-text"
    | "empty-text-dropped"
    | "system-text-moved"
    | "turns-merged"
    | "pictures-hoisted"
  )[];
  /** Fields of the request that nothing read. */
  readonly ignored_fields: readonly string[];
};
