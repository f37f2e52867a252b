import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../test/support/checkpoint-files.ts";
import { bf16ToF32, f16ToF32, readTensorF32 } from "./convert.ts";
import type { FileDtype, TensorEntry } from "./tensor-entry.ts";

const every16BitPattern = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);

/** The float32 whose 32 bits these are. */
function fromBits(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits);
  return view.getFloat32(0);
}

/** By moving bits, which is how hardware does it; numbers below the normal ones are put back together. */
function slowHalf(bits: number): number {
  const sign = (bits & 0x8000) * 0x1_0000;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fromBits(sign + 0x7f80_0000 + fraction * 2 ** 13);
  if (exponent > 0) return fromBits(sign + (exponent + 112) * 2 ** 23 + fraction * 2 ** 13);
  return (sign === 0 ? 1 : -1) * fraction * fromBits((127 - 24) * 2 ** 23);
}

describe("every 16-bit pattern becomes the float32 it stands for", () => {
  test("bfloat16", () => {
    const slow = [...every16BitPattern].map((bits) => fromBits(bits * 0x1_0000));
    expect([...bf16ToF32(every16BitPattern)]).toEqual(slow);
  });

  test("float16", () => {
    const slow = [...every16BitPattern].map(slowHalf);
    expect([...f16ToF32(every16BitPattern)]).toEqual(slow);
  });

  test.each([
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65_504],
    [0x0001, 2 ** -24],
    [0x3555, 0.333251953125],
    [0xfc00, Number.NEGATIVE_INFINITY],
  ])("float16 %i is %f", (bits, value) => {
    expect([...f16ToF32(Uint16Array.of(bits))]).toEqual([value]);
  });
});

describe("readTensorF32", () => {
  const folder = temporaryFolder();
  afterAll(() => folder[Symbol.dispose]());
  const path = join(folder.path, "weights");

  /** Three bytes into its file, as nothing aligns tensors. */
  function stored(dtype: FileDtype, data: ArrayBufferView<ArrayBuffer>): TensorEntry {
    const bytes = new Uint8Array(data.buffer);
    writeFileSync(path, Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(5)]));
    return { name: "a.weight", dtype, shape: [], path, offset: 3, sizeBytes: bytes.length };
  }

  test.each<[FileDtype, ArrayBufferView<ArrayBuffer>]>([
    ["F32", Float32Array.of(1, -2.5, 0)],
    ["F16", Uint16Array.of(0x3c00, 0xc100, 0)],
    ["BF16", Uint16Array.of(0x3f80, 0xc020, 0)],
  ])("reads %s", async (dtype, data) => {
    expect([...(await readTensorF32(stored(dtype, data)))]).toEqual([1, -2.5, 0]);
  });

  test("says so when the file has shrunk", async () => {
    const entry = stored("F32", Float32Array.of(1, 2));
    truncateSync(path, 6);

    await expect(readTensorF32(entry)).rejects.toMatchObject({
      code: "corrupt_model_file",
      message: expect.stringContaining("a.weight ended 5 bytes early"),
    });
  });

  test("refuses whole numbers", async () => {
    await expect(readTensorF32(stored("I64", new BigInt64Array(1)))).rejects.toThrow(
      "a.weight has the type I64; weights are F32, F16 or BF16.",
    );
  });
});
