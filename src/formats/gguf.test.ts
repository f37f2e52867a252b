import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../test/support/checkpoint-files.ts";
import { PlatformError } from "../base/errors.ts";
import { dtypeTraits } from "../ggml/dtype.ts";
import { openGguf } from "./gguf.ts";
import { layOutGguf, type PlannedTensor } from "./gguf-layout.ts";
import type { GgufValue } from "./gguf-types.ts";
import { fileDtypes } from "./tensor-entry.ts";

const metadata = new Map<string, GgufValue>([
  ["general.architecture", { type: "string", value: "mllama" }],
  ["u8", { type: "u8", value: 200 }],
  ["i8", { type: "i8", value: -3 }],
  ["u16", { type: "u16", value: 60_000 }],
  ["i16", { type: "i16", value: -300 }],
  ["u32", { type: "u32", value: 4_000_000_000 }],
  ["i32", { type: "i32", value: -70_000 }],
  ["f32", { type: "f32", value: 0.5 }],
  ["f64", { type: "f64", value: 0.1 }],
  ["u64", { type: "u64", value: 2 ** 40 }],
  ["i64", { type: "i64", value: -(2 ** 40) }],
  ["bool", { type: "bool", value: true }],
  ["texts", { type: "array", of: "string", value: ["a", "", "ĠÄ🙂"] }],
  ["numbers", { type: "array", of: "i32", value: [3, -8, 13] }],
  ["flags", { type: "array", of: "bool", value: [true, false] }],
]);

const tensors: PlannedTensor[] = [
  { name: "alpha", dtype: "F32", shape: [3] },
  { name: "beta", dtype: "Q4_K", shape: [2, 512] },
  { name: "gamma", dtype: "BF16", shape: [2, 3, 1, 5] },
];

/** An honest file; the data of tensor n are bytes n + 1. */
function fileBytes(
  values: ReadonlyMap<string, GgufValue> = metadata,
  planned: readonly PlannedTensor[] = tensors,
): Buffer {
  const layout = layOutGguf(values, planned);
  const bytes = Buffer.alloc(layout.fileBytes);
  bytes.set(layout.head);
  for (const [index, { offset, sizeBytes }] of layout.tensors.entries()) {
    bytes.fill(index + 1, offset, offset + sizeBytes);
  }
  return bytes;
}

async function open(bytes: Uint8Array, wants?: (key: string) => boolean) {
  using folder = temporaryFolder();
  const path = join(folder.path, "model.gguf");
  writeFileSync(path, bytes);
  return await openGguf(path, wants);
}

test("what is written is read", async () => {
  const bytes = fileBytes();
  const file = await open(bytes);
  expect(file.version).toBe(3);
  expect(file.metadata).toEqual(metadata);
  expect(
    [...file.tensors.values()].map(({ name, dtype, shape }) => ({ name, dtype, shape })),
  ).toEqual(tensors);
  for (const [index, { offset, sizeBytes }] of [...file.tensors.values()].entries()) {
    const data = bytes.subarray(offset, offset + sizeBytes);
    expect([index, data.length > 0, data.every((byte) => byte === index + 1)]).toEqual([
      index,
      true,
      true,
    ]);
  }
});

test("values that nobody wants are not kept", async () => {
  const file = await open(fileBytes(), (key) => key.startsWith("general."));
  expect([...file.metadata.keys()]).toEqual(["general.architecture"]);
  expect(file.tensors.size).toBe(3);
});

test("a vocabulary longer than what is read at once", async () => {
  const value = Array.from({ length: 150_000 }, (_, index) => `token ${index} ${"é".repeat(9)}`);
  const file = await open(fileBytes(new Map([["tokens", { type: "array", of: "string", value }]])));
  expect(file.metadata.get("tokens")).toEqual({ type: "array", of: "string", value });
});

test("files and ggml know the same blocks", () => {
  for (const [name, { blockLength: length, blockBytes: bytes }] of Object.entries(dtypeTraits)) {
    const known = Object.entries(fileDtypes).find(([dtype]) => dtype.toLowerCase() === name);
    expect([name, known?.[1]]).toEqual([name, { length, bytes }]);
  }
});

/** The bytes of a little-endian 64-bit number. */
function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

/** The bytes of the file with those after the first `marker` replaced, `skip` bytes later. */
function patched(marker: string, skip: number, replacement: Uint8Array): Buffer {
  const bytes = fileBytes();
  const at = bytes.indexOf(marker);
  if (at < 0) throw new Error(`the file has no ${marker}`);
  bytes.set(replacement, at + Buffer.byteLength(marker) + skip);
  return bytes;
}

const withBytes = (at: number, replacement: Uint8Array): Buffer => {
  const bytes = fileBytes();
  bytes.set(replacement, at);
  return bytes;
};

