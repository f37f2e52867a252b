/** Our operators for each level of instructions that this processor has, against ggml's. */
import { expect, test } from "vitest";
import { Backend } from "./backend.ts";
import type { Graph } from "./graph.ts";
import { findKernels } from "./kernels.ts";
import { loadGgml } from "./library.ts";
import type { Tensor } from "./tensor.ts";

const levels = (["avx2", "avx512", "avx512bf16"] as const).filter(
  (level) => findKernels(loadGgml(), level).kernels !== undefined,
);

const wave = (length: number, step: number): Float32Array =>
  Float32Array.from({ length }, (_, at) => Math.sin(at * step));

const differences = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, x, at) => Math.max(most, Math.abs(x - (b[at] ?? Number.NaN))), 0);

async function run(backend: Backend, build: (graph: Graph) => Tensor): Promise<Float32Array> {
  using graph = backend.newGraph({ kind: "test", maxNodes: 64 });
  const [result = new Float32Array()] = await graph.compute([build(graph)]);
  return result;
}

test("a processor that has a level has those before it", () => {
  expect(["avx2", "avx512", "avx512bf16"].slice(0, levels.length)).toEqual(levels);
});

test.skipIf(levels.length === 0).each(levels)("%s multiplies as ggml does", async (level) => {
  using ours = Backend.openCpu({ instructions: level });
  using ggmls = Backend.openCpu({ usesKernels: false });
  for (const [rows, width, columns] of [
    [16, 2, 1],
    [17, 34, 15],
    [67, 96, 70],
    [49, 3_000, 129],
  ] as const) {
    const build = (graph: Graph): Tensor =>
      graph.linear(
        graph.cast(graph.input("f32", [columns, width], wave(columns * width, 0.7)), "bf16"),
        graph.input("f32", [rows, width], wave(rows * width, 0.3)),
        graph.input("f32", [columns], wave(columns, 1.1)),
        "gelu",
      );
    const [mine, theirs] = [await run(ours, build), await run(ggmls, build)];
    expect(mine.length).toBe(rows * columns);
    // ggml rounds the input to bfloat16, levels without it do not: eight bits of each product.
    const limit = level === "avx512bf16" ? 3e-6 : 4e-3;
    expect(differences(mine, theirs)).toBeLessThan(limit * Math.sqrt(width) + 1e-6);
  }
});

test.skipIf(levels.length === 0).each(levels)("%s attends as ggml does", async (level) => {
  using ours = Backend.openCpu({ instructions: level });
  const limit = level === "avx512bf16" ? 0.01 : 2e-5;
  for (const headSize of [16, 48, 80, 128]) {
    const [numQueries, numKeys, numHeads] = [37, 321, 2];
    const query = wave(numQueries * numHeads * headSize, 0.37).map((x) => 2 * x);
    const key = wave(numKeys * numHeads * headSize, 0.53);
    const value = wave(numKeys * numHeads * headSize, 0.91);
    const bias = Float32Array.from({ length: numKeys }, (_, at) =>
      at % 5 === 4 ? Number.NEGATIVE_INFINITY : at % 3 === 1 ? Math.log(3) : 0,
    );
    const attended = await run(ours, (graph) => {
      const input = (rows: number, data: Float32Array): Tensor =>
        graph.input("f32", [rows, numHeads, headSize], data);
      const packed = graph.packKeys(input(numKeys, key), input(numKeys, value));
      const counts = graph.input("f32", [numKeys], bias);
      return graph.attendPacked(input(numQueries, query), packed, counts, 1 / Math.sqrt(headSize));
    });
    const at = (row: number, head: number): number => (row * numHeads + head) * headSize;
    const expected = new Float32Array(query.length);
    for (let q = 0; q < numQueries; q++) {
      for (let head = 0; head < numHeads; head++) {
        const weights = Array.from(bias, (extra, k) => {
          let sum = 0;
          for (let c = 0; c < headSize; c++)
            sum += (query[at(q, head) + c] ?? 0) * (key[at(k, head) + c] ?? 0);
          return Math.exp(sum / Math.sqrt(headSize) + extra);
        });
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (let c = 0; c < headSize; c++) {
          const sum = weights.reduce((so, w, k) => so + w * (value[at(k, head) + c] ?? 0), 0);
          expected[at(q, head) + c] = sum / total;
        }
      }
    }
    expect(differences(attended, expected)).toBeLessThan(limit);
  }
});
