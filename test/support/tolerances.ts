/** How close is close enough, by the dtype that the weights have; each with what was measured. */

export type Tolerance = { readonly absolute: number; readonly relative: number };

export const tolerances = {
  /**
   * Stages in float32 against Transformers in float32. Measured: see the golden tests' largest
   * difference; both sides round differently, about 1e-5 after 40 layers of unit scale.
   */
  f32: { absolute: 2e-5, relative: 1e-5 },
  /**
   * Cosines and sines of equal float32 angles: one unit in the last place of a number below 1, which
   * is also what was measured. We round a double; PyTorch's vector functions are within a unit.
   */
  cosine: { absolute: 2 ** -24, relative: 0 },
} as const satisfies Record<string, Tolerance>;

/**
 * How far logits and projected tokens may be from float32's computed with the same (rounded) weights.
 *
 * ggml rounds the other factor of a product to the weights' dtype too: an error of 2^-9 of a value
 * in bfloat16 and of 2^-12 in float16, in every product. Measured on all cases of both profiles, with
 * logits of standard deviation 1.2 and projected tokens of 2.3: bfloat16 at most 0.058, and 0.011 in
 * the mean square; float16 at most 0.0035 and 0.0010. A wrong scale, tap or mask is far outside.
 */
export const roundedLimits = {
  bf16: { largest: 0.1, meanSquare: 0.02 },
  f16: { largest: 0.007, meanSquare: 0.002 },
} as const;

/**
 * @returns the largest difference and the root of the mean square
 * @throws when lengths differ
 */
export function distance(
  actual: Float32Array,
  expected: Float32Array,
): { readonly largest: number; readonly meanSquare: number } {
  requireEqualLengths(actual, expected);
  const squares = actual.map((value, i) => (value - (expected[i] ?? Number.NaN)) ** 2);
  return {
    largest: Math.sqrt(squares.reduce((most, square) => Math.max(most, square), 0)),
    meanSquare: Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length),
  };
}

/**
 * `excess` with both sides divided by the expected ones' root mean square. The limits were found for
 * stages of unit scale, as random weights give; a trained model's residual stream is tens of times
 * larger, and so is its rounding.
 */
export function excessAtUnitScale(
  actual: Float32Array,
  expected: Float32Array,
  tolerance: Tolerance,
): number {
  const scale = Math.sqrt(expected.reduce((sum, x) => sum + x * x, 0) / expected.length);
  const divided = (values: Float32Array): Float32Array => values.map((x) => x / scale);
  return excess(divided(actual), divided(expected), tolerance);
}

function requireEqualLengths(actual: Float32Array, expected: Float32Array): void {
  if (actual.length !== expected.length) {
    throw new Error(`${actual.length} numbers are compared with ${expected.length}`);
  }
}

/**
 * The largest `|actual − expected| / (absolute + relative · |expected|)`: above 1 is too far.
 *
 * @throws when lengths differ
 */
export function excess(actual: Float32Array, expected: Float32Array, tolerance: Tolerance): number {
  requireEqualLengths(actual, expected);
  let worst = 0;
  for (let i = 0; i < actual.length; i++) {
    const [a, e] = [actual[i] ?? Number.NaN, expected[i] ?? Number.NaN];
    const ratio = Math.abs(a - e) / (tolerance.absolute + tolerance.relative * Math.abs(e));
    if (!(ratio <= worst)) worst = ratio;
  }
  return worst;
}