describe("a file that lies is refused with a sentence", () => {
  // After a tensor's name: 4 bytes of number of axes, 8 an axis, 4 of type, 8 of offset.
  const cases: readonly (readonly [string, () => Uint8Array, RegExp])[] = [
    ["empty", () => Buffer.alloc(0), /ends in the middle/],
    ["seven bytes", () => fileBytes().subarray(0, 7), /ends in the middle/],
    ["another magic", () => withBytes(0, Buffer.from("GGML")), /begins with GGML/],
    [
      "an LFS pointer",
      () => Buffer.from("version https://git-lfs.github.com/spec/v1"),
      /git lfs pull/,
    ],
    ["version 1", () => withBytes(4, Buffer.from([1, 0, 0, 0])), /version 1 of GGUF/],
    ["big-endian", () => withBytes(4, Buffer.from([0, 0, 0, 3])), /big-endian/],
    ["2^63 tensors", () => withBytes(8, u64(1n << 63n)), /number of tensors/],
    ["a million tensors", () => withBytes(8, u64(1_000_000n)), /number of tensors is 1000000/],
    ["a million values", () => withBytes(16, u64(1_000_000n)), /number of values is 1000000/],
    ["a key of 2^40 bytes", () => withBytes(24, u64(1n << 40n)), /claims 1099511627776 bytes/],
    ["a type 77", () => patched("bool", 0, Buffer.from([77])), /of a type that GGUF does not have/],
    ["a flag of 2", () => patched("bool", 4, Buffer.from([2])), /neither true nor false/],
    ["a list of lists", () => patched("numbers", 4, Buffer.from([9])), /list of lists/],
    ["a list of type 80", () => patched("numbers", 4, Buffer.from([80])), /list of a type/],
    ["2^50 numbers", () => patched("numbers", 8, u64(1n << 50n)), /more than the file can hold/],
    ["2^50 texts", () => patched("texts", 8, u64(1n << 50n)), /more than the file can hold/],
    ["a text past the end", () => patched("texts", 16, u64(1n << 20n)), /ends in the middle/],
    [
      "a text that is not UTF-8",
      () => patched("general.architecture", 12, Buffer.from([0xff])),
      /not UTF-8/,
    ],
    ["no axes", () => patched("alpha", 0, Buffer.from([0])), /has 0 axes/],
    ["five axes", () => patched("alpha", 0, Buffer.from([5])), /has 5 axes/],
    ["an axis of 0", () => patched("alpha", 4, u64(0n)), /is empty/],
    [
      "an axis of 2^63",
      () => patched("alpha", 4, u64(1n << 63n)),
      /an axis of its tensor alpha is/,
    ],
    [
      "a product past 2^53",
      () => patched("beta", 4, Buffer.concat([u64(1n << 50n), u64(1n << 50n)])),
      /larger than any file/,
    ],
    ["a type that is none", () => patched("alpha", 12, Buffer.from([99])), /is of the type 99/],
    [
      "a type that is not computed",
      () => patched("alpha", 12, Buffer.from([10])),
      /is of the type Q2_K/,
    ],
    ["half a block", () => patched("beta", 4, u64(500n)), /no whole blocks of 256/],
    [
      "no multiple of the alignment",
      () => patched("alpha", 16, u64(7n)),
      /no multiple of its alignment/,
    ],
    ["an overlap", () => patched("beta", 24, u64(0n)), /overlaps/],
    ["a hole", () => patched("gamma", 40, u64(1n << 20n)), /leaves a hole/],
    ["one byte less", () => fileBytes().subarray(0, -1), /cut short/],
    ["a kilobyte more", () => Buffer.concat([fileBytes(), Buffer.alloc(1024)]), /too long/],
  ];

  test.each(cases)("%s", async (_name, bytes, message) => {
    const start = performance.now();
    const error = await open(bytes()).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(PlatformError);
    expect(error).toMatchObject({ code: "corrupt_model_file" });
    expect(String(error)).toMatch(message);
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  test.each([
    ["not a power of two", 48],
    ["too small", 4],
    ["zero", 0],
    ["too large", 1 << 30],
  ])("an alignment that is %s", async (_name, value) => {
    const values = new Map(metadata).set("general.alignment", { type: "u32", value });
    await expect(open(fileBytes(values))).rejects.toThrow(/alignment is/);
  });

  test("a value or a tensor that is there twice", async () => {
    const twice = fileBytes(
      new Map<string, GgufValue>([
        ["one", { type: "u8", value: 1 }],
        ["two", { type: "u8", value: 2 }],
      ]),
    );
    twice.write("one", twice.indexOf("two"));
    await expect(open(twice)).rejects.toThrow(/value one is there twice/);
    const tensor = { dtype: "F32", shape: [4] } as const;
    const names = fileBytes(new Map(), [
      { name: "first", ...tensor },
      { name: "other", ...tensor },
    ]);
    names.write("first", names.indexOf("other"));
    await expect(open(names)).rejects.toThrow(/tensor first is there twice/);
  });
});

test("cut at each sixteenth", async () => {
  const whole = fileBytes();
  for (let part = 0; part < 16; part++) {
    const bytes = whole.subarray(0, Math.floor((whole.length * part) / 16));
    await expect(open(bytes)).rejects.toMatchObject({ code: "corrupt_model_file" });
  }
});

test("any byte may be any other: a sentence, or a file whose tensors lie inside of it", async () => {
  const whole = fileBytes();
  const headBytes = layOutGguf(metadata, tensors).head.length;
  // A fixed generator: a failure can be had again.
  let state = 12_345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return Math.floor((state / 0x8000_0000) * below);
  };
  let numRefused = 0;
  for (let round = 0; round < 1_500; round++) {
    const bytes = Buffer.from(whole);
    for (let change = random(4); change >= 0; change--) bytes[random(headBytes)] = random(256);
    const file = await open(bytes).catch((error: unknown) => {
      expect(error).toBeInstanceOf(PlatformError);
      numRefused++;
    });
    for (const { offset, sizeBytes } of file?.tensors.values() ?? []) {
      expect(offset >= headBytes && offset + sizeBytes <= bytes.length).toBe(true);
    }
  }
  expect(numRefused).toBeGreaterThan(500);
});
