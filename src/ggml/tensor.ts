/**
 * A tensor as the rest of the code sees it: a dtype and a shape, outermost axis first.
 *
 * ggml stores and reports the same axes innermost first and always has four of them; this file and
 * `graph.ts` are the only ones that know. A tensor belongs to a graph or a tensor set and dies with it.
 */
import { type Dtype, dtypeTraits, rowBytes } from "./dtype.ts";
import type { Pointer } from "./symbols.ts";

/** Who frees a tensor. Using a tensor of a disposed owner throws instead of crashing. */
export type TensorOwner = { readonly isDisposed: boolean; readonly name: string };

/**
 * What may be done with a tensor's memory: anything; reading (a mapped file); only multiplying by it
 * (weights in the layout of `Backend.allocateRepacked`). Views have the memory of what they view.
 */
export type TensorMemory = "plain" | "read only" | "repacked";

/** Four extents or byte strides, innermost first: ggml's `ne` and `nb`. */
export type Four = readonly [number, number, number, number];

/** Far above any model, and far below where ggml's sizes overflow. */
const MAX_ELEMENTS = 2 ** 44;

export class Tensor {
  readonly dtype: Dtype;
  /** Outermost axis first, as in the reference implementation. */
  readonly shape: readonly number[];
  /** ggml's extents; for `src/ggml` only. */
  readonly extents: Four;
  /** ggml's byte strides; for `src/ggml` only. */
  readonly strides: Four;
  readonly memory: TensorMemory;
  readonly #owner: TensorOwner;
  readonly #pointer: Pointer;

  constructor(
    owner: TensorOwner,
    pointer: Pointer,
    dtype: Dtype,
    shape: readonly number[],
    { strides, memory = "plain" }: { readonly strides?: Four; readonly memory?: TensorMemory } = {},
  ) {
    this.dtype = dtype;
    this.shape = shape;
    this.extents = toExtents(shape);
    this.strides = strides ?? contiguousStrides(dtype, this.extents);
    this.memory = memory;
    this.#owner = owner;
    this.#pointer = pointer;
  }

  get numElements(): number {
    return this.extents[0] * this.extents[1] * this.extents[2] * this.extents[3];
  }

  get isContiguous(): boolean {
    const [ne0, ne1, ne2, ne3] = this.extents;
    const [nb0, nb1, nb2, nb3] = this.strides;
    const rowStride = rowBytes(this.dtype, ne0);
    return (
      (ne0 === 1 || nb0 === dtypeTraits[this.dtype].blockBytes) &&
      (ne1 === 1 || nb1 === rowStride) &&
      (ne2 === 1 || nb2 === rowStride * ne1) &&
      (ne3 === 1 || nb3 === rowStride * ne1 * ne2)
    );
  }

  toString(): string {
    return `${this.dtype}[${this.shape.join(", ")}]`;
  }

  /** The address, while the owner lives; for `src/ggml` only. */
  static pointerOf(tensor: Tensor): Pointer {
    if (tensor.#owner.isDisposed) {
      throw new Error(`${tensor} is used after its ${tensor.#owner.name} was disposed`);
    }
    return tensor.#pointer;
  }

  /** Who made this tensor; for `src/ggml` only. */
  static ownerOf(tensor: Tensor): TensorOwner {
    return tensor.#owner;
  }
}

export function toExtents(shape: readonly number[]): Four {
  const { length } = shape;
  if (length < 1 || length > 4) {
    throw new Error(`a tensor has one to four axes, not [${shape.join(", ")}]`);
  }
  // Without iterators and reversed copies: a step makes over a thousand tensors.
  for (let axis = 0; axis < length; axis++) {
    const extent = shape[axis];
    if (!Number.isSafeInteger(extent) || (extent ?? 0) < 1) {
      throw new Error(`[${shape.join(", ")}] is not a shape: every extent is a positive integer`);
    }
  }
  const ne0 = shape[length - 1] ?? 1;
  const ne1 = shape[length - 2] ?? 1;
  const ne2 = shape[length - 3] ?? 1;
  const ne3 = shape[length - 4] ?? 1;
  if (ne0 * ne1 * ne2 * ne3 > MAX_ELEMENTS) {
    throw new Error(`[${shape.join(", ")}] has more elements than any memory holds`);
  }
  return [ne0, ne1, ne2, ne3];
}

function contiguousStrides(dtype: Dtype, extents: Four): Four {
  const nb1 = rowBytes(dtype, extents[0]);
  const nb2 = nb1 * extents[1];
  return [dtypeTraits[dtype].blockBytes, nb1, nb2, nb2 * extents[2]];
}

/** Bytes of a contiguous tensor of this shape. */
export function tensorBytes(dtype: Dtype, shape: readonly number[]): number {
  const extents = toExtents(shape);
  return contiguousStrides(dtype, extents)[3] * extents[3];
}
