/** Quantizing: what is made, that it is what ggml would make, and what may go wrong on the way. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LoadProgress } from "../../src/engines/engine.ts";
import { shapeOfCheckpoint } from "../../src/engines/model-shape.ts";
import { readImportance } from "../../src/engines/native/importance.ts";
import {
  type QuantizeOptions,
  quantizedDirectory,
} from "../../src/engines/native/quantize-model.ts";
import { layOutGguf } from "../../src/formats/gguf-layout.ts";
import type { GgufValue } from "../../src/formats/gguf-types.ts";
import { Backend } from "../../src/ggml/backend.ts";
import { openCheckpoint } from "../../src/models/mllama/checkpoint.ts";
import { quantizations } from "../../src/models/mllama/quantization.ts";
import { temporaryFolder } from "../support/checkpoint-files.ts";
import { demoCheckpoint } from "../support/golden.ts";

const demo = demoCheckpoint() ?? "";
let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

/** Comparing the bytes themselves would take the test runner a minute. */
const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const modelOf = (directory: string): Buffer => readFileSync(join(directory, "model.gguf"));

async function quantize(
  options: Partial<QuantizeOptions> = {},
  onProgress: (progress: LoadProgress) => void = () => {},
): Promise<string> {
  return await quantizedDirectory(
    {
      directory: demo,
      quantization: "q4_0",
      cacheDirectory: folder.path,
      imatrix: undefined,
      ...options,
    },
    onProgress,
  );
}

describe("what is made", () => {
  test.each(quantizations)(
    "%s is a checkpoint of the size that was planned",
    async (quantization) => {
      const directory = await quantize({ quantization });
      const original = await openCheckpoint(demo);
      const made = await openCheckpoint(directory);
      const planned = shapeOfCheckpoint(original, quantization);
      expect(shapeOfCheckpoint(made)).toEqual({ ...planned, fileBytes: made.fileBytes });
      expect(made.fileBytes).toBeLessThan(original.fileBytes * 0.75);
      expect(made.stopTokenIds).toEqual(original.stopTokenIds);
      for (const [name, { dtype }] of made.tensors) {
        const isText = name.startsWith("language_model.");
        if (!isText) expect([name, dtype]).toEqual([name, original.tensors.get(name)?.dtype]);
      }
    },
  );

  test("rows that are no whole blocks get the next type that fits", async () => {
    const made = await openCheckpoint(await quantize({ quantization: "q4_k" }));
    const typeOf = (name: string) =>
      made.tensors.get(`language_model.model.layers.1.${name}.weight`)?.dtype;
    // Rows of 192, and of 512.
    expect(typeOf("mlp.up_proj")).toBe("Q8_0");
    expect(typeOf("mlp.down_proj")).toBe("Q4_K");
  });

  test("numbers are those that ggml makes, whatever the number of threads", async () => {
    const [one, three] = [
      await quantize({ numThreads: 1, quantization: "q4_k" }),
      await quantize({
        numThreads: 3,
        quantization: "q4_k",
        cacheDirectory: join(folder.path, "other"),
      }),
    ];
    expect(digestOf(modelOf(one))).toBe(digestOf(modelOf(three)));

    const name = "language_model.model.layers.1.mlp.down_proj.weight";
    const [original, made] = [
      (await openCheckpoint(demo)).tensors.get(name),
      (await openCheckpoint(one)).tensors.get(name),
    ];
    if (original === undefined || made === undefined) throw new Error("no such tensor");
    using backend = Backend.openCpu({ numThreads: 1 });
    const [numRows = 0, width = 0] = original.shape;
    using mapped = backend.map(
      new Map([
        ["original", { ...original, dtype: "bf16", shape: [numRows, width] }],
        ["made", { ...made, dtype: "q4_k", shape: [numRows, width] }],
      ]),
    );
    using graph = backend.newGraph({ kind: "test", maxNodes: 16 });
    const all = graph.input(
      "i32",
      [numRows],
      Int32Array.from({ length: numRows }, (_, i) => i),
    );
    const [theirs, ours] = await graph.compute([
      graph.getRows(mapped.get("original"), all),
      graph.getRows(mapped.get("made"), all),
    ]);
    const square = (numbers: Float32Array): number => numbers.reduce((sum, x) => sum + x * x, 0);
    const error = (theirs ?? new Float32Array()).map((x, i) => x - (ours?.[i] ?? 0));
    // Of four bits and a half: a wrong order of rows would be 1.4.
    expect(Math.sqrt(square(error) / square(theirs ?? error))).toBeLessThan(0.1);
  });

  test("a second time it is found; another source gets its own", async () => {
    const first = await quantize();
    const { mtimeMs, ino } = statSync(join(first, "model.gguf"));
    expect(await quantize()).toBe(first);
    expect(statSync(join(first, "model.gguf"))).toMatchObject({ mtimeMs, ino });
    const copy = join(folder.path, "checkpoint");
    cpSync(demo, copy, { recursive: true });
    expect(await quantize({ directory: copy })).toBe(first);
    const weights = readFileSync(join(copy, "model.safetensors"));
    weights.writeUInt8(weights.readUInt8(weights.length - 1) ^ 1, weights.length - 1);
    writeFileSync(join(copy, "model.safetensors"), weights);
    expect(await quantize({ directory: copy })).not.toBe(first);
  });

  test("how far it is is told in bytes, to the end", async () => {
    const told: LoadProgress[] = [];
    await quantize({}, (progress) => told.push(progress));
    expect(told.at(-1)).toMatchObject({ stage: "quantizing to q4_0", fraction: 1 });
    expect(told.at(-1)?.totalBytes).toBe((await openCheckpoint(demo)).fileBytes);
  });

  test("what is quantized already is refused", async () => {
    const directory = await quantize();
    await expect(quantize({ directory })).rejects.toThrow(/is quantized already/);
  });
});

