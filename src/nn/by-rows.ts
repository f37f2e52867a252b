import type { Graph } from "../ggml/graph.ts";
import type { Tensor } from "../ggml/tensor.ts";

/**
 * Operations of one part. Two slow cores do them in 60 to 80 ms, which is what a running answer may wait
 * for while a picture is encoded; see `graph-slices.ts`.
 */
const PART_OPERATIONS = 14e9;

/**
 * Compute each row by itself, in parts small enough for others to get their turn in between.
 *
 * @param rows `[numRows, …]`
 * @param operationsPerRow floating point operations of `compute` for one row
 * @param compute from rows of `rows`, which begin at row `start`, to as many rows
 */
export function byRows(
  graph: Graph,
  rows: Tensor,
  operationsPerRow: number,
  compute: (part: Tensor, start: number) => Tensor,
): Tensor {
  const numRows = rows.shape[0] ?? 0;
  const numParts = Math.ceil((numRows * operationsPerRow) / PART_OPERATIONS);
  if (numParts <= 1) return compute(rows, 0);
  // In whole tiles of the kernels.
  const perPart = Math.ceil(numRows / numParts / 64) * 64;
  const parts: Tensor[] = [];
  for (let start = 0; start < numRows; start += perPart) {
    const part = graph.slice(rows, 0, start, Math.min(perPart, numRows - start));
    parts.push(compute(part, start));
  }
  return joinRows(graph, parts);
}

/** Neighbours first, so that each row is copied a few times at most. */
function joinRows(graph: Graph, parts: readonly Tensor[]): Tensor {
  const [first, ...others] = parts;
  if (first === undefined) throw new Error("there are no rows to join");
  if (others.length === 0) return first;
  const pairs: Tensor[] = [];
  for (let index = 0; index < parts.length; index += 2) {
    const [left, right] = [parts[index], parts[index + 1]];
    if (left !== undefined) pairs.push(right === undefined ? left : graph.concat(left, right, 0));
  }
  return joinRows(graph, pairs);
}
