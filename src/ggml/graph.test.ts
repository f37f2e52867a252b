/** Every operator against a slow, obvious twin on random inputs. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Backend } from "./backend.ts";
import type { Graph } from "./graph.ts";
import type { Tensor } from "./tensor.ts";

let backend: Backend;
beforeAll(() => {
  backend = Backend.openCpu({ numThreads: 1 });
});
afterAll(() => backend[Symbol.dispose]());

/** A repeatable source of numbers in (−1, 1). */
function randomSource(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  };
}

function randomArray(length: number, seed: number): Float32Array {
  const next = randomSource(seed);
  return Float32Array.from({ length }, next);
}

async function run(build: (graph: Graph) => Tensor): Promise<Float32Array> {
  using graph = backend.newGraph({ kind: "test", maxNodes: 64 });
  const [result] = await graph.compute([build(graph)]);
  if (result === undefined) throw new Error("no result");
  return result;
}

function expectClose(actual: Float32Array, expected: readonly number[], absolute = 1e-6): void {
  expect(actual.length).toBe(expected.length);
  const worst = expected.reduce(
    (max, value, i) => Math.max(max, Math.abs((actual[i] ?? Number.NaN) - value)),
    0,
  );
  expect(worst).toBeLessThanOrEqual(absolute);
}

/** `[rows, width]` as nested arrays. */
function rowsOf(data: Float32Array, width: number): number[][] {
  return Array.from({ length: data.length / width }, (_, row) =>
    Array.from(data.subarray(row * width, (row + 1) * width)),
  );
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
const mean = (a: readonly number[]): number => a.reduce((sum, value) => sum + value, 0) / a.length;

/** Abramowitz and Stegun's series is not enough here: integrate the Gaussian by Simpson's rule. */
function erf(x: number): number {
  const steps = 2000;
  const h = x / steps;
  let sum = 1 + Math.exp(-x * x);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 0 ? 2 : 4) * Math.exp(-((i * h) ** 2));
  return ((2 / Math.sqrt(Math.PI)) * sum * h) / 3;
}

describe("elementwise", () => {
  const a = randomArray(6 * 5, 1);
  const b = randomArray(5, 2);
  test.each([
    ["add", (x: number, y: number) => x + y],
    ["multiply", (x: number, y: number) => x * y],
  ] as const)("%s repeats the second operand", async (name, twin) => {
    const actual = await run((graph) =>
      graph[name](graph.input("f32", [6, 5], a), graph.input("f32", [5], b)),
    );
    expectClose(
      actual,
      Array.from(a, (value, i) => twin(value, b[i % 5] ?? 0)),
    );
  });

  test("scale", async () => {
    const actual = await run((graph) => graph.scale(graph.input("f32", [6, 5], a), -1.5));
    expectClose(
      actual,
      Array.from(a, (value) => value * -1.5),
    );
  });

  test("gelu is the exact form, not the tanh form", async () => {
    const wide = a.map((value) => value * 4);
    const actual = await run((graph) => graph.gelu(graph.input("f32", [6, 5], wide)));
    expectClose(
      actual,
      Array.from(wide, (x) => 0.5 * x * (1 + erf(x / Math.SQRT2))),
      2e-6,
    );
  });

  test("swiglu", async () => {
    const up = randomArray(30, 3);
    const actual = await run((graph) =>
      graph.swiglu(graph.input("f32", [6, 5], a), graph.input("f32", [6, 5], up)),
    );
    expectClose(
      actual,
      Array.from(a, (x, i) => (x / (1 + Math.exp(-x))) * (up[i] ?? 0)),
    );
  });
});

describe("normalisation", () => {
  const a = randomArray(4 * 33, 4);
  test("rmsNormalize", async () => {
    const actual = await run((graph) => graph.rmsNormalize(graph.input("f32", [4, 33], a), 1e-5));
    const expected = rowsOf(a, 33).flatMap((row) => {
      const scale = 1 / Math.sqrt(mean(row.map((x) => x * x)) + 1e-5);
      return row.map((x) => x * scale);
    });
    expectClose(actual, expected);
  });

  test("normalize", async () => {
    const actual = await run((graph) => graph.normalize(graph.input("f32", [4, 33], a), 1e-5));
    const expected = rowsOf(a, 33).flatMap((row) => {
      const centre = mean(row);
      const scale = 1 / Math.sqrt(mean(row.map((x) => (x - centre) ** 2)) + 1e-5);
      return row.map((x) => (x - centre) * scale);
    });
    expectClose(actual, expected, 2e-6);
  });
});

