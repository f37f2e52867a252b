/** Elements of a file as float32 numbers. For vectors and small tables; matrices stay where they are. */
import { open } from "node:fs/promises";
import { PlatformError } from "../base/errors.ts";
import type { TensorEntry } from "./safetensors.ts";

/**
 * @returns the tensor's elements, row-major
 * @throws PlatformError `corrupt_model_file` for a dtype that is no floating-point number, or a file that shrank
 */
export async function readTensorF32(entry: TensorEntry): Promise<Float32Array> {
  const bytes = new Uint8Array(entry.sizeBytes);
  const file = await open(entry.path, "r");
  try {
    let numRead = 0;
    while (numRead < bytes.length) {
      const position = entry.offset + numRead;
      const { bytesRead } = await file.read(bytes, numRead, bytes.length - numRead, position);
      if (bytesRead === 0) {
        throw new PlatformError(
          "corrupt_model_file",
          `The file of ${entry.name} ended while it was read. Download it again.`,
        );
      }
      numRead += bytesRead;
    }
  } finally {
    await file.close();
  }
  return toFloat32(bytes, entry);
}

function toFloat32(bytes: Uint8Array, { dtype, name }: TensorEntry): Float32Array {
  if (dtype === "F32") return new Float32Array(bytes.buffer);
  if (dtype === "BF16") return bf16ToF32(new Uint16Array(bytes.buffer));
  if (dtype === "F16") return f16ToF32(new Uint16Array(bytes.buffer));
  throw new PlatformError(
    "corrupt_model_file",
    `${name} has the type ${dtype}; weights are F32, F16 or BF16.`,
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
  for (let i = 0; i < halves.length; i++) {
    const bits = halves[i] ?? 0;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    const magnitude =
      exponent === 0x1f
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : exponent === 0
          ? fraction * 2 ** -24
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    numbers[i] = bits >> 15 === 1 ? -magnitude : magnitude;
  }
  return numbers;
}
