/** `POST /v1/moderations`: what Llama Guard thinks of a text and a picture, in OpenAI's categories. */
import { z } from "zod";
import { ChatContentPart } from "./chat.ts";
import { requestLimits } from "./limits.ts";

export const ModerationRequest = z.looseObject({
  /** The guard that runs when it is left out or one of OpenAI's names. */
  model: z.string().min(1).nullish(),
  /** A text; several, each with a result of its own; or the parts of one message. */
  input: z.union([
    z.string(),
    z.array(z.string()).min(1).max(64),
    z.array(ChatContentPart).min(1).max(requestLimits.maxPartsPerMessage),
  ]),
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
  readonly flagged: boolean;
  readonly categories: Readonly<Record<ModerationCategory, boolean>>;
  readonly category_scores: Readonly<Record<ModerationCategory, number>>;
  readonly category_applied_input_types: Readonly<
    Record<ModerationCategory, readonly ("text" | "image")[]>
  >;
  /** What the model itself said. */
  readonly llama_guard: {
    readonly verdict: "safe" | "unsafe";
    /** Of `unsafe` against `safe`, for the first word of the answer. */
    readonly unsafe_probability: number;
    readonly hazards: Readonly<
      Record<Hazard, { readonly name: string; readonly flagged: boolean; readonly score: number }>
    >;
  };
};

export type ModerationReply = {
  readonly id: string;
  readonly model: string;
  readonly results: readonly ModerationResult[];
};