describe("matrix products", () => {
  const weight = randomArray(7 * 40, 6);
  const input = randomArray(3 * 40, 7);
  test("matmul multiplies by the transposed weight", async () => {
    const actual = await run((graph) =>
      graph.matmul(graph.input("f32", [7, 40], weight), graph.input("f32", [3, 40], input)),
    );
    const expected = rowsOf(input, 40).flatMap((x) => rowsOf(weight, 40).map((w) => dot(w, x)));
    expectClose(actual, expected, 5e-6);
  });

  test("a weight of two heads serves four", async () => {
    const grouped = randomArray(2 * 5 * 8, 8);
    const queries = randomArray(4 * 3 * 8, 9);
    const actual = await run((graph) =>
      graph.matmul(graph.input("f32", [2, 5, 8], grouped), graph.input("f32", [4, 3, 8], queries)),
    );
    const keys = rowsOf(grouped, 8);
    const expected = rowsOf(queries, 8).flatMap((query, row) => {
      const head = Math.floor(row / 3 / 2);
      return keys.slice(head * 5, head * 5 + 5).map((key) => dot(key, query));
    });
    expectClose(actual, expected, 5e-6);
  });
});

describe("moving data", () => {
  test("padding puts zeros behind, also behind rows that are seen in another order", async () => {
    const data = randomArray(24, 5);
    const padded = await run((graph) =>
      graph.pad(graph.permute(graph.input("f32", [2, 3, 4], data), [1, 0, 2]), 1, 5),
    );
    const expected = [0, 1, 2].flatMap((row) =>
      [0, 1, 2, 3, 4].flatMap((head) =>
        [0, 1, 2, 3].map((i) => (head < 2 ? (data[head * 12 + row * 4 + i] ?? 0) : 0)),
      ),
    );
    expectClose(padded, expected, 0);
  });

  const a = randomArray(2 * 3 * 4, 10);
  test("permute is NumPy's transpose", async () => {
    const actual = await run((graph) =>
      graph.contiguous(graph.permute(graph.input("f32", [2, 3, 4], a), [2, 0, 1])),
    );
    const expected: number[] = [];
    for (let i = 0; i < 4; i++)
      for (let j = 0; j < 2; j++)
        for (let k = 0; k < 3; k++) expected.push(a[j * 12 + k * 4 + i] ?? Number.NaN);
    expectClose(actual, expected, 0);
  });

  test("slice, concat and reshape", async () => {
    const actual = await run((graph) => {
      const whole = graph.input("f32", [2, 3, 4], a);
      const swapped = graph.concat(graph.slice(whole, 2, 2, 2), graph.slice(whole, 2, 0, 2), 2);
      return graph.reshape(swapped, [6, 4]);
    });
    const expected = rowsOf(a, 4).flatMap(([x0 = 0, x1 = 0, x2 = 0, x3 = 0]) => [x2, x3, x0, x1]);
    expectClose(actual, expected, 0);
  });

  test("splitRows splits rows that lie apart", async () => {
    const actual = await run((graph) => {
      const left = graph.slice(graph.input("f32", [3, 8], a), 1, 0, 4);
      return graph.permute(graph.splitRows(left, [2, 2]), [1, 0, 2]);
    });
    const rows = rowsOf(a, 8);
    const expected = [0, 2].flatMap((start) => rows.flatMap((row) => row.slice(start, start + 2)));
    expectClose(actual, expected, 0);
  });

  test("repeat", async () => {
    const actual = await run((graph) =>
      graph.repeat(graph.input("f32", [1, 4], a.slice(0, 4)), [3, 4]),
    );
    expectClose(
      actual,
      [0, 1, 2].flatMap(() => Array.from(a.slice(0, 4))),
      0,
    );
  });

  test("getRows and setRows address rows by number", async () => {
    const actual = await run((graph) => {
      const table = graph.input("f32", [6, 4], a);
      const picked = graph.getRows(table, graph.input("i32", [2], Int32Array.of(5, 1)));
      return graph.setRows(
        graph.scale(table, 2),
        picked,
        graph.input("i64", [2], BigInt64Array.of(0n, 3n)),
      );
    });
    const rows = rowsOf(a, 4);
    const doubled = rows.map((row) => row.map((x) => x * 2));
    const expected = [rows[5], doubled[1], doubled[2], rows[1], doubled[4], doubled[5]];
    expectClose(
      actual,
      expected.flat().map((x) => x ?? Number.NaN),
      0,
    );
  });

  test("cast to bf16 and f16 and back rounds to nearest even", async () => {
    const actual = await run((graph) => {
      const whole = graph.input("f32", [6, 4], a);
      return graph.cast(graph.cast(whole, "f16"), "f32");
    });
    const errors = actual.map((value, i) => Math.abs(value - (a[i] ?? 0)));
    expect(Math.max(...errors)).toBeLessThan(2 ** -11);
    expect(Math.max(...errors)).toBeGreaterThan(0);
  });

  test("copyInto writes a persistent tensor", async () => {
    using set = backend.allocate(new Map([["cell", { dtype: "f16", shape: [6, 4] }]]));
    const half = await run((graph) =>
      graph.cast(graph.copyInto(graph.input("f32", [6, 4], a), set.get("cell")), "f32"),
    );
    const later = await run((graph) => graph.cast(set.get("cell"), "f32"));
    expect(Array.from(later)).toEqual(Array.from(half));
    expectClose(later, Array.from(a), 2 ** -11);
  });
});

