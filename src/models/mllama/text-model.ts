/**
 * The text model: one forward pass over parts of several sequences at once.
 *
 * A sequence brings the rows it has to run, where its keys and values are kept, and the pictures it
 * can see. Norms, projections and feed-forward blocks run over all rows together; attention runs per
 * sequence. Rows that can see no picture skip the cross-attention layers as a whole, which is what
 * multiplying both of their updates by zero means (Meta's semantics, profile `ref`).
 *
 * Follows Transformers `MllamaTextModel.forward`.
 */
import { CPU } from "../../ggml/device.ts";
import type { Graph } from "../../ggml/graph.ts";
import type { Tensor } from "../../ggml/tensor.ts";
import { attention, readableRows } from "../../nn/attention.ts";
import { gatedMlp } from "../../nn/gated-mlp.ts";
import { rmsNorm } from "../../nn/rms-norm.ts";
import { type RopeTables, rotate, rotationTables } from "../../nn/rope.ts";
import type { MllamaConfig } from "./config.ts";
import { type CrossSegment, crossRows } from "./cross-rows.ts";
import type { CrossAttentionLayer, SelfAttentionLayer, TextWeights } from "./model-weights.ts";
import type { KvLayer, PictureStates } from "./picture-states.ts";
import type { Placement } from "./placement.ts";

/** One sequence's part of a pass. */
export type TextPart = {
  readonly tokenIds: readonly number[];
  readonly startPosition: number;
  /** The cell of each position from 0 to the last of `tokenIds`. */
  readonly cells: readonly number[];
  readonly pictures: readonly PictureStates[];
  readonly imagePositions: readonly number[];
  /** Of so many of the last tokens logits are wanted. */
  readonly numLogits: number;
};

export type TextInput = {
  readonly parts: readonly TextPart[];
  /** By layer index; `undefined` for cross-attention layers. */
  readonly kvCache: readonly (KvLayer | undefined)[];
  readonly inverseFrequencies: Float32Array;
  /** Rows before the first picture: without cross-attention, or (Transformers) seeing every picture. */
  readonly maskedRows: "zero" | "leak";
  /** Where layers and head lie; `undefined`: all of them on one device. */
  readonly placement?: Pick<Placement, "layers" | "head"> | undefined;
};

/**
 * Which stages a caller may look at, for comparison with the reference.
 *
 * @param numbers those of the residual stream are `[numRows, hiddenSize]`; of `layer.i.q` and `.k`
 *   `[numRows, heads, headSize]`; of `layer.i.attention` as they go into the output product; of
 *   `layer.i.row_mask` `[numRows, 1]`
 * @param rows which rows of the pass these are, when they are not all
 */
export type TextStage = (name: string, numbers: Tensor, rows?: readonly number[]) => void;

/**
 * @returns `[rows whose logits are wanted, vocabSize]`; `undefined` when there are none
 */
export function textForward(
  graph: Graph,
  { text: config }: MllamaConfig,
  weights: TextWeights,
  input: TextInput,
  onStage: TextStage = () => {},
): Tensor | undefined {
  const { parts } = input;
  const tokenIds = Int32Array.from(parts.flatMap((part) => part.tokenIds));
  const self = planSelfAttention(graph, config, input);
  const cross = planCrossAttention(graph, input);

  let hidden = graph.getRows(weights.embedding, graph.input("i32", [tokenIds.length], tokenIds));
  onStage("embedding", hidden);
  // What goes from layer to layer is written into, so it has to lie where the layer does.
  let device = CPU;
  const bringTo = (next: string | undefined): void => {
    if (next === undefined || next === device) return;
    hidden = graph.moveTo(hidden, next);
    device = next;
  };
  weights.layers.forEach((layer, index) => {
    bringTo(input.placement?.layers[index]);
    const onInner: TextStage = (name, numbers, rows) =>
      onStage(`layer.${index}.${name}`, numbers, rows);
    if (layer.type === "self") {
      const kv = input.kvCache[index];
      hidden = selfBlock(graph, config, { layer, kv, plan: self, device, onInner }, hidden);
    } else if (cross !== undefined) {
      hidden = crossBlock(graph, config, { layer, index, plan: cross, device, onInner }, hidden);
    }
    if (input.placement !== undefined) graph.pin(hidden, device);
    onStage(`layer.${index}`, hidden);
  });

  const lastRows = rowsWithLogits(parts);
  if (lastRows.length === 0) {
    // The pass only fills the cache; its last layer still has to run.
    graph.require(hidden);
    return undefined;
  }
  bringTo(input.placement?.head);
  const last = graph.getRows(hidden, graph.input("i32", [lastRows.length], lastRows));
  const normed = rmsNorm(graph, {
    hidden: last,
    weight: weights.norm,
    epsilon: config.rmsNormEpsilon,
  });
  onStage("norm", normed);
  return graph.matmul(weights.head, normed);
}

