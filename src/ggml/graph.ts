/**
 * One computation: describe it with operators, compute it once, dispose it.
 *
 * Every operator checks dtypes and shapes before ggml sees them, because ggml answers a mistake by
 * ending the process. Shapes are outermost axis first; `[rows, width]` is `rows` vectors of `width`.
 */
import { type Dtype, dtypeTraits } from "./dtype.ts";
import type { GgmlLibrary } from "./library.ts";
import type { Pointer } from "./symbols.ts";
import { type Four, Tensor, type TensorOwner } from "./tensor.ts";
import { newTensor } from "./tensor-set.ts";

/** Reusable memory of one graph: headers of tensors, and the allocator for their elements. */
export type GraphArena = {
  readonly metadata: Buffer;
  readonly allocator: Pointer;
  readonly maxNodes: number;
};

export type InputData = Float32Array | Uint16Array | Int32Array | BigInt64Array;

const GGML_PREC_F32 = 10;

export class Graph implements Disposable, TensorOwner {
  readonly name = "graph";
  readonly #library: GgmlLibrary;
  readonly #backend: Pointer;
  readonly #arena: GraphArena;
  readonly #context: Pointer;
  readonly #graph: Pointer;
  readonly #release: () => void;
  readonly #inputs: { readonly tensor: Tensor; readonly data: InputData }[] = [];
  #computeMs = 0;
  #state: "building" | "computing" | "computed" | "disposed" = "building";

