/** Random weights of any size, on the device: speed does not depend on what the numbers are. */
import type { Backend } from "../../src/ggml/backend.ts";
import type { Dtype } from "../../src/ggml/dtype.ts";
import type { Tensor } from "../../src/ggml/tensor.ts";
import { tensorBytes } from "../../src/ggml/tensor.ts";
import type { TensorSet, TensorSpec } from "../../src/ggml/tensor-set.ts";

/** Tensors to be: named first, allocated together, then filled. */
export class RandomWeights implements Disposable {
  readonly #matrices = new Map<string, TensorSpec>();
  readonly #vectors = new Map<string, TensorSpec>();
  #sets: { matrices: TensorSet; vectors: TensorSet } | undefined;

  wantMatrix(name: string, dtype: Dtype, shape: readonly [number, number]): void {
    this.#matrices.set(name, { dtype, shape });
  }

  wantVector(name: string, shape: readonly number[]): void {
    this.#vectors.set(name, { dtype: "f32", shape });
  }

  allocate(backend: Backend): void {
    const matrices = backend.allocate(this.#matrices);
    const vectors = backend.allocate(this.#vectors);
    this.#sets = { matrices, vectors };
    const blocks = new Map<string, Uint8Array>();
    for (const [name, { dtype, shape }] of this.#matrices) {
      const key = `${dtype} ${shape.join("x")}`;
      const bytes = blocks.get(key) ?? randomBytes(dtype, shape);
      blocks.set(key, bytes);
      matrices.write(matrices.get(name), bytes);
    }
    for (const [name, { shape }] of this.#vectors) {
      const length = shape.reduce((product, extent) => product * extent, 1);
      vectors.write(vectors.get(name), new Float32Array(length).fill(1));
    }
  }

  matrix(name: string): Tensor {
    return this.#allocated.matrices.get(name);
  }

  vector(name: string): Tensor {
    return this.#allocated.vectors.get(name);
  }

  /** Bytes of all matrices. */
  get matrixBytes(): number {
    return [...this.#matrices.values()].reduce(
      (sum, { dtype, shape }) => sum + tensorBytes(dtype, shape),
      0,
    );
  }

  [Symbol.dispose](): void {
    this.#sets?.matrices[Symbol.dispose]();
    this.#sets?.vectors[Symbol.dispose]();
  }

  get #allocated(): { matrices: TensorSet; vectors: TensorSet } {
    if (this.#sets === undefined) throw new Error("the weights are not allocated yet");
    return this.#sets;
  }
}

/** Valid elements of a dtype around ±0.02: scales and numbers, never infinities. */
function randomBytes(dtype: Dtype, shape: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(tensorBytes(dtype, shape));
  let state = 1;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 16;
  };
  if (dtype === "q4_0") {
    for (let i = 0; i < bytes.length; i++) bytes[i] = next() & 0xff;
    // The first two bytes of each block of 18 are its scale in half precision: 0x1c00 is 2^-8.
    for (let block = 0; block < bytes.length; block += 18) {
      bytes[block] = 0;
      bytes[block + 1] = 0x1c;
    }
    return bytes;
  }
  const halves = new Uint16Array(bytes.buffer);
  const exponent = dtype === "bf16" ? 0x3c00 : 0x2400;
  for (let i = 0; i < halves.length; i++) halves[i] = exponent | (next() & 0x807f);
  return bytes;
}
