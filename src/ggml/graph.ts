/**
 * One computation: describe it with operators, compute it once, dispose it.
 *
 * Every operator checks dtypes, shapes and memory before ggml sees them (`operand-checks.ts`), because
 * ggml answers a mistake by ending the process. Shapes are outermost axis first; `[rows, width]` is `rows` vectors of `width`.
 */
import { PlatformError } from "../base/errors.ts";
import { CPU } from "./device.ts";
import { type Dtype, dtypeTraits } from "./dtype.ts";
import { GraphInputs, type InputData, type Run } from "./graph-inputs.ts";
import { computeInSlices } from "./graph-slices.ts";
import {
  type Activation,
  activations,
  fewRowsPiece,
  type Kernels,
  leastRows,
  WOVEN,
} from "./kernels.ts";
import type { GgmlLibrary } from "./library.ts";
import {
  type AttentionOperands,
  requireAttention,
  requireContiguous,
  requireConvertible,
  requireDtype,
  requireEpsilon,
  requireF32,
  requireF32Rows,
  requireNoBlocks,
  requireNumbers,
  requirePackedRows,
  requireReadable,
  requireSameShape,
  requireThat,
  requireWritable,
} from "./operand-checks.ts";
import type { Pointer } from "./symbols.ts";
import { type Four, Tensor, type TensorOwner, toExtents } from "./tensor.ts";
import { newTensor, TensorSet } from "./tensor-set.ts";

/** Reusable memory of one graph's headers; that of its elements is the back end's. */
export type GraphArena = { readonly metadata: Buffer; readonly maxNodes: number };

/** By `Device.id`. */
export type GraphPlaces = {
  /** Those whose memory the graph reads or writes. */
  readonly used: ReadonlySet<string>;
  /** Operators that run on a certain one. */
  readonly pinned: ReadonlyMap<Pointer, string>;
};

/** How a back end computes a graph that has been described. */
export type ComputePlan = {
  /** Memory for all its tensors; false when there is none. */
  readonly allocate: () => boolean;
  /** Compute the graph, or a part of its nodes, when its turn comes. */
  readonly run: (
    graph: Pointer,
  ) => Promise<{ readonly status: number; readonly computeMs: number }>;
  readonly canBeParted: boolean;
};

/** What a graph needs of its back end. */
type GraphParts = {
  readonly library: GgmlLibrary;
  readonly arena: GraphArena;
  readonly maxNodes: number;
  /** Whether it will be computed in parts: what its nodes cost is kept then. */
  readonly isPausable: boolean;
  /** Our own operators, where this processor has them. */
  readonly kernels: Kernels | undefined;
  readonly plan: (graph: Pointer, places: GraphPlaces) => ComputePlan;
  readonly release: (canReuseArena: boolean) => void;
};

const GGML_PREC_F32 = 10;
/** As many as the computation has. */
const GGML_N_TASKS_MAX = -1;

export class Graph implements Disposable, TensorOwner {
  readonly name = "graph";
  readonly #library: GgmlLibrary;
  readonly #maxNodes: number;
  readonly #plan: GraphParts["plan"];
  readonly #release: GraphParts["release"];
  readonly #kernels: Kernels | undefined;
  readonly #context: Pointer;
  readonly #graph: Pointer;
  readonly #inputs = new GraphInputs();
  /** Operands that outlive the graph, and the sets that hold them. */
  readonly #persistent = new Set<Tensor>();
  readonly #sets = new Set<TensorSet>();
  /** Of a graph that is computed in parts. */
  readonly #costs: Map<Pointer, number> | undefined;
  readonly #pinned = new Map<Pointer, string>();
  #numTensors = 0;
  #computeMs = 0;
  #canReuseArena = true;
  #state: "building" | "computing" | "computed" | "disposed" = "building";

