/** How close is close enough, by the dtype that the weights have; each with what was measured. */

export type Tolerance = { readonly absolute: number; readonly relative: number };

export const tolerances = {
  /**
   * Stages in float32 against Transformers in float32. Measured: see the golden tests' largest
   * difference; both sides round differently, about 1e-5 after 40 layers of unit scale.
   */
  f32: { absolute: 2e-5, relative: 1e-5 },
} as const satisfies Record<string, Tolerance>;

/**
 * The largest `|actual − expected| / (absolute + relative · |expected|)`: above 1 is too far.
 *
 * @throws when lengths differ
 */
export function excess(actual: Float32Array, expected: Float32Array, tolerance: Tolerance): number {
  if (actual.length !== expected.length) {
    throw new Error(`${actual.length} numbers are compared with ${expected.length}`);
  }
  let worst = 0;
  for (let i = 0; i < actual.length; i++) {
    const [a, e] = [actual[i] ?? Number.NaN, expected[i] ?? Number.NaN];
    const ratio = Math.abs(a - e) / (tolerance.absolute + tolerance.relative * Math.abs(e));
    if (!(ratio <= worst)) worst = ratio;
  }
  return worst;
}
