/** A loaded model: its numbers, its weights and the switches of its profile. */
import type { Backend } from "../../ggml/backend.ts";
import { inverseFrequencies } from "../../nn/rope.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { MllamaConfig } from "./config.ts";
import type { MllamaWeights } from "./model-weights.ts";
import type { Placement } from "./placement.ts";
import type { StateDtype } from "./state-dtype.ts";

/**
 * Where Meta's reference and Transformers differ.
 *
 * @see mllama.md §0
 */
export type ProfileSwitches = {
  readonly taps: "input" | "output";
  readonly maskedRows: "zero" | "leak";
};

export const profiles = {
  /** Meta's semantics, what the weights were released with. */
  ref: { taps: "input", maskedRows: "zero" },
  /** Transformers 4.56 and later, as installed. */
  hf: { taps: "output", maskedRows: "leak" },
} as const satisfies Record<string, ProfileSwitches>;

export type MllamaModel = {
  readonly backend: Backend;
  readonly config: MllamaConfig;
  readonly weights: MllamaWeights;
  readonly placement: Placement;
  readonly switches: ProfileSwitches;
  readonly inverseFrequencies: Float32Array;
  /** dtype of the keys and values that are kept for pictures; `towerDtype` of it are those inside the tower. */
  readonly stateDtype: StateDtype;
};

/** `[headSize / 2]`, radians a position; see `nn/rope.ts`. */
export function textFrequencies({
  config: { text },
  form: { ropeFactors },
}: Pick<Checkpoint, "config" | "form">): Float32Array {
  const frequencies = inverseFrequencies({ headSize: text.headSize, ...text.rope });
  if (ropeFactors === undefined) return frequencies;
  return frequencies.map((frequency, pair) => frequency / (ropeFactors[pair] ?? 1));
}
