/** Data that a graph takes from the host: kept until it is computed, ids measured once. */
import type { Dtype } from "./dtype.ts";
import type { GgmlLibrary } from "./library.ts";
import { requireThat } from "./operand-checks.ts";
import { Tensor } from "./tensor.ts";

export type InputData = Float32Array | Uint16Array | Int32Array | BigInt64Array;

type Range = { readonly smallest: number | bigint; readonly largest: number | bigint };

export class GraphInputs {
  readonly #data = new Map<Tensor, InputData>();
  /** Of integer inputs, when they were first used as row ids. */
  readonly #ranges = new Map<Tensor, Range>();

  get size(): number {
    return this.#data.size;
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

  /** ggml would read or write past the table. @throws Error when an id is no row of it */
  requireRows(table: Tensor, rowIds: Tensor): void {
    const { smallest, largest } = this.#rangeOf(table, rowIds);
    const numRows = table.extents[1];
    requireThat(smallest >= 0, () => `${table} has no row ${smallest}`);
    requireThat(largest < numRows, () => `${table} has no row ${largest}`);
  }

  /** Copy the data to the device. An input that no operator reads has no memory there. */
  write({ ggml_get_data, ggml_backend_tensor_set }: GgmlLibrary["base"]): void {
    for (const [tensor, data] of this.#data) {
      const pointer = Tensor.pointerOf(tensor);
      if (ggml_get_data(pointer) === null) continue;
      ggml_backend_tensor_set(pointer, data, 0, data.byteLength);
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
