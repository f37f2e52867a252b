/** What an answer tells about itself: tokens spent, and what became of each picture. */
export type Usage = {
  /** Tokens of the prompt, each picture's marker as one; each prompt counts once. */
  readonly prompt_tokens: number;
  /** Tokens that were generated, of all answers, discarded candidates too. */
  readonly completion_tokens: number;
  /** Both together. */
  readonly total_tokens: number;
  /** What the prompt was made of. */
  readonly prompt_tokens_details: {
    /** Tokens that the engine had computed before. */
    readonly cached_tokens: number;
    /** Vision tokens that cross-attention reads; they are not part of `prompt_tokens`. */
    readonly image_tokens: number;
  };
};

/** What one of the listed answers is worth. */
export type OptionScore = {
  /** The answer, as it was listed. */
  readonly text: string;
  /** Natural logarithm of the probability of this answer, as the model would give it. */
  readonly logprob: number;
  /** Among the listed answers, which together have 1. */
  readonly probability: number;
};

/** One picture of the request, in order. */
export type ImageReceipt =
  | {
      /** The model was given this picture. */
      readonly seen: true;
      /**
       * Whether the text of the last turn, and so the answer, looks at it; a later group hides an
       * earlier.
       */
      readonly seen_by_last_turn: boolean;
      /** Its width, in pixels. */
      readonly width: number;
      /** Its height, in pixels. */
      readonly height: number;
      /** Tiles it was cut into. */
      readonly grid: {
        /** Tiles from top to bottom. */
        readonly rows: number;
        /** Tiles from left to right. */
        readonly columns: number;
      };
      /** Its size when it was cut. */
      readonly resized: {
        /** In pixels. */
        readonly width: number;
        /** In pixels. */
        readonly height: number;
      };
      /** The number that the model gives this grid. */
      readonly aspect_ratio_id: number;
      /** Whether its encoding was still there from an earlier request. */
      readonly cached: boolean;
      /** Where: in memory, or on disk, from which its states were computed. Absent when it was not. */
      readonly cached_in?: "memory" | "disk";
      /** Milliseconds until its states were there; 0 when they were in memory. */
      readonly encode_ms: number;
    }
  | {
      /** The model was not given this picture. */
      readonly seen: false;
      /** Whether the text of the last turn would look at it. */
      readonly seen_by_last_turn: boolean;
    };

export type AnswerReceipt = {
  /** One for each picture of the request, in order. */
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
