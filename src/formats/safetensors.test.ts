import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import {
  type StoredTensor,
  safetensorsBytes,
  storedTensors,
  temporaryFolder,
} from "../../test/support/checkpoint-files.ts";
import { PlatformError } from "../base/errors.ts";
import { openSafetensors, parseSafetensorsHeader } from "./safetensors.ts";
import type { TensorEntry } from "./tensor-entry.ts";

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
const path = join(folder.path, "model.safetensors");

async function open(bytes: Uint8Array): Promise<ReadonlyMap<string, TensorEntry>> {
  writeFileSync(path, bytes);
  return await openSafetensors(path);
}

/** The sentence with which a file is refused. Any other failure fails the test. */
async function refusal(bytes: Uint8Array): Promise<string> {
  try {
    await open(bytes);
  } catch (error) {
    if (error instanceof PlatformError && error.code === "corrupt_model_file") return error.message;
    throw error;
  }
  return "accepted";
}

const f32 = (begin: unknown, end: unknown, shape: unknown = [2]): Record<string, unknown> => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

const sizes = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, U8: 1, BOOL: 1 } as const;

const tensor: fc.Arbitrary<StoredTensor> = fc
  .record({
    dtype: fc.constantFrom(...(Object.keys(sizes) as (keyof typeof sizes)[])),
    shape: fc.array(fc.nat(3), { maxLength: 3 }),
  })
  .map(({ dtype, shape }) => {
    const numElements = shape.reduce((product, extent) => product * extent, 1);
    return { dtype, shape, data: new Uint8Array(numElements * sizes[dtype]) };
  });
const name = fc.string({ maxLength: 12 }).filter((text) => text !== "__metadata__");
const tensors = fc
  .array(fc.tuple(name, tensor), { maxLength: 5 })
  .map((list) => new Map<string, StoredTensor>(list));

const sample = storedTensors(
  new Map([
    ["layer.weight", { dtype: "F32", shape: [2, 3], data: new Uint8Array(24) }],
    ["layer.bias", { dtype: "BF16", shape: [2], data: new Uint8Array(4) }],
    ["gate", { dtype: "F16", shape: [1], data: new Uint8Array(2) }],
  ]),
);
const sampleHeaderBytes = Number(sample.readBigUInt64LE(0));

describe("an honest file", () => {
  test("has its tensors where the table says", async () => {
    const table = await open(sample);

    expect(table.get("layer.bias")).toEqual({
      name: "layer.bias",
      dtype: "BF16",
      shape: [2],
      path,
      offset: 8 + sampleHeaderBytes + 24,
      sizeBytes: 4,
    });
    expect([...table.keys()]).toEqual(["layer.weight", "layer.bias", "gate"]);
  });

  test("may bring metadata, white space after the table, and tensors in any order", async () => {
    const header = {
      __metadata__: { format: "pt" },
      b: f32(8, 16),
      a: f32(0, 8),
      empty: f32(8, 8, [0]),
    };
    const table = await open(safetensorsBytes(`${JSON.stringify(header)}    `, 16));

    expect([...table.keys()].toSorted()).toEqual(["a", "b", "empty"]);
  });

  test("reads back whatever was written", () => {
    fc.assert(
      fc.property(tensors, (stored) => {
        const bytes = storedTensors(stored);
        const header = bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0)));
        const table = parseSafetensorsHeader(header, bytes.length, "model.safetensors");

        expect(new Set(table.keys())).toEqual(new Set(stored.keys()));
        for (const [key, { dtype, shape, data }] of stored) {
          expect(table.get(key)).toMatchObject({ dtype, shape, sizeBytes: data.length });
        }
      }),
    );
  });
});

