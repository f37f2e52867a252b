/** Where a tensor lies in a file, in whatever form the file is. */

export type TensorEntry = {
  readonly name: string;
  readonly dtype: FileDtype;
  /** Outermost axis first. */
  readonly shape: readonly number[];
  readonly path: string;
  /** Byte offset from the beginning of the file. */
  readonly offset: number;
  readonly sizeBytes: number;
};

type Blocks = {
  /** Elements in one block; rows are a whole number of blocks. */
  readonly length: number;
  readonly bytes: number;
};

const single = (bytes: number): Blocks => ({ length: 1, bytes });

/** Sizes of all element types that files have; of quantized ones, those that can be computed with. */
export const fileDtypes = {
  F64: single(8),
  F32: single(4),
  F16: single(2),
  BF16: single(2),
  F8_E5M2: single(1),
  F8_E4M3: single(1),
  I64: single(8),
  I32: single(4),
  I16: single(2),
  I8: single(1),
  U64: single(8),
  U32: single(4),
  U16: single(2),
  U8: single(1),
  BOOL: single(1),
  Q4_0: { length: 32, bytes: 18 },
  Q8_0: { length: 32, bytes: 34 },
  Q4_K: { length: 256, bytes: 144 },
  Q5_K: { length: 256, bytes: 176 },
  Q6_K: { length: 256, bytes: 210 },
} as const satisfies Record<string, Blocks>;

export type FileDtype = keyof typeof fileDtypes;

export const isFileDtype = (name: string): name is FileDtype => Object.hasOwn(fileDtypes, name);

/** Bytes of a tensor; exact, whatever the shape. Its rows must be whole blocks. */
export function numBytesOf(dtype: FileDtype, shape: readonly number[]): bigint {
  const { length, bytes } = fileDtypes[dtype];
  const numElements = shape.reduce((product, extent) => product * BigInt(extent), 1n);
  return (numElements / BigInt(length)) * BigInt(bytes);
}
