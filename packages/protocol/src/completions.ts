/** `POST /v1/completions`: a bare prompt, for base models and scripts; pictures in `images`. */
import { z } from "zod";
import type { WireFinishReason } from "./chat.ts";
import { requestLimits } from "./limits.ts";
import { PictureData } from "./pictures.ts";
import type { AnswerReceipt, OptionScore, Usage } from "./receipt.ts";
import { samplingFields } from "./sampling.ts";

const tokenIds = z
  .array(
    z
      .int()
      .min(0)
      .max(2 ** 31 - 1),
  )
  .min(1)
  .max(requestLimits.maxPromptTokenIds);

export const CompletionRequest = z.looseObject({
  model: z.string().min(1),
  /** A text, or its token ids; or several of either, each with answers of its own. */
  prompt: z.union([
    z.string(),
    tokenIds,
    z.array(z.string()).min(1).max(requestLimits.maxPrompts),
    z.array(tokenIds).min(1).max(requestLimits.maxPrompts),
  ]),
  /**
   * `data:` URLs, addresses or bytes. They stand for the `<|image|>` markers of the prompt in order; with
   * no marker they are put in front of a text. Of a single prompt alone.
   */
  images: z.array(PictureData).max(requestLimits.maxImages).nullish(),
  ...samplingFields,
  /** 0 only with `echo`. */
  max_tokens: z.int().min(0).nullish(),
  best_of: z.int().min(1).max(requestLimits.maxChoices).nullish(),
  /** The prompt comes first in the answer's text. */
  echo: z.boolean().nullish(),
  /** Number of alternatives with each token. */
  logprobs: z.int().min(0).max(requestLimits.maxTopLogprobs).nullish(),
});
export type CompletionRequest = z.infer<typeof CompletionRequest>;

/** The classic shape: four lists of equal length. */
export type CompletionLogprobs = {
  readonly tokens: readonly string[];
  /** `null` for a token that nothing precedes, and for a picture's. */
  readonly token_logprobs: readonly (number | null)[];
  readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[];
  /** Where each token begins in the answer, in UTF-16 units. */
  readonly text_offset: readonly number[];
};

/** The whole answer, and each chunk of a streamed one. */
export type Completion = {
  readonly id: string;
  readonly object: "text_completion";
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
  /** Empty only in the usage chunk of a stream. */
  readonly choices: readonly {
    /** With several prompts: the answers of the first one, then those of the second, and so on. */
    readonly index: number;
    readonly text: string;
    readonly logprobs: CompletionLogprobs | null;
    readonly finish_reason: WireFinishReason | null;
    /** With `choices` in the request. */
    readonly options?: readonly OptionScore[];
  }[];
  readonly usage?: Usage | null;
  readonly atalaya?: AnswerReceipt;
};
