/**
 * All that an engine ever sees, and all that it says: token ids, RGB pictures, bounded numbers.
 *
 * No text, no file formats, no templates: those are handled once, in front of every engine.
 */
import type { TokenId } from "../base/ids.ts";
import type { RgbImage } from "../base/rgb-image.ts";

export type Picture = RgbImage & {
  /** Hex SHA-256 over width, height and pixels: equal for equal pictures. */
  readonly contentHash: string;
};

export type EnginePrompt = {
  /** Each image token id stands for the next picture, in order. */
  readonly tokenIds: readonly TokenId[];
  readonly pictures: readonly Picture[];
};

/** Bounded, finite numbers; checked before they get here. */
export type EngineSampling = {
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  readonly repetitionPenalty: number;
  /** Unsigned 32 bits; the engine draws one when absent. */
  readonly seed: number | undefined;
  readonly stopTokenIds: readonly TokenId[];
  readonly logprobs: number | undefined;
};

export type TokenLogprob = { readonly tokenId: TokenId; readonly logprob: number };

export type FinishReason = "stop" | "length" | "cancelled";

/** Any number of `image` and `token`, in order, then exactly one `finish`. A failure is thrown. */
export type EngineEvent =
  | ({ readonly type: "image" } & ImageReport)
  | {
      readonly type: "token";
      /** A stop token is reported too, just before `finish`. */
      readonly tokenId: TokenId;
      readonly logprob: number | undefined;
      /** Most likely first. */
      readonly topLogprobs: readonly TokenLogprob[];
    }
  | { readonly type: "finish"; readonly reason: FinishReason };

/** How one picture of the prompt was seen. */
export type ImageReport = {
  /** Position among the prompt's pictures, from 0. */
  readonly imageIndex: number;
  readonly width: number;
  readonly height: number;
  readonly grid: { readonly rows: number; readonly columns: number };
  readonly resized: { readonly width: number; readonly height: number };
  readonly aspectRatioId: number;
  /** Whether its cross-attention states were already there. */
  readonly cached: boolean;
  /** Time spent encoding; 0 when cached. */
  readonly encodeMs: number;
};
