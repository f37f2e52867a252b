/**
 * What ggml's CPU kernels want of an operand. They end the process, or read the wrong elements, where
 * it is not so; each check here is a comparison or two and throws with the operator and the tensor.
 */
import { type Dtype, dtypeTraits, rowBytes } from "./dtype.ts";
import type { Tensor } from "./tensor.ts";

/** `float`: kernels convert freely among them. `quantized`: blocks along a row. `integer`: ids only. */
function classOf(dtype: Dtype): "float" | "quantized" | "integer" {
  if (dtype === "i32" || dtype === "i64") return "integer";
  return dtypeTraits[dtype].blockLength > 1 ? "quantized" : "float";
}

export function requireThat(isTrue: boolean, describe: () => string): void {
  if (!isTrue) throw new Error(describe());
}

export function requireDtype(op: string, tensor: Tensor, dtype: Dtype): void {
  requireThat(tensor.dtype === dtype, () => `${op}: expected ${dtype}, got ${tensor}`);
}

/** Floats or blocks of them, as weights and tables are. */
export function requireNumbers(op: string, tensor: Tensor): void {
  requireThat(
    classOf(tensor.dtype) !== "integer",
    () => `${op} reads no integers, and ${tensor} holds them`,
  );
}

/** A whole row's elements follow each other; rows may lie anywhere. */
export function requirePackedRows(op: string, tensor: Tensor): void {
  requireThat(
    tensor.strides[0] === dtypeTraits[tensor.dtype].blockBytes,
    () => `${op} needs elements of a row side by side, and ${tensor} is transposed`,
  );
}

export function requireContiguous(op: string, tensor: Tensor): void {
  requireThat(
    tensor.isContiguous,
    () => `${op} needs a contiguous tensor, and ${tensor} is a view with gaps or permuted`,
  );
}

/** `input` in float32 with its rows packed: what most kernels take. */
export function requireF32Rows(op: string, tensor: Tensor): void {
  requireDtype(op, tensor, "f32");
  requirePackedRows(op, tensor);
}

/** Contiguous float32. */
export function requireF32(op: string, tensor: Tensor): void {
  requireDtype(op, tensor, "f32");
  requireContiguous(op, tensor);
}

/** The memory can be written: the tensor is no file, no weight in the processor's own layout. */
export function requireWritable(op: string, tensor: Tensor): void {
  requireThat(
    tensor.memory === "plain",
    () => `${op} cannot write ${tensor}, which is ${memoryNames[tensor.memory]}`,
  );
}

/** The elements lie as their dtype says, not as the processor's fastest product wants them. */
export function requireReadable(op: string, tensor: Tensor): void {
  requireThat(
    tensor.memory !== "repacked",
    () => `${op} cannot read ${tensor}, which is ${memoryNames[tensor.memory]}`,
  );
}

const memoryNames = {
  plain: "plain memory",
  "read only": "a file mapped read only",
  repacked: "repacked: it can only be the weight of matmul",
} as const;

/**
 * A copy that ggml can make: among floats in any order of memory; from contiguous float32 to blocks;
 * from contiguous blocks to float32.
 */
export function requireConvertible(op: string, source: Tensor, dtype: Dtype): void {
  const [from, to] = [classOf(source.dtype), classOf(dtype)];
  const isPossible =
    (from === "float" && to === "float") ||
    (source.dtype === "f32" && to === "quantized") ||
    (from === "quantized" && dtype === "f32");
  requireThat(isPossible, () => `${op} cannot turn ${source} into ${dtype}`);
  if (from === "float" && to === "float") return;
  requireContiguous(op, source);
  rowBytes(dtype, source.extents[0]);
}

/** Whole elements, so that single ones can be moved. */
export function requireNoBlocks(op: string, tensor: Tensor): void {
  requireThat(
    classOf(tensor.dtype) !== "quantized",
    () => `${op} cannot take apart the blocks of ${tensor}`,
  );
}

/** A small number below a root: ggml refuses negative ones. */
export function requireEpsilon(op: string, epsilon: number): void {
  requireThat(epsilon >= 0, () => `${op}: epsilon is ${epsilon}, and must not be negative`);
}

export function requireSameShape(op: string, a: Tensor, b: Tensor): void {
  requireThat(
    a.extents.every((extent, axis) => extent === b.extents[axis]),
    () => `${op}: ${a} and ${b} differ in shape`,
  );
}

export type AttentionOperands = {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  readonly mask: Tensor | undefined;
};

/** The shapes and dtypes that `Graph.attention` says. */
export function requireAttention({ query, key, value, mask }: AttentionOperands): void {
  const [q, k, v] = [query.extents, key.extents, value.extents];
  requireDtype("attention", query, "f32");
  requireThat(["f32", "f16", "q8_0"].includes(key.dtype), () => `${key} cannot be attended to`);
  requireThat(
    key.dtype === value.dtype && k[1] === v[1] && k[2] === v[2] && k[3] === 1 && v[3] === 1,
    () => `${key} and ${value} do not belong together`,
  );
  requireThat(
    q[0] === k[0] && q[2] % k[2] === 0 && q[3] === 1,
    () => `${query} cannot attend to ${key}`,
  );
  for (const tensor of [query, key, value]) requirePackedRows("attention", tensor);
  if (mask !== undefined) {
    requireDtype("attention", mask, "f16");
    requireContiguous("attention", mask);
    const [numKeys, numRows, ...outer] = mask.extents;
    requireThat(
      numKeys === k[1] && numRows >= q[1] && outer.every((extent) => extent === 1),
      () => `${mask} is no mask for ${query} over ${key}`,
    );
  }
}
