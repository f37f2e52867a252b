/** `POST /v1/completions`: a bare prompt, for base models and scripts; pictures in `images`. */
import { z } from "zod";
import type { WireFinishReason } from "./chat.ts";
import { requestLimits } from "./limits.ts";
import { PictureData } from "./pictures.ts";
import type { AnswerReceipt, Usage } from "./receipt.ts";
import { samplingFields } from "./sampling.ts";

export const CompletionRequest = z.looseObject({
  model: z.string().min(1),
  prompt: z.union([z.string(), z.array(z.string()).length(1)]),
  /**
   * `data:` URLs, addresses or bytes. They stand for the `<|image|>` markers of the prompt in order; with
   * no marker they are put in front.
   */
  images: z.array(PictureData).max(requestLimits.maxImages).nullish(),
  ...samplingFields,
  /** Number of alternatives with each token. */
  logprobs: z.int().min(0).max(requestLimits.maxTopLogprobs).nullish(),
});
export type CompletionRequest = z.infer<typeof CompletionRequest>;

/** The classic shape: four lists of equal length. */
export type CompletionLogprobs = {
  readonly tokens: readonly string[];
  readonly token_logprobs: readonly number[];
  readonly top_logprobs: readonly Readonly<Record<string, number>>[];
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
    readonly index: 0;
    readonly text: string;
    readonly logprobs: CompletionLogprobs | null;
    readonly finish_reason: WireFinishReason | null;
  }[];
  readonly usage?: Usage | null;
  readonly atalaya?: AnswerReceipt;
};
