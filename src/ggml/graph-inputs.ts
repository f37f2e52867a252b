/** Data that a graph takes from the host: kept until it is computed, ids measured once. */
import type { Dtype } from "./dtype.ts";
import type { GgmlLibrary } from "./library.ts";
import { requireThat } from "./operand-checks.ts";
import { Tensor } from "./tensor.ts";

export type InputData = Float32Array | Uint16Array | Int32Array | BigInt64Array;

/** Numbers of an input that is zero elsewhere; `first` counts numbers, row by row. */
export type Run = { readonly first: number; readonly data: Uint16Array };

type Range = { readonly smallest: number | bigint; readonly largest: number | bigint };

export class GraphInputs {
  readonly #data = new Map<Tensor, InputData>();
  readonly #sparse = new Map<Tensor, readonly Run[]>();
  /** Of integer inputs, when they were first used as row ids. */
  readonly #ranges = new Map<Tensor, Range>();

  get size(): number {
    return this.#data.size + this.#sparse.size;
  }

  /** @throws Error when `data` is not of the tensor's size or dtype */
  add(tensor: Tensor, data: InputData): void {
    requireThat(
      data instanceof arrayTypeOf(tensor.dtype) &&
        data.byteLength === tensor.strides[3] * tensor.extents[3],
      () => `${data.constructor.name} of ${data.byteLength} bytes is not a ${tensor}`,
    );
    // Ids are copied, so that what was checked is what ggml reads.
    const isIds = data instanceof Int32Array || data instanceof BigInt64Array;
    this.#data.set(tensor, isIds ? data.slice() : data);
  }

  /** Zeros, but for some runs: nothing of the tensor's size is made here. @throws Error when a run leaves the tensor */
  addZeros(tensor: Tensor, runs: readonly Run[]): void {
    requireThat(tensor.dtype === "f16", () => `${tensor} is no f16`);
    for (const { first, data } of runs) {
      requireThat(
        Number.isInteger(first) && first >= 0 && first + data.length <= tensor.numElements,
        () => `${data.length} numbers from ${first} on leave ${tensor}`,
      );
    }
    this.#sparse.set(tensor, runs);
  }

  /** ggml would read or write past the table. @throws Error when an id is no row of it */
  requireRows(table: Tensor, rowIds: Tensor): void {
    const { smallest, largest } = this.#rangeOf(table, rowIds);
    const numRows = table.extents[1];
    requireThat(smallest >= 0, () => `${table} has no row ${smallest}`);
    requireThat(largest < numRows, () => `${table} has no row ${largest}`);
  }

  /** Copy the data to the device. An input that no operator reads has no memory there. */
  write({
    ggml_get_data,
    ggml_backend_tensor_set,
    ggml_backend_tensor_memset,
  }: GgmlLibrary["base"]): void {
    for (const [tensor, data] of this.#data) {
      const pointer = Tensor.pointerOf(tensor);
      if (ggml_get_data(pointer) === null) continue;
      ggml_backend_tensor_set(pointer, data, 0, data.byteLength);
    }
    for (const [tensor, runs] of this.#sparse) {
      const pointer = Tensor.pointerOf(tensor);
      if (ggml_get_data(pointer) === null) continue;
      ggml_backend_tensor_memset(pointer, 0, 0, tensor.numElements * 2);
      for (const { first, data } of runs) {
        ggml_backend_tensor_set(pointer, data, first * 2, data.byteLength);
      }
    }
  }

  #rangeOf(table: Tensor, rowIds: Tensor): Range {
    const known = this.#ranges.get(rowIds);
    if (known !== undefined) return known;
    const ids = this.#data.get(rowIds);
    const [first] = ids ?? [];
    if (ids === undefined || first === undefined) {
      throw new Error(`row ids of ${table} must be an input`);
    }
    let [smallest, largest] = [first, first];
    for (const id of ids) {
      if (id < smallest) smallest = id;
      if (id > largest) largest = id;
    }
    const range = { smallest, largest };
    this.#ranges.set(rowIds, range);
    return range;
  }
}

function arrayTypeOf(dtype: Dtype) {
  if (dtype === "f32") return Float32Array;
  if (dtype === "i32") return Int32Array;
  return dtype === "i64" ? BigInt64Array : Uint16Array;
}
