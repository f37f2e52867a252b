/** Labels that name a model, and the replica of it. They come from launches, so the number of series is bounded. */
import type { ModelInstance } from "../supervisor/instance.ts";

export const modelLabels = [
  "model_type",
  "model_uid",
  "model_name",
  "engine",
  "format",
  "quantization",
  "replica_index",
] as const;

export type ModelLabels = Record<(typeof modelLabels)[number], string>;

/** @param replica its number; absent where it is about the model, or where no replica got the request */
export function labelsOf(
  { uid, modelName, engineKind, format, quantization }: ModelInstance,
  replica?: number,
): ModelLabels {
  return {
    model_type: "LLM",
    model_uid: uid,
    model_name: modelName,
    engine: engineKind,
    format,
    quantization,
    replica_index: replica === undefined ? "" : `${replica}`,
  };
}
