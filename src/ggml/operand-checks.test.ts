/** The other side of `misuse.test.ts`: operands that the checks let through are computed, and right. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Backend } from "./backend.ts";
import type { Graph } from "./graph.ts";
import type { Tensor } from "./tensor.ts";

let backend: Backend;
beforeAll(() => {
  backend = Backend.openCpu({ numThreads: 1 });
});
afterAll(() => backend[Symbol.dispose]());

const newGraph = (): Graph => backend.newGraph({ kind: "test", maxNodes: 64 });
const counted = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => i);
const data = counted(12);
const ids = (g: Graph, ...rows: number[]): Tensor =>
  g.input("i32", [rows.length], Int32Array.from(rows));
const longIds = (g: Graph, ...rows: number[]): Tensor =>
  g.input("i64", [rows.length], BigInt64Array.from(rows, BigInt));

describe("what the checks let through runs", () => {
  const square = counted(256 * 256).map((x) => (x % 97) / 97);
  const transposed = square.map((_, i) => square[(i % 256) * 256 + Math.floor(i / 256)] ?? 0);
  const floats = ["f32", "f16", "bf16"] as const;
  const quantized = ["q4_0", "q8_0", "q4_k", "q5_k", "q6_k"] as const;
  const dtypes = [...floats, ...quantized];
  const input = (g: Graph): Tensor => g.input("f32", [256, 256], square);
  /** In a block a q4_0 element is off by a sixteenth of the largest at most. */
  const limit = 1 / 14;

  async function expectNear(build: (g: Graph) => Tensor, expected: Float32Array): Promise<void> {
    using graph = newGraph();
    const [actual] = await graph.compute([build(graph)]);
    expect(actual?.length).toBe(expected.length);
    const worst = expected.reduce(
      (max, value, i) => Math.max(max, Math.abs((actual?.[i] ?? Number.NaN) - value)),
      0,
    );
    expect(worst).toBeLessThan(limit);
  }

  test.each(floats.flatMap((from) => floats.map((to) => [from, to] as const)))(
    "cast, copyInto and concat of permuted %s and %s",
    async (from, to) => {
      const turn = (g: Graph): Tensor => g.permute(g.cast(input(g), from), [1, 0]);
      await expectNear((g) => g.cast(g.cast(turn(g), to), "f32"), transposed);
      await expectNear((g) => {
        const destination = g.permute(g.cast(g.scale(input(g), 0), to), [1, 0]);
        return g.cast(g.contiguous(g.copyInto(turn(g), destination)), "f32");
      }, transposed);
      await expectNear((g) => {
        const rows = g.cast(input(g), from);
        const [left, right] = [g.slice(rows, 0, 0, 100), g.slice(rows, 0, 100, 156)];
        return g.cast(g.concat(g.permute(left, [1, 0]), g.permute(right, [1, 0]), 1), "f32");
      }, transposed);
    },
  );

  test.each(dtypes)("cast to %s and back, matmul, getRows, setRows, copyInto", async (dtype) => {
    await expectNear((g) => g.cast(g.cast(input(g), dtype), "f32"), square);
    await expectNear(
      (g) => g.getRows(g.cast(input(g), dtype), ids(g, 3, 255)),
      Float32Array.of(...square.subarray(768, 1024), ...square.subarray(255 * 256)),
    );
    await expectNear((g) => {
      const table = g.cast(g.scale(input(g), 0), dtype);
      const rows = longIds(g, ...counted(256));
      return g.cast(g.setRows(table, input(g), rows), "f32");
    }, square);
    await expectNear(
      (g) => g.cast(g.copyInto(input(g), g.cast(g.scale(input(g), 0), dtype)), "f32"),
      square,
    );
    const identity = square.map((_, i) => (i % 257 === 0 ? 1 : 0));
    await expectNear(
      (g) => g.matmul(g.cast(input(g), dtype), g.input("f32", [256, 256], identity)),
      transposed,
    );
  });

  test("attention with a mask of no more rows than queries", async () => {
    await expectNear(
      (g) =>
        g.attention({
          query: g.input("f32", [1, 3, 4], data),
          key: g.input("f32", [1, 5, 4], new Float32Array(20)),
          value: g.input("f32", [1, 5, 4], new Float32Array(20).fill(1)),
          mask: g.input("f16", [3, 5], new Uint16Array(15)),
          scale: 1,
        }),
      new Float32Array(12).fill(1),
    );
  });

  test("concat of ids, permuted rows into matmul, rows with gaps into setRows", async () => {
    using graph = newGraph();
    graph.require(graph.concat(ids(graph, 1), ids(graph, 2, 3), 0));
    graph.require(graph.concat(longIds(graph, 1), longIds(graph, 2), 0));
    const heads = graph.permute(graph.input("f32", [3, 2, 2], data), [1, 0, 2]);
    graph.require(graph.matmul(graph.input("f32", [2, 2], counted(4)), heads));
    graph.require(graph.rmsNormalize(heads, 0));
    graph.require(graph.add(heads, heads));
    graph.require(graph.repeat(heads, [2, 6, 2]));
    const table = graph.input("f32", [3, 2], counted(6));
    const written = graph.setRows(
      table,
      graph.slice(graph.input("f32", [3, 4], data), 1, 0, 2),
      longIds(graph, 2, 1, 0),
    );
    expect(await graph.compute([written])).toEqual([Float32Array.of(8, 9, 4, 5, 0, 1)]);
  });
});
