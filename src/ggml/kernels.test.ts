/** Our own operators against ggml's and against plain arithmetic, where this processor has them. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageRoot } from "../config/package.ts";
import { Backend } from "./backend.ts";
import type { Dtype } from "./dtype.ts";
import type { Graph } from "./graph.ts";
import { findKernels, load } from "./kernels.ts";
import { loadGgml } from "./library.ts";
import { QuantizationSource } from "./quantize.ts";
import type { Tensor } from "./tensor.ts";
import type { TensorSet } from "./tensor-set.ts";

const found = findKernels(loadGgml());
const prebuilt = join(packageRoot(), "kernels/prebuilt");

let ours: Backend;
let ggmls: Backend;
beforeAll(() => {
  ours = Backend.openCpu();
  ggmls = Backend.openCpu({ usesKernels: false });
});
afterAll(() => {
  ours[Symbol.dispose]();
  ggmls[Symbol.dispose]();
});

/** Evenly spread over -1 … 1, the same each time. */
function numbers(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** The nearest number that bf16 has, of two the even one. */
function toBf16(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  view.setUint32(0, (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff_0000);
  return view.getFloat32(0);
}

async function quantizeRows(
  dtype: Dtype,
  elements: Float32Array,
  width: number,
): Promise<Uint8Array> {
  const directory = mkdtempSync(join(tmpdir(), "rows-"));
  try {
    writeFileSync(join(directory, "rows"), elements);
    using source = new QuantizationSource(join(directory, "rows"));
    return await source.quantize({
      offset: 0,
      from: "f32",
      to: dtype,
      numRows: elements.length / width,
      width,
      importance: undefined,
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function run(backend: Backend, build: (graph: Graph) => Tensor): Promise<Float32Array> {
  using graph = backend.newGraph({ kind: "test", maxNodes: 64 });
  const [result = new Float32Array()] = await graph.compute([build(graph)]);
  return result;
}

const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, index) => Math.max(most, Math.abs(value - (b[index] ?? Number.NaN))), 0);

describe.skipIf(found.kernels === undefined)("a product with a bf16 matrix", () => {
  // Fewer and more than a tile's 6 rows, a panel's 64 columns, a vector's 16, and the 1,280 of a part of the width.
  test.each([
    { rows: 16, width: 2, columns: 1 },
    { rows: 17, width: 34, columns: 15 },
    { rows: 67, width: 96, columns: 70 },
    { rows: 130, width: 1_280, columns: 64 },
    { rows: 49, width: 3_000, columns: 129 },
    { rows: 2_050, width: 32, columns: 80 },
  ])("$rows × $width × $columns", async ({ rows, width, columns }) => {
    const build = (graph: Graph): Tensor =>
      graph.linear(
        graph.cast(graph.input("f32", [columns, width], numbers(columns * width, 1)), "bf16"),
        graph.input("f32", [rows, width], numbers(rows * width, 2)),
        graph.input("f32", [columns], numbers(columns, 3)),
        "gelu",
      );
    const [mine, theirs] = [await run(ours, build), await run(ggmls, build)];
    expect(mine.length).toBe(rows * columns);
    // Both round to bf16 first and add in float32, in another order.
    expect(largestDifference(mine, theirs)).toBeLessThan(2e-6 * Math.sqrt(width) + 1e-6);
  });

  test.each([
    { dtype: "q8_0", rows: 60, width: 64, columns: 20, isRepacked: false },
    { dtype: "q4_0", rows: 80, width: 2_592, columns: 33, isRepacked: false },
    { dtype: "q4_0", rows: 100, width: 96, columns: 8, isRepacked: true },
    { dtype: "q4_0", rows: 75, width: 1_600, columns: 104, isRepacked: true },
    { dtype: "q4_k", rows: 133, width: 512, columns: 70, isRepacked: false },
    { dtype: "q5_k", rows: 150, width: 1_280, columns: 17, isRepacked: false },
    { dtype: "q6_k", rows: 400, width: 256, columns: 64, isRepacked: false },
  ] as const)(
    "of $dtype, repacked: $isRepacked, $rows × $width × $columns",
    async ({ dtype, rows, width, columns, isRepacked }) => {
      const specs = new Map([["w", { dtype, shape: [columns, width] }]]);
      using weights = isRepacked ? ours.allocateRepacked(specs) : ours.allocate(specs);
      using plain = ours.allocate(specs);
      const quantized = await quantizeRows(dtype, numbers(columns * width, 1), width);
      weights.write(weights.get("w"), quantized);
      plain.write(plain.get("w"), quantized);
      const input = numbers(rows * width, 2);
      const product = await run(ours, (graph) =>
        graph.matmul(weights.get("w"), graph.input("f32", [rows, width], input)),
      );
      const read = await run(ours, (graph) => graph.cast(plain.get("w"), "f32"));
      const [w, x] = [read.map(toBf16), input.map(toBf16)];
      const expected = Float32Array.from({ length: rows * columns }, (_, at) => {
        const [row, column] = [Math.floor(at / columns), at % columns];
        let sum = 0;
        for (let k = 0; k < width; k++) {
          sum += (x[row * width + k] ?? 0) * (w[column * width + k] ?? 0);
        }
        return sum;
      });
      expect(largestDifference(product, expected)).toBeLessThan(1e-6 * width);
    },
  );

  test("is the same for a row among others, and for any number of threads", async () => {
    const [rows, width, columns] = [101, 200, 90];
    const all = numbers(rows * width, 2);
    const product =
      (from: number, to: number) =>
      (graph: Graph): Tensor =>
        graph.matmul(
          graph.cast(graph.input("f32", [columns, width], numbers(columns * width, 1)), "bf16"),
          graph.input("f32", [to - from, width], all.slice(from * width, to * width)),
        );
    const whole = await run(ours, product(0, rows));
    const part = await run(ours, product(20, 53));
    expect(part).toEqual(whole.slice(20 * columns, 53 * columns));
    using single = Backend.openCpu({ numThreads: 1 });
    expect(await run(single, product(0, rows))).toEqual(whole);
  });

  test("of weights that have no rows to spare is not tried where an axis does not fit", () => {
    using graph = ours.newGraph({ kind: "test", maxNodes: 64 });
    const weight = graph.cast(graph.input("f32", [4, 32], numbers(128, 1)), "bf16");
    const rows = graph.input("f32", [20, 32], numbers(640, 1));
    const bias = graph.input("f32", [5], numbers(5, 1));
    expect(() => graph.linear(weight, rows, bias)).toThrow(/cannot be multiplied/);
  });
});

describe.skipIf(found.kernels === undefined)(
  "a product of few rows with a quantized matrix",
  () => {
    // Fewer and more than a tile's 8 rows and 2 columns, and a line's 16 columns.
    const cases = (["q8_0", "q6_k", "q5_k", "q4_k", "q4_0"] as const).flatMap((dtype) =>
      [
        { rows: 1, width: 256, columns: 1 },
        { rows: 1, width: 4_096, columns: 67 },
        { rows: 3, width: 1_280, columns: 34 },
        { rows: 8, width: 512, columns: 16 },
        { rows: 21, width: 768, columns: 45 },
      ].map((sizes) => ({ dtype, ...sizes })),
    );
    const weightsOf = async (
      backend: Backend,
      { dtype, width, columns }: (typeof cases)[number],
    ): Promise<TensorSet> => {
      const set = backend.allocate(new Map([["w", { dtype, shape: [columns, width] }]]));
      set.write(set.get("w"), await quantizeRows(dtype, numbers(columns * width, 1), width));
      return set;
    };

    test.each(cases)("of $dtype, $rows × $width × $columns: ggml's numbers", async (sizes) => {
      const { rows, width } = sizes;
      using own = await weightsOf(ours, sizes);
      using theirs = await weightsOf(ggmls, sizes);
      // One row of zeros, and one whose largest element is negative.
      const input = numbers(rows * width, 2);
      if (rows > 2) input.fill(0, width, 2 * width);
      input[0] = -1.5;
      const product = (set: TensorSet) => (graph: Graph) =>
        graph.matmul(set.get("w"), graph.input("f32", [rows, width], input));
      const [mine, other] = [await run(ours, product(own)), await run(ggmls, product(theirs))];
      expect(mine.length).toBe(rows * sizes.columns);
      // Both round the input to eight bits alike, and add in float32, in another order.
      expect(largestDifference(mine, other)).toBeLessThan(2e-6 * Math.sqrt(width) * 4);
      if (rows > 2)
        expect(mine.slice(sizes.columns, 2 * sizes.columns).every((n) => n === 0)).toBe(true);
    });

    test("is the same for a row among others, and for any number of threads", async () => {
      const sizes = { dtype: "q4_k", rows: 13, width: 512, columns: 50 } as const;
      const { rows, width, columns } = sizes;
      using weights = await weightsOf(ours, sizes);
      const all = numbers(rows * width, 2);
      const product = (from: number, to: number) => (graph: Graph) =>
        graph.matmul(
          weights.get("w"),
          graph.input("f32", [to - from, width], all.slice(from * width, to * width)),
        );
      const whole = await run(ours, product(0, rows));
      expect(await run(ours, product(9, 10))).toEqual(whole.slice(9 * columns, 10 * columns));
      using single = Backend.openCpu({ numThreads: 1 });
      expect(await run(single, product(0, rows))).toEqual(whole);
    });

    test("of a width that has no whole pieces is ggml's", async () => {
      const sizes = { dtype: "q8_0", rows: 2, width: 96, columns: 20 } as const;
      using own = await weightsOf(ours, sizes);
      using theirs = await weightsOf(ggmls, sizes);
      const product = (set: TensorSet) => (graph: Graph) =>
        graph.matmul(set.get("w"), graph.input("f32", [2, 96], numbers(192, 2)));
      expect(await run(ours, product(own))).toEqual(await run(ggmls, product(theirs)));
    });
  },
);

/** Attention in double precision, one query and head at a time. */
function attend(
  parts: { readonly query: Float32Array; readonly key: Float32Array; readonly value: Float32Array },
  bias: Float32Array,
  {
    numQueries,
    numHeads,
    headSize,
  }: Readonly<Record<"numQueries" | "numHeads" | "headSize", number>>,
): Float32Array {
  const { query, key, value } = parts;
  const out = new Float32Array(numQueries * numHeads * headSize);
  for (let q = 0; q < numQueries; q++) {
    for (let head = 0; head < numHeads; head++) {
      const at = (row: number): number => (row * numHeads + head) * headSize;
      const scores = Array.from(bias, (extra, k) => {
        let sum = 0;
        for (let c = 0; c < headSize; c++) sum += (query[at(q) + c] ?? 0) * (key[at(k) + c] ?? 0);
        return sum / Math.sqrt(headSize) + extra;
      });
      const most = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - most));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (let c = 0; c < headSize; c++) {
        const sum = weights.reduce((so, weight, k) => so + weight * (value[at(k) + c] ?? 0), 0);
        out[at(q) + c] = sum / total;
      }
    }
  }
  return out;
}

describe.skipIf(found.kernels === undefined)("attention to packed keys", () => {
  // Fewer and more than 30 queries, 64 keys and 256 keys; every width of a head.
  test.each([
    { numQueries: 1, numKeys: 1, numHeads: 1, headSize: 16 },
    { numQueries: 7, numKeys: 63, numHeads: 3, headSize: 32 },
    { numQueries: 31, numKeys: 65, numHeads: 2, headSize: 48 },
    { numQueries: 30, numKeys: 256, numHeads: 2, headSize: 64 },
    { numQueries: 64, numKeys: 321, numHeads: 4, headSize: 80 },
    { numQueries: 33, numKeys: 300, numHeads: 2, headSize: 96 },
    { numQueries: 29, numKeys: 600, numHeads: 2, headSize: 128 },
  ])("$numQueries × $numKeys, $numHeads heads of $headSize", async (sizes) => {
    const { numQueries, numKeys, numHeads, headSize } = sizes;
    const parts = {
      query: numbers(numQueries * numHeads * headSize, 5).map((x) => 3 * x),
      key: numbers(numKeys * numHeads * headSize, 6),
      value: numbers(numKeys * numHeads * headSize, 7),
    };
    // Some are hidden, some count several times, and the first is neither.
    const bias = Float32Array.from({ length: numKeys }, (_, k) =>
      k % 5 === 4 ? Number.NEGATIVE_INFINITY : k % 3 === 1 ? Math.log(3) : 0,
    );
    const attended = await run(ours, (graph) => {
      const input = (rows: number, data: Float32Array): Tensor =>
        graph.input("f32", [rows, numHeads, headSize], data);
      const packed = graph.packKeys(input(numKeys, parts.key), input(numKeys, parts.value));
      const counts = graph.input("f32", [numKeys], bias);
      return graph.attendPacked(
        input(numQueries, parts.query),
        packed,
        counts,
        1 / Math.sqrt(headSize),
      );
    });
    // Of bf16: 8 bits of a value up to 1, and of a score up to about 2.
    expect(largestDifference(attended, attend(parts, bias, sizes))).toBeLessThan(0.01);
  });

  test("of heads of another width, of keys of another number, is refused", () => {
    using graph = ours.newGraph({ kind: "test", maxNodes: 64 });
    const input = (...shape: number[]): Tensor =>
      graph.input("f32", shape, new Float32Array(shape.reduce((a, b) => a * b)));
    expect(graph.hasPackedAttention(24)).toBe(false);
    expect(() => graph.packKeys(input(5, 2, 24), input(5, 2, 24))).toThrow(/cannot be packed/);
    const packed = graph.packKeys(input(5, 2, 16), input(5, 2, 16));
    expect(() => graph.attendPacked(input(3, 2, 16), packed, input(200), 1)).toThrow(
      /cannot attend/,
    );
  });
});

describe("the library", () => {
  const ggml = loadGgml();

  test("is there on Linux with x64, or says why not", () => {
    if (found.kernels === undefined) {
      expect(found.why).toMatch(/there are none for|no AVX-512/);
    } else {
      expect(Object.keys(found.kernels)).toContain("linear");
    }
  });

  test.skipIf(found.kernels === undefined)("with one byte changed is not loaded (SC-06)", () => {
    const directory = mkdtempSync(join(tmpdir(), "kernels-"));
    try {
      const platform = `${process.platform}-${process.arch}`;
      const file = join(platform, "libatalaya-kernels.so");
      mkdirSync(join(directory, platform));
      copyFileSync(join(prebuilt, "hashes.json"), join(directory, "hashes.json"));
      const bytes = readFileSync(join(prebuilt, file));
      writeFileSync(join(directory, file), bytes);
      expect(load(ggml, directory).kernels).toBeDefined();
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      writeFileSync(join(directory, file), bytes);
      expect(load(ggml, directory)).toMatchObject({
        kernels: undefined,
        why: expect.stringMatching(/is not the file that was built/),
      });
      rmSync(join(directory, file));
      expect(load(ggml, directory)).toMatchObject({ why: expect.stringMatching(/none for/) });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
