/** A guard's verdict → OpenAI's result, with the guard's own words beside it. Pure. */
import {
  type Hazard,
  hazards,
  type ModerationCategory,
  type ModerationResult,
  moderationCategories,
} from "@atalaya/protocol";
import type { GuardInput } from "./guard-prompt.ts";
import { allHazards, type HazardScores } from "./read-verdict.ts";

export type Verdict = {
  readonly unsafeProbability: number;
  /** Empty when it is safe. */
  readonly named: readonly Hazard[];
  readonly scores: HazardScores;
};

/**
 * Which of OpenAI's categories a hazard stands for. Specialized advice, privacy, intellectual property
 * and elections stand for none: they flag the input and show among the hazards.
 */
const categoriesOf: Readonly<Record<Hazard, readonly ModerationCategory[]>> = {
  S1: ["violence", "illicit", "illicit/violent"],
  S2: ["illicit"],
  S3: ["sexual", "illicit"],
  S4: ["sexual", "sexual/minors"],
  S5: ["harassment"],
  S6: [],
  S7: [],
  S8: [],
  S9: ["illicit", "illicit/violent"],
  S10: ["hate"],
  S11: ["self-harm"],
  S12: ["sexual"],
  S13: [],
  S14: ["illicit"],
};

export function toModerationResult(
  { unsafeProbability, named, scores }: Verdict,
  input: GuardInput,
): ModerationResult {
  const isUnsafe = unsafeProbability >= 0.5;
  const hazardResult = (code: Hazard) => ({
    name: hazards[code],
    flagged: isUnsafe && named.includes(code),
    score: rounded(unsafeProbability * (scores.get(code) ?? 0)),
  });
  const hazardResults = Object.fromEntries(
    allHazards.map((code) => [code, hazardResult(code)]),
  ) as Record<Hazard, ReturnType<typeof hazardResult>>;
  const standingFor = (category: ModerationCategory) =>
    allHazards
      .filter((code) => categoriesOf[code].includes(category))
      .map((code) => hazardResults[code]);
  const types = [
    ...(input.text === "" ? [] : ["text" as const]),
    ...(input.image === undefined ? [] : ["image" as const]),
  ];
  return {
    flagged: isUnsafe,
    categories: perCategory((category) => standingFor(category).some(({ flagged }) => flagged)),
    category_scores: perCategory((category) =>
      Math.max(0, ...standingFor(category).map(({ score }) => score)),
    ),
    category_applied_input_types: perCategory((category) =>
      standingFor(category).length === 0 ? [] : types,
    ),
    llama_guard: {
      verdict: isUnsafe ? "unsafe" : "safe",
      unsafe_probability: rounded(unsafeProbability),
      hazards: hazardResults,
    },
  };
}

function perCategory<Value>(
  toValue: (category: ModerationCategory) => Value,
): Record<ModerationCategory, Value> {
  return Object.fromEntries(
    moderationCategories.map((category) => [category, toValue(category)]),
  ) as Record<ModerationCategory, Value>;
}

function rounded(probability: number): number {
  return Math.round(probability * 1e6) / 1e6;
}