  /** Made by `Backend.newGraph`. */
  constructor({ library, arena, maxNodes, isPausable, kernels, plan, release }: GraphParts) {
    const { base } = library;
    this.#library = library;
    this.#maxNodes = maxNodes;
    this.#costs = isPausable ? new Map() : undefined;
    this.#plan = plan;
    this.#release = release;
    this.#kernels = kernels;
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

  /** Data from the host, copied when the graph is computed; row ids (`i32`, `i64`) at once. */
  input(dtype: Dtype, shape: readonly number[], data: InputData): Tensor {
    this.#countTensor();
    this.#checkRoom(this.#persistent.size + this.#inputs.size);
    const pointer = newTensor(this.#library.base, this.#context, dtype, shape);
    const tensor = new Tensor(this, pointer, dtype, shape);
    this.#inputs.add(tensor, data);
    this.#library.base.ggml_set_input(pointer);
    return tensor;
  }

  /** An input in f16 that is zero but for some runs of numbers; only these are copied. */
  zeros(shape: readonly number[], runs: readonly Run[]): Tensor {
    this.#countTensor();
    this.#checkRoom(this.#persistent.size + this.#inputs.size);
    const pointer = newTensor(this.#library.base, this.#context, "f16", shape);
    const tensor = new Tensor(this, pointer, "f16", shape);
    this.#inputs.addZeros(tensor, runs);
    this.#library.base.ggml_set_input(pointer);
    return tensor;
  }

  /** `input · weightᵀ`: `[…, rows, in]` by `[…, out, in]` → `[…, rows, out]`, float32. Outer axes of `weight` are repeated to those of `input`. */
  matmul(weight: Tensor, input: Tensor): Tensor {
    const [w, x] = [weight.extents, input.extents];
    requireThat(
      w[0] === x[0] && x[2] % w[2] === 0 && x[3] % w[3] === 0,
      () => `${input} cannot be multiplied by ${weight}`,
    );
    requireNumbers("matmul", weight);
    requirePackedRows("matmul", weight);
    requireF32Rows("matmul", input);
    requireThat(
      weight.memory !== "repacked" || (w[2] === 1 && w[3] === 1),
      () => `${weight} is repacked, and has to be one matrix`,
    );
    if (this.#hasLinear(weight, input)) return this.#linear(weight, input, undefined, "none");
    if (this.#hasFewRows(weight, input)) return this.#fewRows(weight, input);
    const shape = [...input.shape.slice(0, -1), w[1]];
    const product = this.#make("ggml_mul_mat", "f32", shape, weight, input);
    this.#setCost(product, 2 * w[0] * product.numElements);
    return product;
  }

  /**
   * `activation(input · weightᵀ + bias)`: `[rows, in]` by `[out, in]` → `[rows, out]`, float32.
   *
   * @param bias `[out]` float32
   */
  linear(weight: Tensor, input: Tensor, bias: Tensor, activation: Activation = "none"): Tensor {
    if (this.#hasLinear(weight, input)) {
      requireF32("linear", bias);
      requireReadable("linear", bias);
      requireThat(
        bias.numElements === weight.extents[1] && weight.extents[0] === input.extents[0],
        () => `${input} cannot be multiplied by ${weight} and added to ${bias}`,
      );
      return this.#linear(weight, input, bias, activation);
    }
    const sum = this.add(this.matmul(weight, input), bias);
    return activation === "gelu" ? this.gelu(sum) : sum;
  }

  /** Whether `packKeys` and `attendPacked` are there for heads of this width. */
  hasPackedAttention(headSize: number): boolean {
    return this.#kernels?.isHeadSize(headSize) === true;
  }

  /**
   * Keys and values as `attendPacked` reads them, rounded to bf16.
   *
   * @param key `[numKeys, numHeads, headSize]` float32, contiguous, as `value`
   */
  packKeys(key: Tensor, value: Tensor): Tensor {
    const kernels = this.#kernels;
    requireF32("packKeys", key);
    requireF32("packKeys", value);
    requireReadable("packKeys", key);
    requireReadable("packKeys", value);
    requireSameShape("packKeys", key, value);
    const [numKeys = 0, numHeads = 0, headSize = 0] = key.shape;
    requireThat(
      key.shape.length === 3 && kernels?.isHeadSize(headSize) === true,
      () => `${key} cannot be packed`,
    );
    const length = kernels?.packedKeysLength(numHeads, numKeys, headSize) ?? 0;
    return this.#custom(kernels?.packKeys, "bf16", [length], [key, value], 0n);
  }

  /**
   * Attention of every query to packed keys, each with a bias on its score.
   *
   * @param query `[numQueries, numHeads, headSize]` float32, contiguous
   * @param packed of `packKeys`, of as many keys as `bias` has elements
   * @param bias `[numKeys]` float32, added to the scaled scores; negative infinity hides a key
   * @returns as `query`
   */
  attendPacked(query: Tensor, packed: Tensor, bias: Tensor, scale: number): Tensor {
    const kernels = this.#kernels;
    requireF32("attendPacked", query);
    requireF32("attendPacked", bias);
    requireDtype("attendPacked", packed, "bf16");
    for (const operand of [query, packed, bias]) requireReadable("attendPacked", operand);
    const [numQueries = 0, numHeads = 0, headSize = 0] = query.shape;
    const numKeys = bias.numElements;
    requireThat(
      query.shape.length === 3 &&
        bias.shape.length === 1 &&
        kernels?.isHeadSize(headSize) === true &&
        kernels.packedKeysLength(numHeads, numKeys, headSize) === packed.numElements,
      () => `${query} cannot attend to ${packed} of ${numKeys} keys`,
    );
    const bits = BigInt(new Uint32Array(Float32Array.of(scale).buffer)[0] ?? 0);
    const result = this.#custom(kernels?.attend, "f32", query.shape, [query, packed, bias], bits);
    this.#setCost(result, 4 * numQueries * numHeads * numKeys * headSize);
    return result;
  }

  /** `a + b`, `b` repeated along axes where `a` is a multiple of it. */
  add(a: Tensor, b: Tensor): Tensor {
    return this.#elementwise("add", a, b);
  }

  /** `a · b`, element by element, repeated as in `add`. */
  multiply(a: Tensor, b: Tensor): Tensor {
    return this.#elementwise("multiply", a, b);
  }

  /** `a · factor`; `a` contiguous. */
  scale(a: Tensor, factor: number): Tensor {
    requireF32("scale", a);
    return this.#make("ggml_scale", "f32", a.shape, a, factor);
  }

  /** Each vector over its root mean square; no weight. */
  rmsNormalize(a: Tensor, epsilon: number): Tensor {
    requireF32Rows("rmsNormalize", a);
    requireEpsilon("rmsNormalize", epsilon);
    return this.#make("ggml_rms_norm", "f32", a.shape, a, epsilon);
  }

  /** Each vector centred, over its standard deviation (biased variance); no weight. */
  normalize(a: Tensor, epsilon: number): Tensor {
    requireF32Rows("normalize", a);
    requireEpsilon("normalize", epsilon);
    return this.#make("ggml_norm", "f32", a.shape, a, epsilon);
  }

  /** The exact form, `x/2 · (1 + erf(x/√2))`; `a` contiguous. */
  gelu(a: Tensor): Tensor {
    requireF32("gelu", a);
    return this.#make("ggml_gelu_erf", "f32", a.shape, a);
  }

  /** `silu(gate) · up`, both contiguous. */
  swiglu(gate: Tensor, up: Tensor): Tensor {
    requireF32("swiglu", gate);
    requireF32("swiglu", up);
    requireSameShape("swiglu", gate, up);
    return this.#make("ggml_swiglu_split", "f32", gate.shape, gate, up);
  }

  /**
   * Attention with shared key-value heads, without storing the scores.
   *
   * @param query `[numHeads, numQueries, keySize]` float32; its rows packed, as those of key and value
   * @param key `[numKvHeads, numKeys, keySize]` f32, f16 or q8_0, for which queries are rounded to q8_0 as well
   * @param value `[numKvHeads, numKeys, valueSize]`, the dtype of `key`
   * @param mask `[numQueries padded to 64, numKeys]` f16, added to the scaled scores
   * @returns `[numQueries, numHeads, valueSize]` float32
   */
  attention(parts: AttentionOperands & { readonly scale: number }): Tensor {
    const { query, key, value, mask, scale } = parts;
    requireAttention(parts);
    const [, numQueries, numHeads] = query.extents;
    const shape = [numQueries, numHeads, value.extents[0]];
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
    const numScores = numQueries * numHeads * key.extents[1];
    this.#setCost(result, 2 * numScores * (key.extents[0] + value.extents[0]));
    return result;
  }

  /** `a` with zeros behind it on one axis, up to `length`; a copy. */
  pad(a: Tensor, axis: number, length: number): Tensor {
    requireF32Rows("pad", a);
    const extent = a.shape[axis] ?? 0;
    requireThat(
      Number.isInteger(length) && extent >= 1 && length >= extent,
      () => `axis ${axis} of ${a} cannot be filled up to ${length}`,
    );
    const shape = a.shape.map((n, i) => (i === axis ? length : n));
    const amounts = [0, 0, 0, 0];
    amounts[shape.length - 1 - axis] = length - extent;
    return this.#make("ggml_pad", "f32", shape, a, ...amounts);
  }

  /** Rows `[n, width]` of a table `[numRows, width]`, in float32; every id must be below `numRows`. */
  getRows(table: Tensor, rowIds: Tensor): Tensor {
    requireDtype("getRows", rowIds, "i32");
    requireNumbers("getRows", table);
    requirePackedRows("getRows", table);
    requireThat(
      table.shape.length === 2 && rowIds.shape.length === 1,
      () => `${rowIds} of ${table} are no rows`,
    );
    this.#inputs.requireRows(table, rowIds);
    return this.#make("ggml_get_rows", "f32", [rowIds.extents[0], table.extents[0]], table, rowIds);
  }

  /** Write rows `[n, width]` into `table` `[numRows, width]`, converting; returns the table as written. */
  setRows(table: Tensor, rows: Tensor, rowIds: Tensor): Tensor {
    requireF32Rows("setRows", rows);
    requireDtype("setRows", rowIds, "i64");
    requireWritable("setRows", table);
    requireConvertible("setRows", rows, table.dtype);
    requirePackedRows("setRows", table);
    requireThat(
      table.extents[0] === rows.extents[0] &&
        rows.extents[1] === rowIds.extents[0] &&
        table.shape.length === 2 &&
        rows.shape.length === 2,
      () => `${rows} cannot be written into ${table} at ${rowIds}`,
    );
    this.#inputs.requireRows(table, rowIds);
    const pointer = this.#call("ggml_set_rows", table, rows, rowIds);
    return new Tensor(this, pointer, table.dtype, table.shape, { strides: table.strides });
  }

  /** Copy, converting, into `destination`; returns it as written. */
  copyInto(source: Tensor, destination: Tensor): Tensor {
    requireThat(
      source.numElements === destination.numElements,
      () => `${source} does not fill ${destination}`,
    );
    requireConvertible("copyInto", source, destination.dtype);
    requireWritable("copyInto", destination);
    const { dtype, shape, strides } = destination;
    if (dtypeTraits[dtype].blockLength > 1) requireContiguous("copyInto", destination);
    const pointer = this.#call("ggml_cpy", source, destination);
    return new Tensor(this, pointer, dtype, shape, { strides });
  }

  /** Among f32, f16 and bf16; from contiguous f32 to a quantized dtype and back. `a` itself when it is of that dtype. */
  cast(a: Tensor, dtype: Dtype): Tensor {
    if (a.dtype === dtype) return a;
    requireConvertible("cast", a, dtype);
    return this.#make("ggml_cast", dtype, a.shape, a, dtypeTraits[dtype].ggmlType);
  }

  /**
   * A copy of `a`, contiguous, on a device: what is written into it by `setRows` is written there. Where all
   * of a graph runs on one device it is a copy.
   */
  moveTo(a: Tensor, device: string): Tensor {
    requireNoBlocks("moveTo", a);
    return this.pin(this.#make("ggml_cont", a.dtype, a.shape, a), device);
  }

  /** Have the operator that gives `a` run on a device, when a graph runs on several. */
  pin(a: Tensor, device: string): Tensor {
    this.#pinned.set(this.#use(a), device);
    return a;
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
        a.shape[axis] !== undefined &&
        a.shape.every((extent, i) => i === axis || extent === b.shape[i]),
      () => `${a} and ${b} cannot be joined along axis ${axis}`,
    );
    requireNoBlocks("concat", a);
    const shape = a.shape.map((extent, i) => (i === axis ? extent + (b.shape[i] ?? 0) : extent));
    return this.#make("ggml_concat", a.dtype, shape, a, b, a.shape.length - 1 - axis);
  }

  /** Repeat `a` to `shape`, every extent of which is a multiple of `a`'s. */
  repeat(a: Tensor, shape: readonly number[]): Tensor {
    requireF32Rows("repeat", a);
    requireThat(
      shape.length === a.shape.length &&
        shape.every((extent, i) => extent % (a.shape[i] ?? 0) === 0),
      () => `${a} cannot be repeated to [${shape.join(", ")}]`,
    );
    return this.#make("ggml_repeat_4d", "f32", shape, a, ...toExtents(shape));
  }

  reshape(a: Tensor, shape: readonly number[]): Tensor {
    const numElements = shape.reduce((product, extent) => product * extent, 1);
    requireThat(
      a.isContiguous && numElements === a.numElements,
      () => `${a} cannot be reshaped to [${shape.join(", ")}]`,
    );
    const pointer = this.#call("ggml_reshape_4d", a, ...toExtents(shape));
    return new Tensor(this, pointer, a.dtype, shape, { memory: a.memory });
  }

  /** `[rows, width]` → `[rows, …inner]`, sharing memory; rows need not follow each other directly. */
  splitRows(a: Tensor, inner: readonly [number, number]): Tensor {
    const [numRows = 0, width] = a.shape;
    requirePackedRows("splitRows", a);
    const { blockLength, blockBytes } = dtypeTraits[a.dtype];
    requireThat(
      a.shape.length === 2 && inner[0] * inner[1] === width && inner[1] % blockLength === 0,
      () => `the rows of ${a} cannot be split into [${inner.join(", ")}]`,
    );
    const innerBytes = (inner[1] / blockLength) * blockBytes;
    const strides: Four = [a.strides[0], innerBytes, a.strides[1], a.strides[1] * numRows];
    const shape = [numRows, ...inner];
    const [, nb1, nb2, nb3] = strides;
    const pointer = this.#call("ggml_view_4d", a, ...toExtents(shape), nb1, nb2, nb3, 0);
    return new Tensor(this, pointer, a.dtype, shape, { strides, memory: a.memory });
  }

  /** Part of one axis, sharing memory; the last axis of `a` is not permuted, for ggml's views have it packed. */
  slice(a: Tensor, axis: number, start: number, length: number): Tensor {
    requirePackedRows("slice", a);
    const extent = a.shape[axis] ?? 0;
    requireThat(
      [start, length].every(Number.isInteger) &&
        start >= 0 &&
        length >= 1 &&
        start + length <= extent,
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
    const { strides, memory } = a;
    const [, nb1, nb2, nb3] = strides;
    const pointer = this.#call("ggml_view_4d", a, ...toExtents(shape), nb1, nb2, nb3, offset);
    return new Tensor(this, pointer, a.dtype, shape, { strides, memory });
  }

  /** As NumPy's `transpose`: axis `j` of the result is axis `axes[j]` of `a`; shares memory. */
  permute(a: Tensor, axes: readonly number[]): Tensor {
    const rank = a.shape.length;
    requireThat(
      axes.length === rank && axes.toSorted((x, y) => x - y).every((axis, i) => axis === i),
      () => `[${axes.join(", ")}] is no order of the axes of ${a}`,
    );
    if (axes[rank - 1] !== rank - 1) requireNoBlocks("permute", a);
    const destinations = [0, 1, 2, 3];
    const strides = [...a.strides];
    axes.forEach((source, j) => {
      destinations[rank - 1 - source] = rank - 1 - j;
      strides[rank - 1 - j] = a.strides[rank - 1 - source] ?? 0;
    });
    const shape = axes.map((axis) => a.shape[axis] ?? 1);
    const pointer = this.#call("ggml_permute", a, ...destinations);
    const [nb0 = 0, nb1 = 0, nb2 = 0, nb3 = 0] = strides;
    return new Tensor(this, pointer, a.dtype, shape, {
      strides: [nb0, nb1, nb2, nb3],
      memory: a.memory,
    });
  }

  /** Have `tensor` computed before anything that is added later, e.g. a write before the reads. */
  require(tensor: Tensor): void {
    this.#checkBuilding();
    this.#library.base.ggml_build_forward_expand(this.#graph, this.#use(tensor));
  }

  /**
   * Run the graph, off the event loop, after those of the back end that were asked for before; and
   * read `outputs`. Inputs that nothing reads are left out.
   *
   * @param options.pause waited for before each part of a pausable graph; what it throws ends the computation
   * @returns for each output its elements, row-major, float32
   */
  async compute(
    outputs: readonly Tensor[],
    { pause }: { readonly pause?: (() => Promise<void>) | undefined } = {},
  ): Promise<Float32Array[]> {
    const { base } = this.#library;
    this.#checkBuilding();
    const packed = outputs.map((output) => {
      requireDtype("compute", output, "f32");
      requireReadable("compute", output);
      return this.contiguous(output);
    });
    for (const output of packed) base.ggml_set_output(this.#use(output));
    for (const output of packed) this.require(output);
    this.#state = "computing";
    try {
      const devices = new Set([...this.#sets].map(({ device }) => device));
      const { allocate, run, canBeParted } = this.#plan(this.#graph, {
        used: devices,
        pinned: this.#pinned,
      });
      if (!allocate()) {
        this.#canReuseArena = false;
        throw noBuffers(devices);
      }
      this.#inputs.write(base);
      if (!canBeParted) await pause?.();
      const { status, computeMs } =
        this.#costs === undefined || pause === undefined || !canBeParted
          ? await run(this.#graph)
          : await computeInSlices(this.#graph, { base, costs: this.#costs, run, pause });
      this.#computeMs = computeMs;
      if (status !== 0) {
        this.#canReuseArena = false;
        throw failedWith(status, devices);
      }
    } finally {
      this.#state = "computed";
    }
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
    for (const set of this.#sets) set.letGo();
    this.#release(this.#canReuseArena);
  }

  #elementwise(op: "add" | "multiply", a: Tensor, b: Tensor): Tensor {
    requireF32Rows(op, a);
    requireF32Rows(op, b);
    requireThat(
      a.extents.every((extent, axis) => extent % (b.extents[axis] ?? 0) === 0),
      () => `${op}: ${b} cannot be repeated to ${a}`,
    );
    return this.#make(op === "add" ? "ggml_add" : "ggml_mul", "f32", a.shape, a, b);
  }

  /** Call an operator whose result is packed and of this shape. */
  #make(
    symbol: keyof GgmlLibrary["base"],
    dtype: Dtype,
    shape: readonly number[],
    ...args: readonly (Tensor | number | undefined)[]
  ): Tensor {
    const tensor = new Tensor(this, this.#call(symbol, ...args), dtype, shape);
    // An element of any other operator takes as long as some hundred products.
    this.#setCost(tensor, 200 * tensor.numElements);
    return tensor;
  }

  #hasLinear(weight: Tensor, input: Tensor): boolean {
    return (
      this.#kernels !== undefined &&
      weight.shape.length === 2 &&
      input.shape.length === 2 &&
      input.extents[1] >= (leastRows[weight.dtype] ?? Number.POSITIVE_INFINITY) &&
      input.extents[0] % 2 === 0
    );
  }

  #linear(weight: Tensor, input: Tensor, bias: Tensor | undefined, activation: Activation): Tensor {
    requirePackedRows("linear", weight);
    requireF32Rows("linear", input);
    requireReadable("linear", input);
    const operands = bias === undefined ? [input, weight] : [input, weight, bias];
    const shape = [input.extents[1], weight.extents[1]];
    const userData = activations[activation] + (weight.memory === "repacked" ? WOVEN : 0n);
    const product = this.#custom(this.#kernels?.linear, "f32", shape, operands, userData);
    this.#setCost(product, 2 * weight.extents[0] * product.numElements);
    return product;
  }

  #hasFewRows(weight: Tensor, input: Tensor): boolean {
    const piece = fewRowsPiece[weight.dtype];
    return (
      this.#kernels?.fewRows !== undefined &&
      weight.memory !== "repacked" &&
      weight.shape.length === 2 &&
      input.shape.length === 2 &&
      piece !== undefined &&
      input.extents[0] % piece === 0
    );
  }

  #fewRows(weight: Tensor, input: Tensor): Tensor {
    requireReadable("matmul", input);
    const shape = [input.extents[1], weight.extents[1]];
    const product = this.#custom(this.#kernels?.fewRows, "f32", shape, [input, weight], 0n);
    this.#setCost(product, 2 * weight.extents[0] * product.numElements);
    return product;
  }

  /** One of our own operators, whose result is packed and of this shape. */
  #custom(
    operator: Pointer | undefined,
    dtype: Dtype,
    shape: readonly number[],
    operands: readonly Tensor[],
    userData: bigint,
  ): Tensor {
    const args = BigUint64Array.from(operands, (operand) => this.#use(operand));
    this.#countTensor();
    const pointer = this.#library.base.ggml_custom_4d(
      this.#context,
      dtypeTraits[dtype].ggmlType,
      ...toExtents(shape),
      args,
      args.length,
      operator,
      GGML_N_TASKS_MAX,
      userData,
    );
    const tensor = new Tensor(this, pointer, dtype, shape);
    this.#setCost(tensor, 200 * tensor.numElements);
    return tensor;
  }

  #setCost(tensor: Tensor, cost: number): void {
    this.#costs?.set(Tensor.pointerOf(tensor), cost);
  }

  #call(
    symbol: keyof GgmlLibrary["base"],
    ...args: readonly (Tensor | number | undefined)[]
  ): Pointer {
    const operands: (Pointer | number | null)[] = [];
    for (let index = 0; index < args.length; index++) {
      const arg = args[index];
      if (!(arg instanceof Tensor)) {
        operands.push(arg ?? null);
        continue;
      }
      if (symbol !== "ggml_mul_mat" || index > 0) requireReadable(symbol, arg);
      operands.push(this.#use(arg));
    }
    this.#countTensor();
    const pointer = this.#library.base[symbol](this.#context, ...operands);
    if (pointer === null) throw new Error(`${symbol} failed`);
    return pointer;
  }

  /**
   * A tensor's address; what outlives this graph is held until the graph is disposed.
   *
   * @throws Error when the tensor was disposed or is another graph's
   */
  #use(tensor: Tensor): Pointer {
    const pointer = Tensor.pointerOf(tensor);
    const owner = Tensor.ownerOf(tensor);
    if (owner === this || this.#persistent.has(tensor)) return pointer;
    if (!(owner instanceof TensorSet)) throw new Error(`${tensor} is of another graph`);
    this.#checkRoom(this.#persistent.size + this.#inputs.size);
    this.#persistent.add(tensor);
    if (!this.#sets.has(owner)) {
      owner.hold();
      this.#sets.add(owner);
    }
    return pointer;
  }

  #countTensor(): void {
    this.#checkBuilding();
    this.#checkRoom(this.#numTensors);
    this.#numTensors++;
  }

  /** ggml has room for as many operators and inputs, and beside them for as many leaves. */
  #checkRoom(numTaken: number): void {
    requireThat(
      numTaken < this.#maxNodes,
      () => `the graph is full: it was made for maxNodes = ${this.#maxNodes}`,
    );
  }

  #checkBuilding(): void {
    if (this.#state !== "building") throw new Error(`the graph is ${this.#state} already`);
  }
}

const STATUS_ALLOCATION_FAILED = -2;

function noBuffers(devices: ReadonlySet<string>): PlatformError {
  return new PlatformError(
    "out_of_memory",
    `There is no memory for the computation's buffers${on(devices)}. Free some, or launch with a smaller \`--max-model-len\`${hasCard(devices) ? " or fewer `--gpu-layers`" : ""}.`,
  );
}

/** @param status `enum ggml_status` */
function failedWith(status: number, devices: ReadonlySet<string>): PlatformError {
  if (status === STATUS_ALLOCATION_FAILED) return noBuffers(devices);
  return new PlatformError(
    "worker_failed",
    `ggml ended the computation${on(devices)} with status ${status}. Try again; if it comes again, launch with \`--device cpu\`.`,
  );
}

const hasCard = (devices: ReadonlySet<string>): boolean =>
  [...devices].some((device) => device !== CPU);

const on = (devices: ReadonlySet<string>): string =>
  hasCard(devices) ? ` on ${[...devices].join(" and ")}` : "";
