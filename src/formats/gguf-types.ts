/**
 * Numbers that GGUF gives to types of values and tensors.
 *
 * @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
import type { FileDtype } from "./tensor-entry.ts";

export const GGUF_MAGIC = "GGUF";
/** A tensor's data begin at a multiple of this, unless `general.alignment` says another. */
export const DEFAULT_ALIGNMENT = 32;

/** In the order of their numbers; 9 is an array. */
export const ggufValueTypes = [
  "u8",
  "i8",
  "u16",
  "i16",
  "u32",
  "i32",
  "f32",
  "bool",
  "string",
  "array",
  "u64",
  "i64",
  "f64",
] as const;

export type GgufScalarType = Exclude<(typeof ggufValueTypes)[number], "array">;
export type GgufScalar = number | boolean | string;

/** A value of the metadata, with the type that it has in the file. */
export type GgufValue =
  | { readonly type: GgufScalarType; readonly value: GgufScalar }
  | { readonly type: "array"; readonly of: GgufScalarType; readonly value: readonly GgufScalar[] };

export const scalarBytes: Readonly<Record<Exclude<GgufScalarType, "string">, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  bool: 1,
  u64: 8,
  i64: 8,
  f64: 8,
};

/** ggml's number of each element type that a model can be computed with. */
export const ggufDtypes: ReadonlyMap<number, FileDtype> = new Map([
  [0, "F32"],
  [1, "F16"],
  [2, "Q4_0"],
  [8, "Q8_0"],
  [12, "Q4_K"],
  [13, "Q5_K"],
  [14, "Q6_K"],
  [30, "BF16"],
]);

/** What other numbers stand for, to say so. */
export const foreignDtypes: ReadonlyMap<number, string> = new Map([
  [3, "Q4_1"],
  [6, "Q5_0"],
  [7, "Q5_1"],
  [9, "Q8_1"],
  [10, "Q2_K"],
  [11, "Q3_K"],
  [15, "Q8_K"],
  [16, "IQ2_XXS"],
  [17, "IQ2_XS"],
  [18, "IQ3_XXS"],
  [19, "IQ1_S"],
  [20, "IQ4_NL"],
  [21, "IQ3_S"],
  [22, "IQ2_S"],
  [23, "IQ4_XS"],
  [24, "I8"],
  [25, "I16"],
  [26, "I32"],
  [27, "I64"],
  [28, "F64"],
  [29, "IQ1_M"],
  [34, "TQ1_0"],
  [35, "TQ2_0"],
  [39, "MXFP4"],
]);

/** A round-up to a multiple. */
export const alignUp = (offset: number, alignment: number): number =>
  Math.ceil(offset / alignment) * alignment;