type TextConfig = MllamaConfig["text"];

function rowsWithLogits(parts: readonly TextPart[]): Int32Array {
  let numRows = 0;
  const rows: number[] = [];
  for (const { tokenIds, numLogits } of parts) {
    numRows += tokenIds.length;
    for (let row = numRows - numLogits; row < numRows; row++) rows.push(row);
  }
  return Int32Array.from(rows);
}

// ---------------------------------------------------------------------------- self-attention

type SelfPlan = {
  readonly rope: RopeTables;
  /** Cells that the pass writes, one a row. */
  readonly writtenCells: Tensor;
  readonly parts: readonly SelfPart[];
};

type SelfPart = {
  readonly firstRow: number;
  readonly numRows: number;
  readonly numKeys: number;
  /** The first cell when all are consecutive, else the cells. */
  readonly cells: number | Tensor;
  readonly mask: Tensor | undefined;
};

function planSelfAttention(graph: Graph, config: TextConfig, input: TextInput): SelfPlan {
  const positions = input.parts.flatMap(({ tokenIds, startPosition }) =>
    tokenIds.map((_, index) => startPosition + index),
  );
  const written = input.parts.flatMap(({ cells, startPosition }) => cells.slice(startPosition));
  const { cos, signedSin } = rotationTables(input.inverseFrequencies, positions);
  const tableShape = [positions.length, 1, config.headSize];
  let firstRow = 0;
  const parts = input.parts.map((part): SelfPart => {
    const numRows = part.tokenIds.length;
    const numKeys = part.startPosition + numRows;
    const planned = {
      firstRow,
      numRows,
      numKeys,
      cells: cellsOf(graph, part.cells),
      mask: numRows === 1 ? undefined : causalMask(graph, part.startPosition, numRows),
    };
    firstRow += numRows;
    return planned;
  });
  return {
    rope: {
      cos: graph.input("f32", tableShape, cos),
      signedSin: graph.input("f32", tableShape, signedSin),
    },
    writtenCells: graph.input("i64", [written.length], BigInt64Array.from(written, BigInt)),
    parts,
  };
}

function cellsOf(graph: Graph, cells: readonly number[]): number | Tensor {
  const [first = 0] = cells;
  const areConsecutive = cells.every((cell, position) => cell === first + position);
  return areConsecutive ? first : graph.input("i32", [cells.length], Int32Array.from(cells));
}

const F16_MINUS_INFINITY = 0xfc00;
/** ggml's attention reads the mask in groups of this many rows. */
const MASK_ROW_GROUP = 64;

/** `[numRows padded, startPosition + numRows]` in f16: a row sees its own position and all before. */
function causalMask(graph: Graph, startPosition: number, numRows: number): Tensor {
  const numKeys = startPosition + numRows;
  const paddedRows = Math.ceil(numRows / MASK_ROW_GROUP) * MASK_ROW_GROUP;
  // At the end of a long context this is 134 MB, of which a thousandth is not zero.
  const hidden = new Uint16Array(numRows).fill(F16_MINUS_INFINITY);
  const runs = Array.from({ length: numRows - 1 }, (_, row) => ({
    first: row * numKeys + startPosition + row + 1,
    data: hidden.subarray(row + 1),
  }));
  return graph.zeros([paddedRows, numKeys], runs);
}

