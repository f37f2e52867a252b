import { expect, test } from "vitest";
import { Backend } from "../ggml/backend.ts";
import { byRows } from "./by-rows.ts";

test.each([1, 2, 3, 7])("in %i parts, rows are those of one part", async (numParts) => {
  const [numRows, width] = [450, 8];
  using backend = Backend.openCpu({ numThreads: 1 });
  using graph = backend.newGraph({ kind: "rows", maxNodes: 64 });
  const data = Float32Array.from({ length: numRows * width }, (_, index) => index);
  const sizes: number[] = [];
  const doubled = byRows(
    graph,
    graph.input("f32", [numRows, width], data),
    (numParts * 14e9 - 1) / numRows,
    (rows) => {
      sizes.push(rows.shape[0] ?? 0);
      return graph.add(rows, rows);
    },
  );
  const [result] = await graph.compute([doubled]);
  expect(result).toEqual(data.map((value) => 2 * value));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(numRows);
  expect(sizes.slice(0, -1).every((size) => numParts === 1 || size % 64 === 0)).toBe(true);
  expect(sizes.length > 1).toBe(numParts > 1);
});
