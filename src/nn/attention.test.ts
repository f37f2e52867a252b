import { afterAll, beforeAll, expect, test } from "vitest";
import { Backend } from "../ggml/backend.ts";
import type { Graph } from "../ggml/graph.ts";
import { attention } from "./attention.ts";

const [numHeads, numKvHeads, size, numKeys] = [4, 2, 16, 100];

let backend: Backend;
beforeAll(() => {
  backend = Backend.openCpu({ numThreads: 1 });
});
afterAll(() => backend[Symbol.dispose]());

function waves(length: number, step: number): Float32Array {
  return Float32Array.from({ length }, (_, index) => Math.sin(index * step));
}

/** Query `q` sees keys up to `30 + q`. */
function causalMask(numRows: number): Uint16Array {
  const mask = new Uint16Array(numRows * numKeys);
  for (let q = 0; q < numRows; q++)
    for (let k = 31 + q; k < numKeys; k++) mask[q * numKeys + k] = 0xfc00;
  return mask;
}

async function run(
  numQueries: number,
  dtype: "f32" | "f16",
  attend: (
    graph: Graph,
    operands: Parameters<Graph["attention"]>[0],
  ) => ReturnType<Graph["attention"]>,
): Promise<Float32Array> {
  using graph = backend.newGraph({ kind: `attention of ${numQueries}`, maxNodes: 64 });
  const query = graph.input(
    "f32",
    [numQueries, numHeads, size],
    waves(numQueries * numHeads * size, 0.37),
  );
  const keys = (step: number) =>
    graph.cast(
      graph.input("f32", [numKvHeads, numKeys, size], waves(numKvHeads * numKeys * size, step)),
      dtype,
    );
  const result = attend(graph, {
    query: graph.permute(query, [1, 0, 2]),
    key: keys(0.21),
    value: keys(0.73),
    mask: graph.input("f16", [64, numKeys], causalMask(64)),
    scale: 0.25,
  });
  const [numbers] = await graph.compute([result]);
  if (numbers === undefined) throw new Error("no result");
  return numbers;
}

test.each([1, 2, 10, 14, 31, 63, 64])(
  "%i queries get what each gets row by row",
  async (numQueries) => {
    for (const dtype of ["f32", "f16"] as const) {
      const filled = await run(numQueries, dtype, attention);
      const plain = await run(numQueries, dtype, (graph, operands) => graph.attention(operands));
      expect(filled.length).toBe(numQueries * numHeads * size);
      const worst = filled.reduce(
        (max, value, index) => Math.max(max, Math.abs(value - (plain[index] ?? Number.NaN))),
        0,
      );
      expect(worst).toBeLessThan(dtype === "f32" ? 1e-6 : 2e-3);
    }
  },
);