/** @see Transformers `MllamaSelfAttentionDecoderLayer` */
function selfBlock(
  graph: Graph,
  config: TextConfig,
  {
    layer,
    kv,
    plan,
    device,
    onInner,
  }: {
    layer: SelfAttentionLayer;
    kv: KvLayer | undefined;
    plan: SelfPlan;
    device: string;
    onInner: TextStage;
  },
  hidden: Tensor,
): Tensor {
  if (kv === undefined) throw new Error("a self-attention layer has no KV cache");
  const { numHeads, numKvHeads, headSize, rmsNormEpsilon: epsilon } = config;
  const numRows = hidden.shape[0] ?? 0;
  const normed = rmsNorm(graph, { hidden, weight: layer.attentionNorm, epsilon });
  const query = graph.reshape(graph.matmul(layer.attention.query, normed), [
    numRows,
    numHeads,
    headSize,
  ]);
  const key = graph.reshape(graph.matmul(layer.attention.key, normed), [
    numRows,
    numKvHeads,
    headSize,
  ]);
  // Queries and keys turn together: half as many operators in every layer.
  const heads = graph.concat(query, key, 1);
  const rotated = rotate(
    graph,
    layer.headChannels === "interleaved" ? inHalves(graph, heads) : heads,
    plan.rope,
  );
  const rotatedQuery = graph.slice(rotated, 1, 0, numHeads);
  const rotatedKey = graph.contiguous(graph.slice(rotated, 1, numHeads, numKvHeads));
  onInner("q", rotatedQuery);
  onInner("k", rotatedKey);
  const keyRows = graph.reshape(rotatedKey, [numRows, numKvHeads * headSize]);
  graph.require(graph.setRows(kv.key, keyRows, plan.writtenCells));
  graph.require(
    graph.setRows(kv.value, graph.matmul(layer.attention.value, normed), plan.writtenCells),
  );

  const attended = plan.parts
    .map((part) =>
      attention(graph, {
        query: graph.permute(graph.slice(rotatedQuery, 0, part.firstRow, part.numRows), [1, 0, 2]),
        key: keyHeads(graph, config, cachedRows(graph, kv.key, part, device)),
        value: keyHeads(graph, config, cachedRows(graph, kv.value, part, device)),
        mask: part.mask,
        scale: 1 / Math.sqrt(headSize),
      }),
    )
    .reduce((joined, rows) => graph.concat(joined, rows, 0));
  const mixed = graph.matmul(
    layer.attention.output,
    graph.reshape(attended, [numRows, numHeads * headSize]),
  );
  const afterAttention = graph.add(hidden, mixed);
  const inner = rmsNorm(graph, { hidden: afterAttention, weight: layer.mlpNorm, epsilon });
  return graph.add(afterAttention, gatedMlp(graph, inner, layer.mlp));
}

/**
 * Channels of each head that come in turns, `(0, d/2, 1, d/2 + 1, …)`, in their own order.
 *
 * @param heads `[numRows, heads, headSize]`
 */
function inHalves(graph: Graph, heads: Tensor): Tensor {
  const [numRows = 0, numHeads = 0, headSize = 0] = heads.shape;
  const pairs = graph.reshape(heads, [numRows * numHeads, headSize / 2, 2]);
  return graph.reshape(graph.contiguous(graph.permute(pairs, [0, 2, 1])), heads.shape);
}

/** A sequence's rows of the cache, in the order of its positions, as its queries read them. */
function cachedRows(
  graph: Graph,
  cache: Tensor,
  { cells, numKeys, numRows }: SelfPart,
  device: string,
): Tensor {
  // Cards read blocks as they are.
  const read = (rows: Tensor): Tensor =>
    device === CPU ? readableRows(graph, rows, numRows) : rows;
  return typeof cells === "number"
    ? read(graph.slice(cache, 0, cells, numKeys))
    : read(graph.cast(graph.getRows(cache, cells), cache.dtype));
}

/** `[numKeys, numKvHeads · headSize]` → `[numKvHeads, numKeys, headSize]`, without a copy. */
function keyHeads(graph: Graph, { numKvHeads, headSize }: TextConfig, rows: Tensor): Tensor {
  return graph.permute(graph.splitRows(rows, [numKvHeads, headSize]), [1, 0, 2]);
}

// --------------------------------------------------------------------------- cross-attention

type CrossPlan = {
  /** Rows that take part, or `undefined` when all do. */
  readonly rows:
    | { readonly numbers: readonly number[]; readonly read: Tensor; readonly write: Tensor }
    | undefined;
  readonly segments: readonly CrossSegment[];
  /** `[number of rows, 1]`, 0 where the feed-forward update is dropped; `undefined`: nowhere. */
  readonly mlpMask: Tensor | undefined;
};

