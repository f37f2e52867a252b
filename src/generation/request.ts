/** What a caller asks for, whichever engine answers and whichever dialect it was asked in. */
import type { Viewer } from "../base/viewer.ts";
import type { ToolCall, ToolOffer } from "./tools.ts";

/** A request to continue a conversation, or a bare prompt. */
export type GenerateRequest = {
  readonly prompt: ChatPrompt | RawPrompt;
  readonly sampling: SamplingParams;
  /** Whose pictures these are: an equal one that somebody else has shown is not known by it. All are nobody's when absent. */
  readonly owner?: string | undefined;
  /** Whose stored files may be named; nobody's when absent. */
  readonly viewer?: Viewer | undefined;
  /** What the answer must look like; free when absent. */
  readonly form?: AnswerForm | undefined;
  /** How many answers; 1 when absent. With a seed each has the next one. */
  readonly numChoices?: number;
  /** Generate so many, and keep those whose tokens are likeliest on average. */
  readonly bestOf?: number;
  /** Give the plain prompt back in front of the answer. */
  readonly echoesPrompt?: boolean;
  /** Report the prompt's own tokens too, where log-probabilities are asked for. */
  readonly reportsPrompt?: boolean;
  /** Do not generate: tell how likely each of these answers is, and give the likeliest. */
  readonly options?: AnswerOptions | undefined;
};

export type AnswerOptions = {
  /** Where the caller listed them. */
  readonly field: string;
  /** At least one; all different. */
  readonly texts: readonly string[];
};

/** Messages, rendered by the checkpoint's chat template; exactly one BOS. */
export type ChatPrompt = {
  readonly type: "chat";
  readonly messages: readonly ChatMessage[];
  /** `hoist` when absent. */
  readonly imageOrder?: ImageOrder | undefined;
  /** Functions that the answer may call; none when absent. */
  readonly tools?: ToolOffer | undefined;
};

/** Whether the pictures of a turn go in front of its text, or stay where they are. */
export type ImageOrder = "hoist" | "keep";

/**
 * Text as it is, for base models and scripts.
 *
 * `images` stand for the `<|image|>` markers in order; with no marker in the text they are put in
 * front. `bos: "auto"` is the processor's rule (`<|begin_of_text|>` after leading images when the
 * text has none); `"never"` adds nothing.
 */
export type RawPrompt = {
  readonly type: "raw";
  /**
   * In pieces, text that is not ours stays text, whatever it looks like, and nothing is added; nor is
   * anything to token ids.
   */
  readonly text: string | readonly TextPiece[] | TokenText;
  readonly images: readonly ImageSource[];
  readonly bos: "auto" | "never";
};

/** Text that its caller has encoded. `field` is where it stood, for the sentence that refuses it. */
export type TokenText = { readonly tokenIds: readonly number[]; readonly field: string };

/** Text, or one of the special strings. */
export type TextPiece =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "special"; readonly text: string };

export type ChatMessage = {
  /** `tool`: what a function returned. */
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: readonly ContentPart[];
  /** What an assistant asked for. */
  readonly toolCalls?: readonly ToolCall[];
  /** Of a `tool` turn: the call it answers; the first that nothing answers yet when absent. */
  readonly toolCallId?: string;
  /** Where the caller said which call that is, for the sentence that refuses it. */
  readonly field?: string;
};

export type ContentPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image"; readonly image: ImageSource };

/** A picture, or where it is to be fetched or read from. */
export type ImageSource = (EncodedImage | RemoteImage | StoredImage) & {
  /** Tiles it is fitted into, at most; as many as the model takes when absent. */
  readonly maxTiles?: number;
};

/** A picture as it arrived: the bytes of a PNG, JPEG, WebP or GIF file. */
export type EncodedImage = { readonly bytes: Uint8Array };

/** An `http:`, `https:` or `file:` address; whether it may be read is decided where it is fetched. */
export type RemoteImage = { readonly url: string };

/** A file that was sent here before. `field` is where it was named, for the sentence that refuses it. */
export type StoredImage = { readonly fileId: string; readonly field: string };

/** What an answer must look like. `field` is where the caller said so, for the sentence that refuses it. */
export type AnswerForm = { readonly field: string } & (
  | { readonly type: "json-object" }
  | { readonly type: "json-schema"; readonly schema: unknown }
  /** All of the answer matches it. */
  | { readonly type: "regex"; readonly pattern: string }
  /** xgrammar's EBNF, start symbol `root`. */
  | { readonly type: "grammar"; readonly text: string }
  /** One of these texts; at least one. */
  | { readonly type: "choices"; readonly options: readonly string[] }
);

/** How the next token is chosen and when to end. Ranges are checked by `checkSamplingParams`. */
export type SamplingParams = {
  /** Tokens to generate at most; `undefined`: as many as the context still holds. */
  readonly maxTokens: number | undefined;
  /** Shorten `maxTokens` to what the context still holds, where it would be refused. */
  readonly fitMaxTokens?: boolean;
  /** 0 picks the most likely token every time. */
  readonly temperature: number;
  /** Keep the k most likely tokens; 0 keeps all. */
  readonly topK: number;
  /** Keep the smallest set of tokens whose probabilities reach this sum; 1 keeps all. */
  readonly topP: number;
  /** Drop tokens less likely than this fraction of the most likely one; 0 keeps all. */
  readonly minP: number;
  /** Subtracted once from the logit of a token that was generated before. */
  readonly presencePenalty: number;
  /** Subtracted per earlier occurrence among the generated tokens. */
  readonly frequencyPenalty: number;
  /** Divides positive and multiplies negative logits of tokens in prompt or answer; 1 is off. */
  readonly repetitionPenalty: number;
  readonly seed: number | undefined;
  /** Text that ends the answer; it is not part of it. */
  readonly stop: readonly string[];
  /** Number of alternatives reported with each token, 0 to 20; `undefined`: no log-probabilities. */
  readonly logprobs: number | undefined;
  /** Added to the logits of these tokens, from -100 to 100. */
  readonly logitBias?: readonly { readonly tokenId: number; readonly bias: number }[];
  /** No end before there are so many tokens. */
  readonly minTokens?: number;
  /** The model's own end does not end the answer. */
  readonly ignoreEos?: boolean;
  /** Further tokens that end the answer. */
  readonly stopTokenIds?: readonly number[];
};
