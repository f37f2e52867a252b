/**
 * A GGUF's tensors, by the names of the published files: those of a file of ours, which are the
 * published ones as they are, and those of Ollama's, which were renamed and changed.
 *
 * What Ollama's converter changed is not undone here, where nothing may be copied, but described, for
 * `load-weights.ts` and the graph to follow.
 */
import { PlatformError } from "../../base/errors.ts";
import { readTensorF32 } from "../../formats/convert.ts";
import type { GgufFile } from "../../formats/gguf.ts";
import { shown } from "../../formats/shown.ts";
import type { TensorEntry } from "../../formats/tensor-entry.ts";
import type { MllamaConfig } from "./config.ts";
import { type OllamaForm, ollamaExtras, ollamaName } from "./ollama-names.ts";
import { expectedTensors } from "./weights.ts";

/** How the numbers in a file differ from the published ones. */
export type WeightForm = {
  /**
   * Order of the channels of each head in the text model's query and key projections: the two halves
   * that are rotated together one after the other, or in turns.
   */
  readonly headChannels: "halves" | "interleaved";
  /** Gates whose `tanh` was taken already. */
  readonly tanhedGates: ReadonlySet<string>;
  /** Divisors of the rotary frequencies, in place of a scaling in config.json. */
  readonly ropeFactors: Float32Array | undefined;
};

export const publishedForm: WeightForm = {
  headChannels: "halves",
  tanhedGates: new Set(),
  ropeFactors: undefined,
};

/** `general.architecture` of files that `quantize.ts` writes. */
export const OUR_ARCHITECTURE = "atalaya-mllama";
const OLLAMA_ARCHITECTURE = "mllama";

export type GgufOrigin = "ours" | OllamaForm;

/**
 * Whose file it is.
 *
 * @param projector the second file of Ollama's older form
 * @throws PlatformError `corrupt_model_file` for another kind of model
 */
export function originOfGguf(model: GgufFile, projector: GgufFile | undefined): GgufOrigin {
  const architecture = model.metadata.get("general.architecture")?.value;
  if (architecture === OUR_ARCHITECTURE && projector === undefined) return "ours";
  if (architecture !== OLLAMA_ARCHITECTURE) {
    throw corrupt(
      `it holds a model of the architecture ${shown(architecture ?? "unknown")}, and Atalaya serves Llama 3.2 Vision (mllama)`,
    );
  }
  if (projector !== undefined) return "pair";
  if (model.tensors.has("v.patch_embd.weight")) return "single";
  throw corrupt(
    "it holds the text half of the model without its eyes; the projector file that belongs to it is missing",
  );
}

/** @throws PlatformError `corrupt_model_file` */
export async function ggufWeights(
  config: MllamaConfig,
  model: GgufFile,
  projector: GgufFile | undefined,
): Promise<{ readonly tensors: ReadonlyMap<string, TensorEntry>; readonly form: WeightForm }> {
  const origin = originOfGguf(model, projector);
  if (origin === "ours") return { tensors: model.tensors, form: publishedForm };
  const found = new Map([...model.tensors, ...(projector?.tensors ?? [])]);
  const tensors = new Map<string, TensorEntry>();
  const used = new Set<string>();
  for (const [name, shape] of expectedTensors(config)) {
    const stored = ollamaName(name, origin);
    used.add(stored);
    const entry = found.get(stored);
    if (entry !== undefined) tensors.set(name, withAxes(entry, shape));
  }
  const foreign = [...found.keys()].find((name) => !used.has(name) && !ollamaExtras.has(name));
  if (foreign !== undefined) {
    throw corrupt(`its tensor ${shown(foreign)} belongs to no part of this model`);
  }
  const factors = found.get("rope_freqs.weight");
  return {
    tensors,
    form: {
      headChannels: "interleaved",
      tanhedGates: await findTanhedGates(tensors, origin),
      ropeFactors: factors === undefined ? undefined : await ropeFactors(factors, config),
    },
  };
}

/** Converters drop axes of one, or add some: `[1, n]` for `[n]`, `[out, 588]` for `[out, 3, 14, 14]`. */
function withAxes(entry: TensorEntry, shape: readonly number[]): TensorEntry {
  const size = (axes: readonly number[]): number =>
    axes.reduce((product, axis) => product * axis, 1);
  const isSame = size(entry.shape) === size(shape) && entry.shape[0] === shape[0];
  const isVector = shape.length === 1 && size(entry.shape) === size(shape);
  return isSame || isVector ? { ...entry, shape } : entry;
}

const positionGates = [
  "vision_model.gated_positional_embedding.gate",
  "vision_model.pre_tile_positional_embedding.gate",
  "vision_model.post_tile_positional_embedding.gate",
];

/**
 * Those of the position and tile embeddings always; those of the global layers except in single files
 * of one month. These give themselves away by a value outside of (−1, 1), which no `tanh` has, or by
 * being nothing but bfloat16 numbers, as the published gates are and their `tanh`s are not.
 */
async function findTanhedGates(
  tensors: ReadonlyMap<string, TensorEntry>,
  form: OllamaForm,
): Promise<ReadonlySet<string>> {
  const ofLayers = [...tensors].filter(([name]) => /global_transformer\..*\.gate_/.test(name));
  const values: number[] = [];
  for (const [, entry] of ofLayers) values.push(...(await readTensorF32(entry)));
  if (form === "single" && areRaw(values)) return new Set(positionGates);
  return new Set([...positionGates, ...ofLayers.map(([name]) => name)]);
}

/** Fewer say nothing: one number in 65,536 is a bfloat16 by chance. */
const MIN_EVIDENCE = 2;

function areRaw(gates: readonly number[]): boolean {
  const telling = gates.filter((gate) => gate !== 0);
  const words = new Uint32Array(Float32Array.from(telling).buffer);
  return (
    telling.some((gate) => Math.abs(gate) > 1) ||
    (telling.length >= MIN_EVIDENCE && words.every((word) => (word & 0xffff) === 0))
  );
}

async function ropeFactors(entry: TensorEntry, { text }: MllamaConfig): Promise<Float32Array> {
  const factors = await readTensorF32(entry);
  if (factors.length !== text.headSize / 2 || factors.some((factor) => !(factor > 0))) {
    throw corrupt(
      `its rope_freqs.weight are not ${text.headSize / 2} positive numbers, one for each pair of channels`,
    );
  }
  return factors;
}

function corrupt(what: string): PlatformError {
  return new PlatformError(
    "corrupt_model_file",
    `The GGUF file cannot be used: ${what}. Take another file.`,
  );
}
