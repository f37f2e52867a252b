import type { Graph } from "../ggml/graph.ts";
import type { Tensor } from "../ggml/tensor.ts";

/** Queries that ggml's CPU kernel takes as one tile, with matrix products; fewer go row by row. */
const TILE_QUERIES = 64;

/**
 * From how many queries on a tile of mostly zeros is faster than row by row: at the 11B's size, over 256 to 4,096
 * keys, 16 rows take 1.1 to 1.2 times as long as a tile in f16 and 10 rows in f32, 63 rows four to seven times.
 */
const worthATile = { f32: 10, f16: 14 } as const;

/**
 * Cached rows as `numQueries` queries read them fastest on the processor. Blocks of eight bits go row by row in ggml, eight
 * times as slow as a tile (`bench/cached-attention.ts`): as many queries as make a tile read floats that are made of them.
 *
 * @param rows `[numKeys, width]`
 */
export function readableRows(graph: Graph, rows: Tensor, numQueries: number): Tensor {
  return rows.dtype === "q8_0" && numQueries >= worthATile.f32 ? graph.cast(rows, "f32") : rows;
}

/**
 * Attention with shared key-value heads; see `Graph.attention`, whose operands it takes.
 *
 * A handful of queries, as of a question behind a long conversation or a picture, is filled up with zeros to a tile.
 *
 * @returns `[numQueries, numHeads, valueSize]` float32
 */
export function attention(graph: Graph, operands: Parameters<Graph["attention"]>[0]): Tensor {
  const { query, key } = operands;
  const numQueries = query.shape[1] ?? 0;
  const least = key.dtype === "f16" ? worthATile.f16 : worthATile.f32;
  if (numQueries < least || numQueries >= TILE_QUERIES) return graph.attention(operands);
  const filled = graph.pad(query, 1, TILE_QUERIES);
  return graph.slice(graph.attention({ ...operands, query: filled }), 0, 0, numQueries);
}
