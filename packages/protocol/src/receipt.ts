/** What an answer tells about itself: tokens spent, and what became of each picture. */
export type Usage = {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: {
    readonly cached_tokens: 0;
    /** Vision tokens that cross-attention reads; they are not part of `prompt_tokens`. */
    readonly image_tokens: number;
  };
};

/** One picture of the request, in order. */
export type ImageReceipt =
  | {
      /** The model was given this picture. */
      readonly seen: true;
      readonly width: number;
      readonly height: number;
      readonly grid: { readonly rows: number; readonly columns: number };
      readonly resized: { readonly width: number; readonly height: number };
      readonly aspect_ratio_id: number;
      /** Its encoding was still there from an earlier request. */
      readonly cached: boolean;
      readonly encode_ms: number;
    }
  | { readonly seen: false };

export type AnswerReceipt = { readonly images: readonly ImageReceipt[] };