describe("stopped on the way", () => {
  /** As a process leaves it that was killed after `fraction` of the work. */
  async function killedAt(fraction: number): Promise<void> {
    const stop = new Error("killed");
    await quantize({}, (progress) => {
      if ((progress.fraction ?? 0) >= fraction) throw stop;
    }).catch((error: unknown) => expect(error).toBe(stop));
  }

  test("what is safely there is not made again", async () => {
    const whole = readFileSync(
      join(await quantize({ cacheDirectory: join(folder.path, "x") }), "model.gguf"),
    );
    await killedAt(0.01);
    const root = join(folder.path, "quantized");
    const [partial = ""] = readdirSync(root).filter((name) => name.endsWith(".partial"));
    expect(partial).not.toBe("");
    // The journal of somebody who was killed later.
    const record = JSON.parse(
      readFileSync(
        join(await quantize({ cacheDirectory: join(folder.path, "x") }), "record.json"),
        "utf8",
      ),
    ) as { head: string; tensors: { sha256: string; offset: number }[] };
    const kept = 40;
    const end = record.tensors[kept]?.offset ?? 0;
    writeFileSync(join(root, partial, "model.gguf"), whole.subarray(0, end));
    const lines = [record.head, ...record.tensors.slice(0, kept).map(({ sha256 }) => sha256)];
    writeFileSync(join(root, partial, "model.gguf.journal"), `${lines.join("\n")}\nhalf a li`);
    const told: number[] = [];

    const directory = await quantize({}, ({ fraction }) => told.push(fraction ?? -1));

    expect(digestOf(modelOf(directory))).toBe(digestOf(whole));
    expect(existsSync(join(root, partial))).toBe(false);
    expect(existsSync(join(directory, "model.gguf.journal"))).toBe(false);
  });

  test.each([
    ["data that the journal does not know", (bytes: Buffer) => bytes.fill(0xaa, bytes.length / 2)],
    ["another beginning", (bytes: Buffer) => bytes.fill(0, 0, 100)],
  ])("%s are made again", async (_name, spoil) => {
    const whole = readFileSync(
      join(await quantize({ cacheDirectory: join(folder.path, "x") }), "model.gguf"),
    );
    await killedAt(0.01);
    const root = join(folder.path, "quantized");
    const [partial = ""] = readdirSync(root).filter((name) => name.endsWith(".partial"));
    const spoilt = Buffer.from(whole);
    spoil(spoilt);
    writeFileSync(join(root, partial, "model.gguf"), spoilt);
    const record = JSON.parse(
      readFileSync(
        join(await quantize({ cacheDirectory: join(folder.path, "x") }), "record.json"),
        "utf8",
      ),
    ) as { head: string; tensors: { sha256: string }[] };
    const lines = [record.head, ...record.tensors.map(({ sha256 }) => sha256)];
    writeFileSync(join(root, partial, "model.gguf.journal"), `${lines.join("\n")}\n`);
    expect(digestOf(modelOf(await quantize()))).toBe(digestOf(whole));
  });
});

