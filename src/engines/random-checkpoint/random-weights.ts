/**
 * Random numbers in bfloat16 for one tensor, in pieces: equal seeds and names, equal numbers.
 *
 * Matrices are normally distributed with a spread that keeps activations of one size from layer to layer, so that
 * nothing overflows however deep the model is. The tile tables are zero for tiles that an aspect ratio leaves unused, as those
 * that were published: the tower shares the work of unused tiles only then.
 */
import { createHash } from "node:crypto";
import type { MllamaConfig } from "../../models/mllama/config.ts";
import { isGate } from "../../models/mllama/weight-kinds.ts";

export type TensorToFill = { readonly name: string; readonly shape: readonly number[] };

/** Values that 16 random bits choose among. */
const NUM_VALUES = 1 << 16;

/** Quantiles of the standard normal distribution; none is beyond 4.3. Made when first asked for. */
let normal: Float64Array | undefined;
const tables = new Map<string, Uint16Array>();

/** Fills a tensor from its first element on. */
export class RandomTensor {
  readonly #values: Uint16Array;
  readonly #isZeroAt: (element: number) => boolean;
  readonly #state: Uint32Array;
  /** Elements that are alike in `#isZeroAt`. */
  readonly #period: number;
  #next = 0;

  constructor(config: MllamaConfig, { name, shape }: TensorToFill, seed: number) {
    const { mean, spread } = distributionOf(config, name, shape);
    this.#values = tableOf(mean, spread);
    const digest = createHash("sha256").update(`${seed} ${name}`).digest();
    this.#state = Uint32Array.from([0, 4, 8, 12], (at) => digest.readUInt32LE(at) | 1);
    const { maxTiles, aspectRatios } = config.vision;
    const isTable = /tile_(positional_)?embedding(\.embedding)?\.weight$/.test(name);
    this.#period = isTable ? (shape.at(-1) ?? 1) / maxTiles : Number.POSITIVE_INFINITY;
    this.#isZeroAt = (element) => {
      if (!isTable) return false;
      const slot = Math.floor(element / this.#period);
      const grid = aspectRatios[Math.floor(slot / maxTiles) - 1];
      return slot % maxTiles >= (grid === undefined ? 0 : grid.rows * grid.columns);
    };
  }

  /** The next elements, as many as `piece` holds. */
  fill(piece: Uint16Array): void {
    for (let done = 0; done < piece.length; ) {
      const left = this.#period - (this.#next % this.#period);
      const length = Math.min(piece.length - done, Number.isFinite(left) ? left : piece.length);
      const part = piece.subarray(done, done + length);
      if (this.#isZeroAt(this.#next)) part.fill(0);
      else this.#draw(part);
      this.#next += length;
      done += length;
    }
  }

  /** xoshiro128++, two elements a number. @see https://prng.di.unimi.it */
  #draw(part: Uint16Array): void {
    const values = this.#values;
    let [a = 1, b = 1, c = 1, d = 1] = this.#state;
    for (let i = 0; i < part.length; i += 2) {
      const sum = (a + d) | 0;
      const bits = (((sum << 7) | (sum >>> 25)) + a) | 0;
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = (d << 11) | (d >>> 21);
      part[i] = values[bits & 0xffff] ?? 0;
      if (i + 1 < part.length) part[i + 1] = values[bits >>> 16] ?? 0;
    }
    this.#state.set([a, b, c, d]);
  }
}

function distributionOf(
  { text, vision }: MllamaConfig,
  name: string,
  shape: readonly number[],
): { readonly mean: number; readonly spread: number } {
  if (isGate(name)) return { mean: 0.3, spread: 0.05 };
  if (/norm(_pre|_post)?\.weight$/.test(name)) return { mean: 1, spread: 0.05 };
  if (name.endsWith(".bias")) return { mean: 0, spread: 0.02 };
  if (name.endsWith("embed_tokens.weight")) return { mean: 0, spread: 0.5 };
  if (/(position|class|tile).*embedding/.test(name)) return { mean: 0, spread: 0.05 };
  const fanIn = shape.slice(1).reduce((product, extent) => product * extent, 1);
  const isResidual = /(o_proj|down_proj|fc2)\.weight$/.test(name);
  // Every layer adds two updates to the residual stream.
  const depth = name.startsWith("vision_model")
    ? vision.numLocalLayers + vision.numGlobalLayers
    : text.numLayers;
  return { mean: 0, spread: 1 / Math.sqrt(fanIn * (isResidual ? 2 * depth : 1)) };
}

function tableOf(mean: number, spread: number): Uint16Array {
  const key = `${mean} ${spread}`;
  const known = tables.get(key);
  if (known !== undefined) return known;
  normal ??= quantiles();
  const words = new Uint32Array(Float32Array.from(normal, (z) => mean + spread * z).buffer);
  // Rounded to nearest: the upper half of a float32.
  const table = Uint16Array.from(words, (word) => (word + 0x8000) >>> 16);
  tables.set(key, table);
  return table;
}

/** By Newton's method on the distribution function, from the middle outwards. */
function quantiles(): Float64Array {
  const values = new Float64Array(NUM_VALUES);
  let z = 0;
  for (let index = NUM_VALUES / 2; index < NUM_VALUES; index++) {
    const wanted = (index + 0.5) / NUM_VALUES;
    for (let round = 0; round < 3; round++) z -= (cumulative(z) - wanted) / density(z);
    values[index] = z;
    values[NUM_VALUES - 1 - index] = -z;
  }
  return values;
}

const density = (z: number): number => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);

/** @see Abramowitz and Stegun, 26.2.11: a series that converges for every z */
function cumulative(z: number): number {
  let term = z;
  let sum = z;
  for (let n = 3; Math.abs(term) > 1e-12; n += 2) {
    term *= (z * z) / n;
    sum += term;
  }
  return 0.5 + density(z) * sum;
}
