import type { TokenId } from "../base/ids.ts";
import type { FinishReason, ImageReport, TokenLogprob } from "./engine-prompt.ts";
import type { ToolCall } from "./tools.ts";

export type { FinishReason } from "./engine-prompt.ts";

/** What a caller gets back: events in order, then exactly one `finish` for each answer. A failure is thrown. */
export type GenerateEvent =
  | ({
      readonly type: "started";
      /** Which of several prompts, here and below; the first when absent. */
      readonly promptIndex?: number;
      readonly promptTokenIds: readonly TokenId[];
    } & PromptReport)
  | { readonly type: "image"; readonly report: ImageReport }
  | {
      readonly type: "text-delta";
      readonly promptIndex?: number;
      /** Which of several answers, over all prompts; the first when absent. */
      readonly choice?: number;
      /** Never ends in half a character; may be empty while a character or a stop string is open. */
      readonly text: string;
      /** The tokens this delta accounts for, in order; with log-probabilities when asked for. */
      readonly tokens: readonly GeneratedToken[];
      /** The prompt's own tokens, where they were asked for; in an answer's first delta. */
      readonly prompt?: readonly GeneratedToken[];
    }
  /** One for each answer; its usage is that of this answer alone. */
  | {
      readonly type: "finish";
      readonly promptIndex?: number;
      readonly choice?: number;
      readonly reason: FinishReason;
      /** The stop string that ended it; `undefined` when something else did. */
      readonly stopString: string | undefined;
      readonly usage: Usage;
      /** How likely each of the listed answers was, in their order. */
      readonly options?: readonly OptionProbability[];
      /** At least one, when the answer was calls; none of their text was in a delta then. */
      readonly toolCalls?: readonly ToolCall[];
    };

export type OptionProbability = {
  readonly text: string;
  /** Of this answer as the model would give it. */
  readonly logprob: number;
  /** Among the listed answers, which together have 1. */
  readonly probability: number;
};

/** What became of a prompt before the engine got it. */
export type PromptReport = {
  readonly changes: readonly PromptChange[];
  /** For each picture, in order: whether the text of the last turn, and so the answer, looks at it. */
  readonly seenByLastTurn: readonly boolean[];
  /** What a prompt of token ids says; absent of every other prompt. */
  readonly decodedText?: string;
};

/** A rule of the chat that changed what was sent; see `pipeline/chat-rules.ts`. */
export type PromptChange =
  | "result-pictures-moved"
  | "tool-calls-split"
  | "text-beside-call-dropped"
  | "tools-in-text"
  | "empty-text-dropped"
  | "system-text-moved"
  | "turns-merged"
  | "pictures-hoisted";

export type GeneratedToken = {
  readonly tokenId: TokenId;
  /** The token's own bytes, which may be half a character. */
  readonly bytes: Uint8Array;
  readonly logprob: number | undefined;
  readonly topLogprobs: readonly (TokenLogprob & { readonly bytes: Uint8Array })[];
};

export type Usage = {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Vision tokens that the pictures put into cross-attention. */
  readonly imageTokens: number;
  /** Of the prompt, those that the engine had computed before; 0 when absent. */
  readonly cachedTokens?: number;
};
