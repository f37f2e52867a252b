/** Element types, with ggml's numbers and sizes; `library.ts` compares this table with the loaded library. */

type DtypeTraits = {
  /** `enum ggml_type`. */
  readonly ggmlType: number;
  /** Elements in one block; rows are a whole number of blocks. */
  readonly blockLength: number;
  readonly blockBytes: number;
};

export const dtypeTraits = {
  f32: { ggmlType: 0, blockLength: 1, blockBytes: 4 },
  f16: { ggmlType: 1, blockLength: 1, blockBytes: 2 },
  q4_0: { ggmlType: 2, blockLength: 32, blockBytes: 18 },
  q8_0: { ggmlType: 8, blockLength: 32, blockBytes: 34 },
  q4_k: { ggmlType: 12, blockLength: 256, blockBytes: 144 },
  q5_k: { ggmlType: 13, blockLength: 256, blockBytes: 176 },
  q6_k: { ggmlType: 14, blockLength: 256, blockBytes: 210 },
  i32: { ggmlType: 26, blockLength: 1, blockBytes: 4 },
  i64: { ggmlType: 27, blockLength: 1, blockBytes: 8 },
  bf16: { ggmlType: 30, blockLength: 1, blockBytes: 2 },
} as const satisfies Record<string, DtypeTraits>;

export type Dtype = keyof typeof dtypeTraits;

/** Bytes of `numElements` consecutive elements of one row. */
export function rowBytes(dtype: Dtype, numElements: number): number {
  const { blockLength, blockBytes } = dtypeTraits[dtype];
  if (numElements % blockLength !== 0) {
    throw new Error(`a row of ${numElements} elements is not a whole number of ${dtype} blocks`);
  }
  return (numElements / blockLength) * blockBytes;
}
