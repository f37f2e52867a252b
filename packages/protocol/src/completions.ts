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
  model: z.string().min(1).describe("Name of a running model, or one of its other names."),
  prompt: z
    .union([
      z.string(),
      tokenIds,
      z.array(z.string()).min(1).max(requestLimits.maxPrompts),
      z.array(tokenIds).min(1).max(requestLimits.maxPrompts),
    ])
    .describe("A text, or its token ids; or up to 128 of either, each with answers of its own."),
  images: z
    .array(PictureData)
    .max(requestLimits.maxImages)
    .nullish()
    .describe(
      "`data:` URLs, addresses or bytes of up to 8 pictures. They stand for the `<|image|>` markers of the prompt in order; with no marker they are put in front of a text. Of a single prompt alone.",
    ),
  ...samplingFields,
  max_tokens: z
    .int()
    .min(0)
    .nullish()
    .describe("Tokens of each answer at most; 0 only with `echo`. 16 when left out."),
  best_of: z
    .int()
    .min(1)
    .max(requestLimits.maxChoices)
    .nullish()
    .describe(
      "Generate so many answers to each prompt, at least `n`, and keep those whose tokens are likeliest on average. `n` when left out.",
    ),
  echo: z
    .boolean()
    .nullish()
    .describe("Whether the prompt comes first in the answer's text. `false` when left out."),
  logprobs: z
    .int()
    .min(0)
    .max(requestLimits.maxTopLogprobs)
    .nullish()
    .describe(
      "How many alternatives are told with each token; 0 tells the chosen ones' log-probabilities alone. None when left out.",
    ),
});
export type CompletionRequest = z.infer<typeof CompletionRequest>;

/** The classic shape: four lists of equal length. */
export type CompletionLogprobs = {
  /** The tokens as text. */
  readonly tokens: readonly string[];
  /** Log-probability of each; `null` for a token that nothing precedes, and for a picture's. */
  readonly token_logprobs: readonly (number | null)[];
  /** For each token the likeliest in its place, text to log-probability; `null` where there is none. */
  readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[];
  /** Where each token begins in the answer, in UTF-16 units. */
  readonly text_offset: readonly number[];
};

/** The whole answer, and each chunk of a streamed one. */
export type Completion = {
  /** Id of the answer, `cmpl-…`; the same in all its chunks. */
  readonly id: string;
  /** Always `text_completion`. */
  readonly object: "text_completion";
  /** When it was asked for, in seconds since 1970. */
  readonly created: number;
  /** The model's name, as it was asked for. */
  readonly model: string;
  /** The answers; of a stream one answer's next piece, and none in the usage chunk. */
  readonly choices: readonly {
    /**
     * Number of the answer, from 0. With several prompts: the answers of the first one, then those
     * of the second, and so on.
     */
    readonly index: number;
    /** The text, or its next piece. */
    readonly text: string;
    /** With `logprobs` in the request, else `null`. */
    readonly logprobs: CompletionLogprobs | null;
    /** `stop`: by itself or at a stop text; `length`: at the bound; `null` until the answer has ended. */
    readonly finish_reason: WireFinishReason | null;
    /** With `choices` in the request: what each of the listed answers is worth. */
    readonly options?: readonly OptionScore[];
  }[];
  /** Tokens that were taken; in a stream in its last chunk, when that was asked for. */
  readonly usage?: Usage | null;
  /** The receipt; in a stream in the chunk that ends the last answer. */
  readonly atalaya?: AnswerReceipt;
};
