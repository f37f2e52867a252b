/**
 * Rows of a file in fewer bits, by ggml's own functions, off the event loop.
 *
 * How many run at once is the caller's choice; libuv's threads run them, so a process that wants all
 * cores starts with `UV_THREADPOOL_SIZE` set to their number.
 */
import koffi from "koffi";
import { type Dtype, dtypeTraits, rowBytes } from "./dtype.ts";
import { type GgmlLibrary, loadGgml } from "./library.ts";
import { FileMapping } from "./mapping.ts";

type NativeFunction = GgmlLibrary["base"][keyof GgmlLibrary["base"]];

export type RowsToQuantize = {
  /** Of the file's beginning. */
  readonly offset: number;
  readonly from: "f32" | "f16" | "bf16";
  readonly to: Dtype;
  readonly numRows: number;
  readonly width: number;
  /** `[width]`: how much an error in each column counts; all alike when absent. */
  readonly importance: Float32Array | undefined;
};

/** A file of weights, mapped for reading rows out of it. */
export class QuantizationSource implements Disposable {
  readonly #library: GgmlLibrary;
  readonly #mapping: FileMapping;

  constructor(path: string) {
    this.#library = loadGgml();
    this.#mapping = FileMapping.open(this.#library, path);
  }

  /** @returns the rows as a file holds them */
  async quantize(rows: RowsToQuantize): Promise<Uint8Array> {
    const { offset, from, to, numRows, width, importance } = rows;
    const numElements = numRows * width;
    const numBytes = numElements * dtypeTraits[from].blockBytes;
    if (offset < 0 || offset + numBytes > this.#mapping.sizeBytes) {
      throw new Error(`${numRows} rows at ${offset} lie outside of their file`);
    }
    if (importance !== undefined && importance.length !== width) {
      throw new Error(`${importance.length} weights are given for ${width} columns`);
    }
    const { base } = this.#library;
    const source = this.#mapping.address + BigInt(offset);
    const result = new Uint8Array(numRows * rowBytes(to, width));
    const wide = from === "f32" ? undefined : new Float32Array(numElements);
    if (wide === undefined && offset % 4 !== 0) {
      throw new Error(`float32 numbers at ${offset} are not aligned`);
    }
    if (wide !== undefined) {
      const widen = from === "bf16" ? base.ggml_bf16_to_fp32_row : base.ggml_fp16_to_fp32_row;
      await call(widen, [source, koffi.address(wide), numElements], [wide]);
    }
    await call(
      base.ggml_quantize_chunk,
      [
        dtypeTraits[to].ggmlType,
        wide === undefined ? source : koffi.address(wide),
        koffi.address(result),
        0,
        numRows,
        width,
        importance === undefined ? null : koffi.address(importance),
      ],
      [wide, result, importance],
    );
    return result;
  }

  [Symbol.dispose](): void {
    this.#mapping[Symbol.dispose]();
  }
}

/**
 * What native code has the addresses of. A variable that is not read again keeps nothing: the collector took such memory
 * under a running call.
 */
const inUse = new Set<readonly unknown[]>();

function call(
  native: NativeFunction,
  args: readonly unknown[],
  memory: readonly unknown[],
): Promise<unknown> {
  inUse.add(memory);
  return new Promise<unknown>((resolve, reject) => {
    native.async(...args, (error: unknown, result: unknown) =>
      error ? reject(error) : resolve(result),
    );
  }).finally(() => inUse.delete(memory));
}