  /** Made by `Backend.newGraph`. */
  constructor(library: GgmlLibrary, backend: Pointer, arena: GraphArena, release: () => void) {
    const { base } = library;
    this.#library = library;
    this.#backend = backend;
    this.#arena = arena;
    this.#release = release;
    this.#context = base.ggml_init({
      mem_size: arena.metadata.length,
      mem_buffer: arena.metadata,
      no_alloc: true,
    });
    this.#graph = base.ggml_new_graph_custom(this.#context, arena.maxNodes, false);
  }

  get isDisposed(): boolean {
    return this.#state === "disposed";
  }

  /** Data from the host, copied when the graph is computed. */
  input(dtype: Dtype, shape: readonly number[], data: InputData): Tensor {
    this.#checkBuilding();
    const pointer = newTensor(this.#library.base, this.#context, dtype, shape);
    const tensor = new Tensor(this, pointer, dtype, shape);
    if (data.byteLength !== tensor.strides[3] * tensor.extents[3]) {
      throw new Error(`${data.byteLength} bytes are not a ${tensor}`);
    }
    this.#library.base.ggml_set_input(pointer);
    this.#inputs.push({ tensor, data });
    return tensor;
  }

  /** `input · weightᵀ`: `[…, rows, in]` by `[…, out, in]` → `[…, rows, out]`, float32. Outer axes of `weight` are repeated to those of `input`. */
  matmul(weight: Tensor, input: Tensor): Tensor {
    const [w, x] = [weight.extents, input.extents];
    requireThat(
      w[0] === x[0] && x[2] % w[2] === 0 && x[3] % w[3] === 0,
      () => `${input} cannot be multiplied by ${weight}`,
    );
    requireThat(
      weight.strides[0] === dtypeTraits[weight.dtype].blockBytes,
      () => `${weight} is transposed`,
    );
    requireDtype(input, "f32");
    const shape = [...input.shape.slice(0, -1), w[1]];
    return this.#make("ggml_mul_mat", "f32", shape, weight, input);
  }

  /** `a + b`, `b` repeated along axes where `a` is a multiple of it. */
  add(a: Tensor, b: Tensor): Tensor {
    return this.#elementwise("ggml_add", a, b);
  }

  /** `a − b`, repeated as in `add`. */
  subtract(a: Tensor, b: Tensor): Tensor {
    return this.#elementwise("ggml_sub", a, b);
  }

  /** `a · b`, element by element, repeated as in `add`. */
  multiply(a: Tensor, b: Tensor): Tensor {
    return this.#elementwise("ggml_mul", a, b);
  }

  scale(a: Tensor, factor: number): Tensor {
    requireDtype(a, "f32");
    return this.#make("ggml_scale", "f32", a.shape, a, factor);
  }

  /** Each vector over its root mean square; no weight. */
  rmsNormalize(a: Tensor, epsilon: number): Tensor {
    requireDtype(a, "f32");
    return this.#make("ggml_rms_norm", "f32", a.shape, a, epsilon);
  }

  /** Each vector centred, over its standard deviation (biased variance); no weight. */
  normalize(a: Tensor, epsilon: number): Tensor {
    requireDtype(a, "f32");
    return this.#make("ggml_norm", "f32", a.shape, a, epsilon);
  }

  /** The exact form, `x/2 · (1 + erf(x/√2))`. */
  gelu(a: Tensor): Tensor {
    requireDtype(a, "f32");
    return this.#make("ggml_gelu_erf", "f32", a.shape, a);
  }

  /** `silu(gate) · up`. */
  swiglu(gate: Tensor, up: Tensor): Tensor {
    requireDtype(gate, "f32");
    requireDtype(up, "f32");
    requireThat(sameShape(gate, up), () => `${gate} and ${up} differ in shape`);
    return this.#make("ggml_swiglu_split", "f32", gate.shape, gate, up);
  }

  /** `softmax(a · scale + mask)` over the last axis; `mask` is `[…, rows, width]` in float32. */
  softmax(a: Tensor, mask: Tensor | undefined, scale: number): Tensor {
    requireDtype(a, "f32");
    if (mask !== undefined) {
      requireDtype(mask, "f32");
      requireThat(
        mask.extents[0] === a.extents[0] && mask.extents[1] >= a.extents[1] && mask.isContiguous,
        () => `${mask} is no mask for ${a}`,
      );
    }
    return this.#make("ggml_soft_max_ext", "f32", a.shape, a, mask, scale, 0);
  }

  /**
   * Attention with shared key-value heads, without storing the scores.
   *
   * @param query `[numHeads, numQueries, keySize]` float32, any strides
   * @param key `[numKvHeads, numKeys, keySize]` f32 or f16
   * @param value `[numKvHeads, numKeys, valueSize]`, the dtype of `key`
   * @param mask `[numQueries padded to 64, numKeys]` f16, added to the scaled scores
   * @returns `[numQueries, numHeads, valueSize]` float32
   */
  attention(parts: {
    readonly query: Tensor;
    readonly key: Tensor;
    readonly value: Tensor;
    readonly mask: Tensor | undefined;
    readonly scale: number;
  }): Tensor {
    const { query, key, value, mask, scale } = parts;
    const [q, k, v] = [query.extents, key.extents, value.extents];
    requireDtype(query, "f32");
    requireThat(key.dtype === "f32" || key.dtype === "f16", () => `${key} cannot be attended to`);
    requireThat(
      key.dtype === value.dtype && k[1] === v[1] && k[2] === v[2] && k[3] === 1 && v[3] === 1,
      () => `${key} and ${value} do not belong together`,
    );
    requireThat(
      q[0] === k[0] && q[2] % k[2] === 0 && q[3] === 1,
      () => `${query} cannot attend to ${key}`,
    );
    for (const tensor of [query, key, value]) {
      const elementBytes = dtypeTraits[tensor.dtype].blockBytes;
      requireThat(tensor.strides[0] === elementBytes, () => `${tensor} is transposed`);
    }
    if (mask !== undefined) {
      requireDtype(mask, "f16");
      requireThat(
        mask.isContiguous && mask.extents[0] === k[1] && mask.extents[1] >= q[1],
        () => `${mask} is no mask for ${query} over ${key}`,
      );
    }
    const shape = [q[1], q[2], v[0]];
    const result = this.#make(
      "ggml_flash_attn_ext",
      "f32",
      shape,
      query,
      key,
      value,
      mask,
      scale,
      0,
      0,
    );
    this.#library.base.ggml_flash_attn_ext_set_prec(Tensor.pointerOf(result), GGML_PREC_F32);
    return result;
  }

  /** Rows `[n, width]` of a table `[numRows, width]`, in float32; every id must be below `numRows`. */
  getRows(table: Tensor, rowIds: Tensor): Tensor {
    requireDtype(rowIds, "i32");
    requireThat(
      table.shape.length === 2 && rowIds.shape.length === 1,
      () => `${rowIds} of ${table} are no rows`,
    );
    this.#checkRowIds(table, rowIds);
    return this.#make("ggml_get_rows", "f32", [rowIds.extents[0], table.extents[0]], table, rowIds);
  }

  /** Write rows `[n, width]` into `table` `[numRows, width]`, converting; returns the table as written. */
  setRows(table: Tensor, rows: Tensor, rowIds: Tensor): Tensor {
    requireDtype(rows, "f32");
    requireDtype(rowIds, "i64");
    requireThat(
      table.extents[0] === rows.extents[0] &&
        rows.extents[1] === rowIds.extents[0] &&
        table.shape.length === 2 &&
        rows.shape.length === 2,
      () => `${rows} cannot be written into ${table} at ${rowIds}`,
    );
    this.#checkRowIds(table, rowIds);
    const pointer = this.#call("ggml_set_rows", table, rows, rowIds);
    return new Tensor(this, pointer, table.dtype, table.shape, table.strides);
  }

  /** Copy, converting, into `destination`; returns it as written. */
  copyInto(source: Tensor, destination: Tensor): Tensor {
    requireThat(
      source.numElements === destination.numElements,
      () => `${source} does not fill ${destination}`,
    );
    const pointer = this.#call("ggml_cpy", source, destination);
    return new Tensor(this, pointer, destination.dtype, destination.shape, destination.strides);
  }

  cast(a: Tensor, dtype: Dtype): Tensor {
    if (a.dtype === dtype) return a;
    return this.#make("ggml_cast", dtype, a.shape, a, dtypeTraits[dtype].ggmlType);
  }

  /** `a` itself when it is contiguous, else a packed copy. */
  contiguous(a: Tensor): Tensor {
    return a.isContiguous ? a : this.#make("ggml_cont", a.dtype, a.shape, a);
  }

  /** Join along an axis of the outermost-first shape. */
  concat(a: Tensor, b: Tensor, axis: number): Tensor {
    requireThat(
      a.dtype === b.dtype &&
        a.shape.length === b.shape.length &&
        a.shape.every((extent, i) => i === axis || extent === b.shape[i]),
      () => `${a} and ${b} cannot be joined along axis ${axis}`,
    );
    const shape = a.shape.map((extent, i) => (i === axis ? extent + (b.shape[i] ?? 0) : extent));
    return this.#make("ggml_concat", a.dtype, shape, a, b, a.shape.length - 1 - axis);
  }

  /** Repeat `a` to `shape`, every extent of which is a multiple of `a`'s. */
  repeat(a: Tensor, shape: readonly number[]): Tensor {
    requireDtype(a, "f32");
    requireThat(
      shape.length === a.shape.length &&
        shape.every((extent, i) => extent % (a.shape[i] ?? 0) === 0),
      () => `${a} cannot be repeated to [${shape.join(", ")}]`,
    );
    return this.#make("ggml_repeat_4d", "f32", shape, a, ...fourExtents(shape));
  }

  reshape(a: Tensor, shape: readonly number[]): Tensor {
    const numElements = shape.reduce((product, extent) => product * extent, 1);
    requireThat(
      a.isContiguous && numElements === a.numElements,
      () => `${a} cannot be reshaped to [${shape.join(", ")}]`,
    );
    return this.#make("ggml_reshape_4d", a.dtype, shape, a, ...fourExtents(shape));
  }

  /** `[rows, width]` → `[rows, …inner]`, sharing memory; rows need not follow each other directly. */
  splitRows(a: Tensor, inner: readonly [number, number]): Tensor {
    const [numRows = 0, width] = a.shape;
    const { blockLength, blockBytes } = dtypeTraits[a.dtype];
    requireThat(
      a.shape.length === 2 && inner[0] * inner[1] === width && inner[1] % blockLength === 0,
      () => `the rows of ${a} cannot be split into [${inner.join(", ")}]`,
    );
    const innerBytes = (inner[1] / blockLength) * blockBytes;
    const strides: Four = [a.strides[0], innerBytes, a.strides[1], a.strides[1] * numRows];
    const shape = [numRows, ...inner];
    const [, nb1, nb2, nb3] = strides;
    const pointer = this.#call("ggml_view_4d", a, ...fourExtents(shape), nb1, nb2, nb3, 0);
    return new Tensor(this, pointer, a.dtype, shape, strides);
  }

  /** Part of one axis, sharing memory. */
  slice(a: Tensor, axis: number, start: number, length: number): Tensor {
    const extent = a.shape[axis] ?? 0;
    requireThat(
      Number.isInteger(start) && start >= 0 && length >= 1 && start + length <= extent,
      () => `${a} has no ${start} … ${start + length} on axis ${axis}`,
    );
    if (start === 0 && length === extent) return a;
    const inner = a.shape.length - 1 - axis;
    const { blockLength, blockBytes } = dtypeTraits[a.dtype];
    requireThat(
      inner > 0 || (start % blockLength === 0 && length % blockLength === 0),
      () => `${a} cannot be cut at ${start}: ${a.dtype} comes in blocks of ${blockLength}`,
    );
    const offset =
      inner === 0 ? (start / blockLength) * blockBytes : start * (a.strides[inner] ?? 0);
    const shape = a.shape.map((n, i) => (i === axis ? length : n));
    const [nb0, nb1, nb2, nb3] = a.strides;
    const pointer = this.#call("ggml_view_4d", a, ...fourExtents(shape), nb1, nb2, nb3, offset);
    return new Tensor(this, pointer, a.dtype, shape, [nb0, nb1, nb2, nb3]);
  }

  /** As NumPy's `transpose`: axis `j` of the result is axis `axes[j]` of `a`; shares memory. */
  permute(a: Tensor, axes: readonly number[]): Tensor {
    const rank = a.shape.length;
    requireThat(
      axes.length === rank && axes.toSorted((x, y) => x - y).every((axis, i) => axis === i),
      () => `[${axes.join(", ")}] is no order of the axes of ${a}`,
    );
    const destinations = [0, 1, 2, 3];
    const strides = [...a.strides];
    axes.forEach((source, j) => {
      destinations[rank - 1 - source] = rank - 1 - j;
      strides[rank - 1 - j] = a.strides[rank - 1 - source] ?? 0;
    });
    const shape = axes.map((axis) => a.shape[axis] ?? 1);
    const pointer = this.#call("ggml_permute", a, ...destinations);
    const [nb0 = 0, nb1 = 0, nb2 = 0, nb3 = 0] = strides;
    return new Tensor(this, pointer, a.dtype, shape, [nb0, nb1, nb2, nb3]);
  }

  /** Have `tensor` computed before anything that is added later, e.g. a write before the reads. */
  require(tensor: Tensor): void {
    this.#checkBuilding();
    this.#library.base.ggml_build_forward_expand(this.#graph, Tensor.pointerOf(tensor));
  }

  /**
   * Run the graph, off the event loop, and read `outputs`.
   *
   * @returns for each output its elements, row-major, float32
   */
  async compute(outputs: readonly Tensor[]): Promise<Float32Array[]> {
    const { base } = this.#library;
    this.#checkBuilding();
    const packed = outputs.map((output) => {
      requireDtype(output, "f32");
      return this.contiguous(output);
    });
    for (const output of packed) base.ggml_set_output(Tensor.pointerOf(output));
    for (const output of packed) this.require(output);
    this.#state = "computing";
    if (!base.ggml_gallocr_alloc_graph(this.#arena.allocator, this.#graph)) {
      this.#state = "computed";
      throw new Error("ggml could not allocate the graph's buffers");
    }
    for (const { tensor, data } of this.#inputs) {
      base.ggml_backend_tensor_set(Tensor.pointerOf(tensor), data, 0, data.byteLength);
    }
    const start = performance.now();
    const status = await new Promise<number>((resolve, reject) => {
      base.ggml_backend_graph_compute.async(
        this.#backend,
        this.#graph,
        (error: unknown, result: number) => (error ? reject(error) : resolve(result)),
      );
    });
    this.#state = "computed";
    this.#computeMs = performance.now() - start;
    if (status !== 0) throw new Error(`ggml ended the computation with status ${status}`);
    return packed.map((output) => {
      const result = new Float32Array(output.numElements);
      base.ggml_backend_tensor_get(Tensor.pointerOf(output), result, 0, result.byteLength);
      return result;
    });
  }

  /** Time that ggml took to compute, milliseconds; 0 before. */
  get computeMs(): number {
    return this.#computeMs;
  }

  get numNodes(): number {
    return Number(this.#library.base.ggml_graph_n_nodes(this.#graph));
  }

  [Symbol.dispose](): void {
    if (this.#state === "disposed") return;
    if (this.#state === "computing")
      throw new Error("a graph cannot be disposed while it computes");
    this.#state = "disposed";
    this.#library.base.ggml_free(this.#context);
    this.#release();
  }

  /** ggml would read or write past the table. */
  #checkRowIds(table: Tensor, rowIds: Tensor): void {
    const input = this.#inputs.find(({ tensor }) => tensor === rowIds);
    requireThat(input !== undefined, () => `row ids of ${table} must be an input`);
    for (const id of input?.data ?? []) {
      requireThat(id >= 0 && id < table.extents[1], () => `${table} has no row ${id}`);
    }
  }

  #elementwise(symbol: "ggml_add" | "ggml_sub" | "ggml_mul", a: Tensor, b: Tensor): Tensor {
    requireDtype(a, "f32");
    requireDtype(b, "f32");
    requireThat(
      a.extents.every((extent, axis) => extent % (b.extents[axis] ?? 0) === 0),
      () => `${b} cannot be repeated to ${a}`,
    );
    return this.#make(symbol, "f32", a.shape, a, b);
  }

  /** Call an operator whose result is packed and of this shape. */
  #make(
    symbol: keyof GgmlLibrary["base"],
    dtype: Dtype,
    shape: readonly number[],
    ...args: readonly (Tensor | number | undefined)[]
  ): Tensor {
    return new Tensor(this, this.#call(symbol, ...args), dtype, shape);
  }

  #call(
    symbol: keyof GgmlLibrary["base"],
    ...args: readonly (Tensor | number | undefined)[]
  ): Pointer {
    this.#checkBuilding();
    const pointer = this.#library.base[symbol](
      this.#context,
      ...args.map((arg) => (arg instanceof Tensor ? Tensor.pointerOf(arg) : (arg ?? null))),
    );
    if (pointer === null) throw new Error(`${symbol} failed`);
    return pointer;
  }

  #checkBuilding(): void {
    if (this.#state !== "building") throw new Error(`the graph is ${this.#state} already`);
  }
}

function fourExtents(shape: readonly number[]): Four {
  const [ne0 = 1, ne1 = 1, ne2 = 1, ne3 = 1] = shape.toReversed();
  return [ne0, ne1, ne2, ne3];
}

function sameShape(a: Tensor, b: Tensor): boolean {
  return a.extents.every((extent, axis) => extent === b.extents[axis]);
}

function requireDtype(tensor: Tensor, dtype: Dtype): void {
  requireThat(tensor.dtype === dtype, () => `expected ${dtype}, got ${tensor}`);
}

function requireThat(isTrue: boolean, describe: () => string): void {
  if (!isTrue) throw new Error(describe());
}
