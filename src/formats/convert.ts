/** Elements of a file as float32 numbers. For vectors and small tables; matrices stay where they are. */
import { PlatformError } from "../base/errors.ts";
import { openRegularFile, readBytes } from "./regular-file.ts";
import { shown } from "./shown.ts";
import type { TensorEntry } from "./tensor-entry.ts";

/**
 * @returns the tensor's elements, row-major
 * @throws PlatformError `corrupt_model_file` for a dtype that is no floating-point number, or a file that shrank
 */
export async function readTensorF32(entry: TensorEntry): Promise<Float32Array> {
  const file = await openRegularFile(entry.path);
  try {
    const bytes = await readBytes(file, entry);
    if (bytes.length < entry.sizeBytes) {
      throw new PlatformError(
        "corrupt_model_file",
        `The file of ${shown(entry.name)} ended ${entry.sizeBytes - bytes.length} bytes early while it was read. Download it again, and leave it alone while a model is loaded.`,
      );
    }
    return toFloat32(bytes, entry);
  } finally {
    await file.close();
  }
}

function toFloat32(
  { buffer, byteLength }: Uint8Array<ArrayBuffer>,
  { dtype, name }: TensorEntry,
): Float32Array {
  if (dtype === "F32") return new Float32Array(buffer, 0, byteLength / 4);
  if (dtype === "BF16") return bf16ToF32(new Uint16Array(buffer, 0, byteLength / 2));
  if (dtype === "F16") return f16ToF32(new Uint16Array(buffer, 0, byteLength / 2));
  throw new PlatformError(
    "corrupt_model_file",
    `${shown(name)} has the type ${dtype}; weights are F32, F16 or BF16.`,
  );
}

/** A bfloat16 is the upper half of a float32. */
export function bf16ToF32(halves: Uint16Array): Float32Array {
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) words[i] = (halves[i] ?? 0) << 16;
  return new Float32Array(words.buffer);
}

/** IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits. */
export function f16ToF32(halves: Uint16Array): Float32Array {
  const numbers = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) numbers[i] = decodeHalf(halves[i] ?? 0);
  return numbers;
}

/** Two to the power of `exponent - 15`, and for 0, which has no hidden bit, as for 1. */
const scales = Float64Array.from(
  { length: 31 },
  (_, exponent) => 2 ** (Math.max(exponent, 1) - 15),
);

function decodeHalf(bits: number): number {
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  const sign = bits >> 15 === 1 ? -1 : 1;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  const hidden = exponent === 0 ? 0 : 1;
  return sign * (hidden + fraction / 1024) * (scales[exponent] ?? 0);
}