describe("a file that lies is refused in one sentence (MF-01, MF-02, MF-03, MF-04, MF-05)", () => {
  const table = (header: Record<string, unknown> | string, dataBytes = 8): Buffer =>
    safetensorsBytes(header, dataBytes);

  test.each<[why: string, bytes: Uint8Array, says: RegExp]>([
    ["empty", Buffer.alloc(0), /has 0 bytes/],
    ["seven bytes", Buffer.alloc(7), /has 7 bytes/],
    ["a header of no bytes", Buffer.alloc(8), /no JSON object/],
    ["a header longer than the file", safetensorsBytes("{}", 0, 3n), /claims 3 bytes in a file/],
    ["a header of 2⁶³ bytes", safetensorsBytes("{}", 0, 2n ** 63n), /claims 9223372036854775808/],
    ["a header of 2⁶⁴ − 1 bytes", safetensorsBytes("{}", 0, 2n ** 64n - 1n), /claims 184467/],
    ["a huge header", safetensorsBytes(`{}${" ".repeat(3e6)}`), /claims 3000002 bytes, more/],
    ["no UTF-8", safetensorsBytes(Buffer.from([0x7b, 0xff, 0x7d])), /no JSON table/],
    ["a byte-order mark", table('\ufeff{"a":1}'), /no JSON object/],
    ["white space before the table", table(" {}", 0), /no JSON object/],
    ["no JSON", table('{"a":'), /no JSON table/],
    ["a list", table("[]"), /no JSON object/],
    ["two tables", table("{}{}"), /no JSON table/],
    ["nested a thousand deep", table('{"a":'.repeat(1000)), /nested more than 32 deep/],
    ["a tensor that is a number", table('{"a":1}'), /tensor a has no description/],
    ["a tensor that is null", table('{"a":null}'), /tensor a has no description/],
    ["a tensor that is a list", table('{"a":[]}'), /tensor a has no description/],
    ["metadata that are no texts", table({ __metadata__: { a: 1 } }, 0), /__metadata__/],
    [
      "a name twice",
      table(`{"a":${JSON.stringify(f32(0, 8))},"a":${JSON.stringify(f32(0, 8))}}`),
      /a is named twice/,
    ],
    [
      "a name twice, spelt differently",
      table(`{"a":${JSON.stringify(f32(0, 8))},"\\u0061":${JSON.stringify(f32(0, 8))}}`),
      /a is named twice/,
    ],
    ["a key of a tensor twice", table('{"a":{"dtype":"F32","dtype":"F16"}}'), /named twice/],
    ["an unknown type", table({ a: { ...f32(0, 8), dtype: "Q4" } }), /has the type Q4/],
    ["a type of Object", table({ a: { ...f32(0, 8), dtype: "toString" } }), /type toString/],
    ["no type", table({ a: { shape: [2], data_offsets: [0, 8] } }), /has the type nothing/],
    ["no shape", table({ a: { dtype: "F32", data_offsets: [0, 8] } }), /has the shape nothing/],
    ["a negative shape", table({ a: f32(0, 8, [-1, -2]) }), /has the shape \[-1,-2\]/],
    ["a fractional shape", table({ a: f32(0, 8, [1.5]) }), /has the shape \[1.5\]/],
    ["a shape of texts", table({ a: f32(0, 8, ["2"]) }), /has the shape \["2"\]/],
    ["a shape past 2⁵³", table('{"a":{"dtype":"F32","shape":[1e300]}}'), /has the shape/],
    ["nine axes", table({ a: f32(0, 8, [1, 1, 1, 1, 1, 1, 1, 1, 2]) }), /has the shape/],
    [
      "a product that overflows 64 bits to the right value",
      table({ a: f32(0, 0, [2 ** 32, 2 ** 30]) }, 0),
      /needs 18446744073709551616 bytes and has 0/,
    ],
    ["too short a span", table({ a: f32(0, 4) }, 4), /needs 8 bytes and has 4/],
    ["a reversed span", table({ a: f32(8, 0) }), /needs 8 bytes and has -8/],
    ["negative offsets", table({ a: f32(-8, 0) }), /lies at \[-8,0\]/],
    ["fractional offsets", table({ a: f32(0.5, 8.5) }), /lies at \[0.5,8.5\]/],
    ["one offset", table({ a: { dtype: "F32", shape: [2], data_offsets: [0] } }), /lies at \[0\]/],
    ["offsets past 2⁵³", table({ a: f32(2 ** 53, 2 ** 53 + 8) }), /lies at/],
    ["beyond the end", table({ a: f32(0, 80, [20]) }), /cut short: .* end at byte \d+/],
    ["an overlap", table({ a: f32(0, 8), b: f32(4, 12) }, 12), /tensor b overlaps/],
    ["the same span twice", table({ a: f32(0, 8), b: f32(0, 8) }), /tensor b overlaps/],
    ["a hole", table({ a: f32(0, 8), b: f32(12, 20) }, 20), /tensor b leaves a hole/],
    ["a hole at the start", table({ a: f32(4, 12) }, 12), /tensor a leaves a hole/],
    ["bytes after the last tensor", table({ a: f32(0, 8) }, 9), /too long/],
    ["data without tensors", table("{}"), /too long/],
  ])("%s", async (_, bytes, says) => {
    const message = await refusal(bytes);

    expect(message).toMatch(says);
    expect(message).toMatch(/^model\.safetensors cannot be used: .*\. Download it again\.$/);
  });

  test("cut at any byte, or with a byte too many (MF-06)", async () => {
    for (let length = 0; length < sample.length; length++) {
      expect(await refusal(sample.subarray(0, length))).toMatch(/cannot be used/);
    }
    expect(await refusal(Buffer.concat([sample, Buffer.alloc(1)]))).toMatch(/too long/);
  });

  test("a pipe, a folder, nothing at all", async () => {
    const { execFileSync } = await import("node:child_process");
    if (process.platform !== "win32") {
      const pipe = join(folder.path, "pipe");
      execFileSync("mkfifo", [pipe]);
      await expect(openSafetensors(pipe)).rejects.toThrow("pipe cannot be used: it is not a file.");
    }
    await expect(openSafetensors(folder.path)).rejects.toMatchObject({
      code: "corrupt_model_file",
    });
    await expect(openSafetensors(join(folder.path, "absent"))).rejects.toThrow("ENOENT");
  });

  test("a sentence carries no characters that a terminal obeys, and is short", async () => {
    const message = await refusal(table({ [`\u001b]0;x\u0007${"y".repeat(10_000)}`]: 1 }));

    expect(message).toMatch(/^[\x20-\x7e…]*$/);
    expect(message.length).toBeLessThan(300);
  });
});

