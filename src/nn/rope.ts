/**
 * Rotary position embedding from tables of cosines and sines.
 *
 * ggml has an operator for it, which multiplies its angle up step by step and drifts at long
 * positions (7.6e-3 at 100,000); the tables follow the reference's float32 arithmetic exactly.
 */
import type { Graph } from "../ggml/graph.ts";
import type { Tensor } from "../ggml/tensor.ts";

export type RopeParameters = {
  readonly headSize: number;
  readonly theta: number;
  readonly scaling:
    | {
        readonly factor: number;
        readonly lowFreqFactor: number;
        readonly highFreqFactor: number;
        readonly originalMaxPositions: number;
      }
    | undefined;
};

/** Cosines and signed sines of some positions, as graph inputs. */
export type RopeTables = {
  /** `[numTokens, 1, headSize]`, both halves alike. */
  readonly cos: Tensor;
  /** `[numTokens, 1, headSize]`, the first half negated. */
  readonly signedSin: Tensor;
};

/**
 * Rotation per position of each channel pair, radians: `[headSize / 2]`, float32 at every step.
 *
 * A number over a tensor is, in PyTorch, the number times the tensor's rounded reciprocal. One unit
 * in the last place of a frequency is 1e-4 of a cosine at position 131,071, so that is kept.
 *
 * With scaling, long wavelengths are stretched by `factor`, short ones kept, those between blended.
 *
 * @see Transformers `_compute_llama3_parameters` in `modeling_rope_utils.py`
 */
export function inverseFrequencies({ headSize, theta, scaling }: RopeParameters): Float32Array {
  const { fround } = Math;
  const frequencies = new Float32Array(headSize / 2);
  for (let pair = 0; pair < frequencies.length; pair++) {
    const exponent = fround(fround(2 * pair) / headSize);
    const frequency = fround(1 / fround(theta ** exponent));
    frequencies[pair] = scaling === undefined ? frequency : stretch(frequency, scaling);
  }
  return frequencies;
}

function stretch(frequency: number, scaling: NonNullable<RopeParameters["scaling"]>): number {
  const { fround } = Math;
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling;
  const wavelength = fround(fround(1 / frequency) * fround(2 * Math.PI));
  if (wavelength < originalMaxPositions / highFreqFactor) return frequency;
  const stretched = fround(frequency / factor);
  if (wavelength > originalMaxPositions / lowFreqFactor) return stretched;
  const blend = fround(
    fround(fround(fround(1 / wavelength) * originalMaxPositions) - lowFreqFactor) /
      (highFreqFactor - lowFreqFactor),
  );
  return fround(fround(fround(fround(1 - blend) * frequency) / factor) + fround(blend * frequency));
}

/**
 * Tables for `positions`, `[numTokens, headSize]` each.
 *
 * The angle is rounded to float32 before its cosine is taken, as the reference does: at position
 * 100,000 an angle in double precision gives visibly different numbers.
 */
export function rotationTables(
  inverse: Float32Array,
  positions: readonly number[],
): { cos: Float32Array; signedSin: Float32Array } {
  const half = inverse.length;
  const cos = new Float32Array(positions.length * half * 2);
  const signedSin = new Float32Array(positions.length * half * 2);
  positions.forEach((position, token) => {
    const row = token * half * 2;
    for (let pair = 0; pair < half; pair++) {
      const angle = Math.fround(position * (inverse[pair] ?? 0));
      const sine = Math.sin(angle);
      cos[row + pair] = cos[row + half + pair] = Math.cos(angle);
      signedSin[row + pair] = -sine;
      signedSin[row + half + pair] = sine;
    }
  });
  return { cos, signedSin };
}

/**
 * Rotate each head's channel pairs `(d, d + headSize / 2)`.
 *
 * @param heads `[numTokens, numHeads, headSize]`
 * @returns the shape of `heads`
 * @see Transformers `apply_rotary_pos_emb`: `x · cos + rotate_half(x) · sin`
 */
export function rotate(graph: Graph, heads: Tensor, { cos, signedSin }: RopeTables): Tensor {
  const half = (heads.shape[2] ?? 0) / 2;
  const swapped = graph.concat(
    graph.slice(heads, 2, half, half),
    graph.slice(heads, 2, 0, half),
    2,
  );
  return graph.add(graph.multiply(heads, cos), graph.multiply(swapped, signedSin));
}