describe("attention", () => {
  const [numHeads, numKvHeads, numQueries, numKeys, size] = [4, 2, 5, 70, 16];
  const query = randomArray(numHeads * numQueries * size, 11);
  const key = randomArray(numKvHeads * numKeys * size, 12);
  const value = randomArray(numKvHeads * numKeys * size, 13);
  const scale = 1 / Math.sqrt(size);

  function twin(isVisible: (queryIndex: number, keyIndex: number) => boolean): number[] {
    const [queries, keys, values] = [query, key, value].map((data) => rowsOf(data, size));
    const result: number[] = [];
    for (let q = 0; q < numQueries; q++) {
      for (let head = 0; head < numHeads; head++) {
        const kvHead = Math.floor(head / (numHeads / numKvHeads));
        const weights = Array.from({ length: numKeys }, (_, k) =>
          isVisible(q, k)
            ? Math.exp(
                scale *
                  dot(queries?.[head * numQueries + q] ?? [], keys?.[kvHead * numKeys + k] ?? []),
              )
            : 0,
        );
        const sum = weights.reduce((total, weight) => total + weight, 0);
        for (let channel = 0; channel < size; channel++) {
          result.push(
            weights.reduce(
              (total, weight, k) =>
                total + weight * (values?.[kvHead * numKeys + k]?.[channel] ?? 0),
              0,
            ) / sum,
          );
        }
      }
    }
    return result;
  }

  test.each([
    ["f32", 1e-6],
    ["f16", 1e-3],
  ] as const)("with keys in %s agrees with softmax(q·kᵀ)·v", async (dtype, limit) => {
    const actual = await run((graph) =>
      graph.attention({
        query: graph.input("f32", [numHeads, numQueries, size], query),
        key: graph.cast(graph.input("f32", [numKvHeads, numKeys, size], key), dtype),
        value: graph.cast(graph.input("f32", [numKvHeads, numKeys, size], value), dtype),
        mask: undefined,
        scale,
      }),
    );
    expectClose(
      actual,
      twin(() => true),
      limit,
    );
  });

  test("hides what the mask hides", async () => {
    const isVisible = (q: number, k: number): boolean => k <= 60 + q;
    const mask = new Uint16Array(64 * numKeys);
    for (let q = 0; q < numQueries; q++)
      for (let k = 0; k < numKeys; k++) if (!isVisible(q, k)) mask[q * numKeys + k] = 0xfc00;
    const actual = await run((graph) =>
      graph.attention({
        query: graph.input("f32", [numHeads, numQueries, size], query),
        key: graph.input("f32", [numKvHeads, numKeys, size], key),
        value: graph.input("f32", [numKvHeads, numKeys, size], value),
        mask: graph.input("f16", [64, numKeys], mask),
        scale,
      }),
    );
    expectClose(actual, twin(isVisible));
  });

  test("hides the same with a mask of which only what is not zero was given", async () => {
    const hidden = new Uint16Array(numKeys).fill(0xfc00);
    const runs = Array.from({ length: numQueries }, (_, q) => ({
      first: q * numKeys + Math.min(61 + q, numKeys),
      data: hidden.subarray(0, Math.max(0, numKeys - 61 - q)),
    }));
    // Memory that others have written to is cleared first.
    for (let turn = 0; turn < 2; turn++) {
      const actual = await run((graph) =>
        graph.attention({
          query: graph.input("f32", [numHeads, numQueries, size], query),
          key: graph.input("f32", [numKvHeads, numKeys, size], key),
          value: graph.input("f32", [numKvHeads, numKeys, size], value),
          mask: graph.zeros([64, numKeys], runs),
          scale,
        }),
      );
      expectClose(
        actual,
        twin((q, k) => k <= 60 + q),
      );
    }
  });
});