describe("a mangled file is refused or true to itself, and never worse", () => {
  /** Not refused means: whole, and every tensor inside the file. */
  function check(bytes: Buffer): void {
    const headerBytes = Math.min(Number(bytes.readBigUInt64LE(0)), bytes.length - 8);
    try {
      const header = bytes.subarray(8, 8 + headerBytes);
      const table = parseSafetensorsHeader(header, bytes.length, "model.safetensors");
      let total = 0;
      for (const { offset, sizeBytes } of table.values()) {
        expect(offset).toBeGreaterThanOrEqual(8 + headerBytes);
        expect(offset + sizeBytes).toBeLessThanOrEqual(bytes.length);
        total += sizeBytes;
      }
      expect(total).toBe(bytes.length - 8 - headerBytes);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      expect(error.code).toBe("corrupt_model_file");
    }
  }

  test("bytes of the header replaced (G-03)", () => {
    const byte = fc.record({ at: fc.nat(sampleHeaderBytes - 1), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(byte, { minLength: 1, maxLength: 4 }), (changes) => {
        const bytes = Buffer.from(sample);
        for (const { at, value } of changes) bytes[8 + at] = value;
        check(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  test("digits of the header replaced by other digits", () => {
    const digits = [
      ...sample
        .subarray(8, 8 + sampleHeaderBytes)
        .toString()
        .matchAll(/\d/g),
    ];
    const change = fc.record({ which: fc.nat(digits.length - 1), to: fc.nat(9) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const bytes = Buffer.from(sample);
        for (const { which, to } of changes) bytes[8 + (digits[which]?.index ?? 0)] = 48 + to;
        check(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  test("any JSON for a table, any length for a file", () => {
    const jsonNumber = fc.oneof(fc.integer(), fc.double(), fc.maxSafeInteger());
    const entry = fc.oneof(
      fc.record({
        dtype: fc.oneof(fc.constantFrom("F32", "BF16", "U8"), fc.jsonValue()),
        shape: fc.oneof(fc.array(jsonNumber), fc.jsonValue()),
        data_offsets: fc.oneof(fc.tuple(jsonNumber, jsonNumber), fc.jsonValue()),
      }),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), entry), fc.nat(64), (header, dataBytes) => {
        check(safetensorsBytes(header, dataBytes));
      }),
    );
  });

  test("any bytes at all", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
        expect(await refusal(bytes)).toMatch(/cannot be used/);
      }),
      { numRuns: 200 },
    );
  });
});

describe("the largest header that is read takes less than a second", () => {
  const limit = 2 * 1024 * 1024;
  test.each<[why: string, header: string]>([
    ["keys", `{${Array.from({ length: limit / 10 }, (_, i) => `"${i.toString(36)}":0`).join()}}`],
    ["objects", `{"a":[${"{},".repeat(limit / 3 - 10)}{}]}`],
    ["escapes", `{"${"\\u0000".repeat(limit / 6 - 10)}":1}`],
    ["opening quotes", `{${'"\\"'.repeat(limit / 3 - 10)}`],
    ["opening brackets", `{"a":${"[".repeat(limit - 10)}`],
    ["a long shape", `{"a":{"dtype":"F32","shape":[${"1,".repeat(limit / 2 - 40)}1]}}`],
  ])("full of %s", (_, header) => {
    const bytes = Buffer.from(header);
    expect(bytes.length).toBeLessThanOrEqual(limit);
    const startedMs = performance.now();
    const parse = (): unknown => parseSafetensorsHeader(bytes, bytes.length + 8, "x.safetensors");

    expect(parse).toThrow("x.safetensors cannot be used");
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });
});