describe("a kept file that is damaged is made anew, with a sentence", () => {
  const spoil: readonly (readonly [string, (path: string) => void])[] = [
    ["cut short", (path) => truncateSync(path, 1000)],
    [
      "one bit",
      (path) => {
        const bytes = readFileSync(path);
        bytes.writeUInt8(bytes.readUInt8(bytes.length - 9) ^ 4, bytes.length - 9);
        writeFileSync(path, bytes);
      },
    ],
    ["no record", (path) => writeFileSync(join(path, "..", "record.json"), "{")],
  ];
  test.each(spoil)("%s", async (_name, damage) => {
    const directory = await quantize();
    const path = join(directory, "model.gguf");
    const whole = readFileSync(path);
    damage(path);
    const told: string[] = [];
    expect(await quantize({}, ({ stage }) => told.push(stage))).toBe(directory);
    expect(told[0]).toMatch(/was damaged and is made anew/);
    expect(digestOf(readFileSync(path))).toBe(digestOf(whole));
  });

  test("one that was only copied is not", async () => {
    const directory = await quantize();
    utimesSync(join(directory, "model.gguf"), 1000, 1000);
    const told: string[] = [];
    await quantize({}, ({ stage }) => told.push(stage));
    await quantize({}, ({ stage }) => told.push(stage));
    expect(told).toEqual([]);
  });
});

test("two at once make it once", async () => {
  const stages = [new Set<string>(), new Set<string>()];
  const directories = await Promise.all(
    stages.map((told) => quantize({ quantization: "q6_k" }, ({ stage }) => told.add(stage))),
  );
  expect(new Set(directories).size).toBe(1);
  const makers = stages.filter((told) => told.has("quantizing to q6_k"));
  expect(makers).toHaveLength(1);
});

// Whoever may do anything is not kept out by permissions.
test.skipIf(process.getuid?.() === 0)("a place that may not be written to is named", async () => {
  const place = join(folder.path, "locked");
  mkdirSync(place);
  chmodSync(place, 0o500);
  await expect(quantize({ cacheDirectory: place })).rejects.toMatchObject({
    code: "cache_unusable",
    message: expect.stringContaining(place),
  });
});

test("a place that is a file is named", async () => {
  const place = join(folder.path, "file");
  writeFileSync(place, "");
  await expect(quantize({ cacheDirectory: place })).rejects.toMatchObject({
    code: "cache_unusable",
    message: expect.stringContaining(place),
  });
});

describe("an importance matrix", () => {
  const name = "blk.1.ffn_down.weight";

  function write(
    columns: Float32Array,
    { type = "imatrix", tensor = name, count = 2 } = {},
  ): string {
    const metadata = new Map<string, GgufValue>([
      ["general.type", { type: "string", value: type }],
    ]);
    const layout = layOutGguf(metadata, [
      { name: `${tensor}.in_sum2`, dtype: "F32", shape: [1, columns.length] },
      { name: `${tensor}.counts`, dtype: "F32", shape: [1, 1] },
    ]);
    const bytes = Buffer.alloc(layout.fileBytes);
    bytes.set(layout.head);
    const [sums, counts] = layout.tensors;
    bytes.set(new Uint8Array(columns.buffer), sums?.offset);
    bytes.writeFloatLE(count, counts?.offset);
    const path = join(folder.path, "imatrix.gguf");
    writeFileSync(path, bytes);
    return path;
  }

  const steep = Float32Array.from({ length: 512 }, (_, column) => (column < 64 ? 1000 : 0.01));

  test("is read by llama.cpp's names, divided by its counts", async () => {
    const { tensors } = await openCheckpoint(demo);
    const importance = await readImportance(write(steep), tensors);
    expect([...importance.keys()]).toEqual(["language_model.model.layers.1.mlp.down_proj.weight"]);
    expect([...importance.values()][0]?.[0]).toBe(500);
  });

  test("changes the tensor it speaks of, and the key", async () => {
    const plain = await quantize({ quantization: "q4_k" });
    const weighted = await quantize({ quantization: "q4_k", imatrix: write(steep) });
    expect(weighted).not.toBe(plain);
    const bytesOf = async (directory: string, tensor: string): Promise<Buffer> => {
      const entry = (await openCheckpoint(directory)).tensors.get(tensor);
      const { offset = 0, sizeBytes = 0, path = "" } = entry ?? {};
      return readFileSync(path).subarray(offset, offset + sizeBytes);
    };
    const spoken = "language_model.model.layers.1.mlp.down_proj.weight";
    const other = "language_model.model.layers.2.mlp.down_proj.weight";
    const digests = async (tensor: string): Promise<string[]> => [
      digestOf(await bytesOf(weighted, tensor)),
      digestOf(await bytesOf(plain, tensor)),
    ];
    expect(new Set(await digests(spoken)).size).toBe(2);
    expect(new Set(await digests(other)).size).toBe(1);
  });

  test.each([
    ["of another kind", () => write(steep, { type: "model" }), /holds no importance matrix/],
    ["of another model", () => write(steep.slice(0, 100)), /was made for another one/],
    ["of no tensor of ours", () => write(steep, { tensor: "other" }), /names no tensor/],
    ["without counts", () => write(steep, { count: 0 }), /names no tensor/],
  ])("%s is refused", async (_name, make, message) => {
    await expect(quantize({ imatrix: make() })).rejects.toThrow(message);
  });
});
