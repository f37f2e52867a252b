/** `POST /v1/moderations`: what Llama Guard thinks of a text and a picture, in OpenAI's categories. */
import { z } from "zod";
import { ChatContentPart } from "./chat.ts";
import { requestLimits } from "./limits.ts";

export const ModerationRequest = z.looseObject({
  model: z
    .string()
    .min(1)
    .nullish()
    .describe(
      "Name of a running guard. The one that runs when it is left out or one of OpenAI's names.",
    ),
  input: z
    .union([
      z.string(),
      z.array(z.string()).min(1).max(64),
      z.array(ChatContentPart).min(1).max(requestLimits.maxPartsPerMessage),
    ])
    .describe("A text; up to 64, each with a result of its own; or the parts of one message."),
});
export type ModerationRequest = z.infer<typeof ModerationRequest>;

/** OpenAI's, in their order. */
export const moderationCategories = [
  "harassment",
  "harassment/threatening",
  "hate",
  "hate/threatening",
  "illicit",
  "illicit/violent",
  "self-harm",
  "self-harm/intent",
  "self-harm/instructions",
  "sexual",
  "sexual/minors",
  "violence",
  "violence/graphic",
] as const;
export type ModerationCategory = (typeof moderationCategories)[number];

/** Llama Guard's hazards, after MLCommons. */
export const hazards = {
  S1: "Violent Crimes",
  S2: "Non-Violent Crimes",
  S3: "Sex Crimes",
  S4: "Child Exploitation",
  S5: "Defamation",
  S6: "Specialized Advice",
  S7: "Privacy",
  S8: "Intellectual Property",
  S9: "Indiscriminate Weapons",
  S10: "Hate",
  S11: "Self-Harm",
  S12: "Sexual Content",
  S13: "Elections",
  S14: "Code Interpreter Abuse",
} as const;
export type Hazard = keyof typeof hazards;

export type ModerationResult = {
  /** Whether `unsafe` is likelier than `safe`. */
  readonly flagged: boolean;
  /** OpenAI's categories: whether each applies. */
  readonly categories: Readonly<Record<ModerationCategory, boolean>>;
  /** How likely each category is, 0 to 1. */
  readonly category_scores: Readonly<Record<ModerationCategory, number>>;
  /** What of the input each category was judged by. */
  readonly category_applied_input_types: Readonly<
    Record<ModerationCategory, readonly ("text" | "image")[]>
  >;
  /** What the model itself said. */
  readonly llama_guard: {
    /** The first word of its answer. */
    readonly verdict: "safe" | "unsafe";
    /** Probability of `unsafe` against `safe`, for the first word of the answer. */
    readonly unsafe_probability: number;
    /** The guard's own hazards, S1 to S14. */
    readonly hazards: Readonly<
      Record<
        Hazard,
        {
          /** What the hazard is. */
          readonly name: string;
          /** Whether the answer named it. */
          readonly flagged: boolean;
          /** How likely it is, 0 to 1. */
          readonly score: number;
        }
      >
    >;
  };
};

export type ModerationReply = {
  /** Id of the answer, `modr-…`. */
  readonly id: string;
  /** Name of the guard that was asked. */
  readonly model: string;
  /** One for each input. */
  readonly results: readonly ModerationResult[];
};
