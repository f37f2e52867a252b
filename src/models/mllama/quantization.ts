/**
 * What each tensor becomes in a quantization. Pure; see docs/adr/0015, and bench/quantization.ts for what was measured.
 *
 * The text model's matrices are quantized. The vision tower and the projector stay as they are: they are
 * a tenth of the weights, computed once a picture, and their error reaches every word about it. Norms,
 * gates and embeddings of positions are small.
 */
import { type FileDtype, fileDtypes } from "../../formats/tensor-entry.ts";
import { mayBeQuantized } from "./weight-kinds.ts";

/** Smallest last. */
export const quantizations = ["q8_0", "q6_k", "q5_k", "q4_k", "q4_0"] as const;
export type Quantization = (typeof quantizations)[number];

export const isQuantization = (name: string): name is Quantization =>
  (quantizations as readonly string[]).includes(name);

export type TensorToQuantize = {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: FileDtype;
};

export type ChooseType = (tensor: TensorToQuantize) => FileDtype;

const mainType = {
  q8_0: "Q8_0",
  q6_k: "Q6_K",
  q5_k: "Q5_K",
  q4_k: "Q4_K",
  q4_0: "Q4_0",
} as const satisfies Record<Quantization, FileDtype>;

/** Where rows are no whole blocks: the next larger type whose blocks they are. */
const fallbacks: Readonly<Partial<Record<FileDtype, FileDtype>>> = {
  Q4_K: "Q8_0",
  Q5_K: "Q8_0",
  Q6_K: "Q8_0",
};

/**
 * @param quantization one of `quantizations`; anything else leaves every tensor as it is
 * @param numLayers of the text model
 */
export function quantizedTypes(quantization: string, numLayers: number): ChooseType {
  if (!isQuantization(quantization)) return ({ dtype }) => dtype;
  return (tensor) => {
    const { name, shape, dtype } = tensor;
    const isText = name.startsWith("language_model.");
    if (!isText || !mayBeQuantized(name, shape) || fileDtypes[dtype].length > 1) return dtype;
    const wanted = wantedType(name, quantization, numLayers);
    return (wanted === undefined ? undefined : fitting(wanted, shape.at(-1) ?? 0)) ?? dtype;
  };
}

/** `undefined`: it stays as it is. */
function wantedType(
  name: string,
  quantization: Quantization,
  numLayers: number,
): FileDtype | undefined {
  const type = mainType[quantization];
  // Only rows of it are ever read, so bits cost nothing but room on the disk, and an error here reaches everything.
  if (name.endsWith("embed_tokens.weight")) {
    return quantization === "q8_0" || quantization === "q6_k" ? undefined : "Q8_0";
  }
  if (quantization === "q8_0" || quantization === "q6_k") return type;
  // Every logit is a row of the head.
  if (name.endsWith("lm_head.weight")) return "Q6_K";
  // Keys have few rows, as heads share them, and scores follow from them.
  if (quantization === "q4_0") return /self_attn\.k_proj/.test(name) ? "Q8_0" : type;
  const isSensitive = name.endsWith("v_proj.weight") || name.endsWith("down_proj.weight");
  const layer = Number(/\.layers\.(\d+)\./.exec(name)?.[1] ?? 0);
  return isSensitive && needsMoreBits(layer, numLayers) ? "Q6_K" : type;
}

/** Half of the layers: the first and last eighth, and every third between. */
function needsMoreBits(layer: number, numLayers: number): boolean {
  const eighth = Math.floor(numLayers / 8);
  return layer < eighth || layer >= numLayers - eighth || (layer - eighth) % 3 === 2;
}

function fitting(type: FileDtype, width: number): FileDtype | undefined {
  const fits = (candidate: FileDtype): boolean => width % fileDtypes[candidate].length === 0;
  if (fits(type)) return type;
  const fallback = fallbacks[type];
  return fallback !== undefined && fits(fallback) ? fallback : undefined;
}