/** `undefined` when no row takes part: then every cross-attention layer is skipped. */
function planCrossAttention(graph: Graph, { parts, maskedRows }: TextInput): CrossPlan | undefined {
  const { rows, mlpFactors, segments } = crossRows(parts, maskedRows);
  if (rows.length === 0) return undefined;
  const numRows = parts.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  return {
    rows:
      rows.length === numRows
        ? undefined
        : {
            numbers: rows,
            read: graph.input("i32", [rows.length], Int32Array.from(rows)),
            write: graph.input("i64", [rows.length], BigInt64Array.from(rows, BigInt)),
          },
    segments,
    mlpMask: mlpFactors.includes(0)
      ? graph.input("f32", [rows.length, 1], Float32Array.from(mlpFactors))
      : undefined,
  };
}

/** @see Transformers `MllamaCrossAttentionDecoderLayer` */
function crossBlock(
  graph: Graph,
  config: TextConfig,
  {
    layer,
    index,
    plan,
    device,
    onInner,
  }: {
    layer: CrossAttentionLayer;
    index: number;
    plan: CrossPlan;
    device: string;
    onInner: TextStage;
  },
  allRows: Tensor,
): Tensor {
  const { numHeads, headSize, rmsNormEpsilon: epsilon } = config;
  const hidden = plan.rows === undefined ? allRows : graph.getRows(allRows, plan.rows.read);
  const numRows = hidden.shape[0] ?? 0;

  const normed = rmsNorm(graph, { hidden, weight: layer.attentionNorm, epsilon });
  const heads = graph.reshape(graph.matmul(layer.attention.query, normed), [
    numRows,
    numHeads,
    headSize,
  ]);
  const query = rmsNorm(graph, { hidden: heads, weight: layer.queryNorm, epsilon });
  onInner("q", query, plan.rows?.numbers);
  const attended = plan.segments
    .map((segment) => {
      const { key, value } = visionRows(graph, segment, { index, device });
      return attention(graph, {
        query: graph.permute(graph.slice(query, 0, segment.firstRow, segment.numRows), [1, 0, 2]),
        key: keyHeads(graph, config, key),
        value: keyHeads(graph, config, value),
        mask: undefined,
        scale: 1 / Math.sqrt(headSize),
      });
    })
    .reduce((joined, part) => graph.concat(joined, part, 0));
  const attendedRows = graph.reshape(attended, [numRows, numHeads * headSize]);
  onInner("attention", attendedRows, plan.rows?.numbers);
  if (plan.mlpMask !== undefined) onInner("row_mask", plan.mlpMask, plan.rows?.numbers);
  const mixed = graph.matmul(layer.attention.output, attendedRows);
  const afterAttention = graph.add(hidden, graph.scale(mixed, layer.attentionGate));

  const inner = rmsNorm(graph, { hidden: afterAttention, weight: layer.mlpNorm, epsilon });
  const update = graph.scale(gatedMlp(graph, inner, layer.mlp), layer.mlpGate);
  const kept = plan.mlpMask === undefined ? update : graph.multiply(update, plan.mlpMask);
  const result = graph.add(afterAttention, kept);
  return plan.rows === undefined ? result : graph.setRows(allRows, result, plan.rows.write);
}

/** Keys and values of the pictures that a segment sees, one after another. */
function visionRows(
  graph: Graph,
  { pictures, numRows }: CrossSegment,
  { index, device }: { readonly index: number; readonly device: string },
): { key: Tensor; value: Tensor } {
  const read = (cache: Tensor, numTokens: number): Tensor => {
    const rows = graph.slice(cache, 0, 0, numTokens);
    // Blocks cannot be joined.
    if (pictures.length > 1 && rows.dtype === "q8_0") return graph.cast(rows, "f32");
    return device === CPU ? readableRows(graph, rows, numRows) : rows;
  };
  return pictures
    .map(({ states, numTokens }) => {
      const { key, value } = states.layer(index);
      return { key: read(key, numTokens), value: read(value, numTokens) };
    })
    .reduce((joined, next) => ({
      key: graph.concat(joined.key, next.key, 0),
      value: graph.concat(joined.value, next.value, 0),
    }));
}
