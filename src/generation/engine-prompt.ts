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
  /** Tiles it is fitted into, at most; as many as the model takes when absent. */
  readonly maxTiles?: number;
};

export type EnginePrompt = {
  /** Each image token id stands for the next picture, in order. */
  readonly tokenIds: readonly TokenId[];
  readonly pictures: readonly Picture[];
};

/** Bounded, finite numbers; checked before they get here. */
export type EngineSampling = {
  /** 0: nothing is generated; the prompt's log-probabilities are all that is wanted. */
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
  /** Those that end the answer; the model's own are not added. */
  readonly stopTokenIds: readonly TokenId[];
  readonly logprobs: number | undefined;
  /** Added to the logits of these tokens. */
  readonly logitBias?: readonly TokenBias[];
  /** No stop token before there are so many tokens, unless the grammar leaves nothing else. */
  readonly minTokens?: number;
  /**
   * What the answer's text must be a sentence of: xgrammar's EBNF, start symbol `root`. Tokens that
   * cannot go on are ruled out; stop tokens are allowed where a sentence is complete.
   */
  readonly grammar?: string;
  /** Report the prompt's own tokens with their log-probabilities. */
  readonly promptLogprobs?: PromptLogprobs;
};

export type TokenBias = { readonly tokenId: TokenId; readonly bias: number };

export type PromptLogprobs = {
  /** Position of the first token that is reported, at least 1: nothing precedes the one at 0. */
  readonly start: number;
  /** Alternatives reported with each. */
  readonly numAlternatives: number;
};

export type TokenLogprob = { readonly tokenId: TokenId; readonly logprob: number };

export type FinishReason = "stop" | "length" | "cancelled";

/**
 * Any number of `image`, one `reused` at most, `prompt-token` and `token`, in order, then exactly one `finish`. A failure is
 * thrown.
 */
export type EngineEvent =
  | ({ readonly type: "image" } & ImageReport)
  /** Before the first `token`: so many of the prompt's first tokens were in the KV cache. */
  | { readonly type: "reused"; readonly numTokens: number }
  /** In the prompt's order, all of them before the first `token`; only when they were asked for. */
  | ({ readonly type: "prompt-token" } & TokenReport)
  /** A stop token is reported too, just before `finish`. */
  | ({ readonly type: "token" } & TokenReport)
  | { readonly type: "finish"; readonly reason: FinishReason };

export type TokenReport = {
  readonly tokenId: TokenId;
  readonly logprob: number | undefined;
  /** Most likely first. */
  readonly topLogprobs: readonly TokenLogprob[];
};

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
  /** Where: in the engine's memory, or what its encoding left on disk. */
  readonly cachedIn?: "memory" | "disk";
  /** Until its states were there; 0 when they were in memory. */
  readonly encodeMs: number;
};
