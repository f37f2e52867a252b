/**
 * The vision tower: tiles in, one vector per patch out.
 *
 * Follows Transformers `MllamaVisionModel.forward` with Meta's choice of taps by default; rows are
 * arranged and shared as `vision-layout.ts` says.
 */
import type { Graph } from "../../ggml/graph.ts";
import type { Tensor } from "../../ggml/tensor.ts";
import { byRows } from "../../nn/by-rows.ts";
import { geluMlp } from "../../nn/gelu-mlp.ts";
import { layerNorm } from "../../nn/layer-norm.ts";
import type { MllamaConfig } from "./config.ts";
import type { VisionLayerWeights, VisionWeights } from "./model-weights.ts";
import type { VisionLayout } from "./vision-layout.ts";

/** Which stages of the tower a caller may look at, for comparison with the reference. */
export type VisionStage = (name: string, rows: Tensor) => void;

export type VisionInput = {
  readonly layout: VisionLayout;
  /** `[numSlots, numPatches, 3 · patchSize²]`, from `cutPatches`. */
  readonly patches: Float32Array;
  readonly aspectRatioId: number;
  /** Whether a tapped layer gives its input (Meta) or its output (Transformers since 4.56). */
  readonly taps: "input" | "output";
  /** dtype of keys and values inside the tower; f16 is faster, f32 is exact. */
  readonly attentionDtype: "f32" | "f16";
};

/**
 * Run the tower and the projector.
 *
 * @returns `[numTokenRows, text hiddenSize]`: real tiles' tokens first, then the computed unused slots'
 */
export function visionForward(
  graph: Graph,
  { vision: config }: MllamaConfig,
  weights: VisionWeights,
  input: VisionInput,
  onStage: VisionStage = () => {},
): Tensor {
  const { layout, taps } = input;
  // Rounds to bf16, as products with weights in bf16 do anyway.
  const isRounded =
    input.attentionDtype === "f16" && weights.localLayers[0]?.attention.query.dtype === "bf16";
  const attend =
    isRounded && graph.hasPackedAttention(config.headSize)
      ? packedAttention(graph, config, input)
      : sharedRowAttention(graph, config, input);

  let hidden = embedPatches(graph, config, weights, input, onStage);
  const tapped: Tensor[] = [];
  weights.localLayers.forEach((layer, index) => {
    if (taps === "input" && config.tapLayers.includes(index)) tapped.push(hidden);
    hidden = visionLayer(graph, config, layer, hidden, attend);
    if (taps === "output" && config.tapLayers.includes(index)) tapped.push(hidden);
    onStage(`local.${index}`, hidden);
  });
  hidden = layerNorm(graph, hidden, { ...weights.postNorm, epsilon: config.normEpsilon });
  onStage("postNorm", hidden);

  hidden = graph.add(hidden, postTileRows(graph, config, weights, input));
  onStage("postTile", hidden);
  weights.globalLayers.forEach((layer, index) => {
    hidden = visionLayer(graph, config, layer, hidden, attend);
    onStage(`global.${index}`, hidden);
  });

  const [textSize = 0, featureSize = 0] = weights.projector.shape;
  const finalRows = graph.slice(hidden, 0, 0, layout.numTokenRows);
  return byRows(graph, finalRows, 2 * textSize * featureSize, (rows, start) => {
    const taps = tapped.map((tap) => graph.slice(tap, 0, start, rows.shape[0] ?? 0));
    const features = interleaveFeatures(graph, rows, taps);
    onStage("features", features);
    return graph.linear(weights.projector, features, weights.projectorBias);
  });
}

type Attend = (query: Tensor, key: Tensor, value: Tensor) => Tensor;

/** Patch, tile, class and position embeddings, norm, and the zero rows that pad each tile. */
function embedPatches(
  graph: Graph,
  config: MllamaConfig["vision"],
  weights: VisionWeights,
  { layout, patches, aspectRatioId }: VisionInput,
  onStage: VisionStage,
): Tensor {
  const { hiddenSize, numPatches, tokensPerTile, maxTiles } = config;
  const { numSlots } = layout;
  const pixels = graph.input("f32", [numSlots * numPatches, 3 * config.patchSize ** 2], patches);
  const embedded = graph.matmul(weights.patchEmbedding, pixels);
  let hidden = graph.reshape(embedded, [numSlots, numPatches, hiddenSize]);
  onStage("patches", hidden);

  const firstRow = aspectRatioId * maxTiles;
  const preTile = graph.slice(weights.preTileEmbedding, 0, firstRow, numSlots);
  hidden = graph.add(hidden, graph.reshape(preTile, [numSlots, 1, hiddenSize]));
  onStage("preTile", hidden);

  const classToken = graph.reshape(weights.classEmbedding, [1, 1, hiddenSize]);
  hidden = graph.concat(graph.repeat(classToken, [numSlots, 1, hiddenSize]), hidden, 1);

  const positions = graph.reshape(graph.cast(weights.positionEmbedding, "f32"), [
    1,
    tokensPerTile,
    hiddenSize,
  ]);
  hidden = graph.add(hidden, graph.scale(positions, 1 - weights.positionGate));
  const tileRows = graph.slice(
    weights.tilePositionEmbedding,
    0,
    firstRow * tokensPerTile,
    numSlots * tokensPerTile,
  );
  const tilePositions = graph.reshape(graph.cast(tileRows, "f32"), [
    numSlots,
    tokensPerTile,
    hiddenSize,
  ]);
  hidden = graph.add(hidden, graph.scale(tilePositions, weights.positionGate));
  onStage("positions", hidden);

  hidden = layerNorm(graph, hidden, { ...weights.preNorm, epsilon: config.normEpsilon });
  onStage("preNorm", hidden);
  const numPadRows = layout.numRows - layout.numTokenRows;
  const pads = graph.input(
    "f32",
    [numPadRows, hiddenSize],
    new Float32Array(numPadRows * hiddenSize),
  );
  return graph.concat(graph.reshape(hidden, [layout.numTokenRows, hiddenSize]), pads, 0);
}

/** The tile embedding of each row's slot, pads included: `[numRows, hiddenSize]`. */
function postTileRows(
  graph: Graph,
  { maxTiles, tokensPerTile }: MllamaConfig["vision"],
  weights: VisionWeights,
  { layout, aspectRatioId }: VisionInput,
): Tensor {
  const slotOfRow = Int32Array.from({ length: layout.numRows }, (_, row) =>
    row < layout.numTokenRows
      ? Math.floor(row / tokensPerTile)
      : Math.floor((row - layout.numTokenRows) / layout.padRowsPerSlot),
  );
  const tableRows = slotOfRow.map((slot) => aspectRatioId * maxTiles + slot);
  return graph.getRows(weights.postTileEmbedding, graph.input("i32", [layout.numRows], tableRows));
}

/** A pre-norm layer; gated in the global encoder. @see Transformers `MllamaVisionEncoderLayer` */
function visionLayer(
  graph: Graph,
  config: MllamaConfig["vision"],
  layer: VisionLayerWeights,
  hidden: Tensor,
  attend: Attend,
): Tensor {
  const { hiddenSize, numHeads, headSize, normEpsilon: epsilon } = config;
  const numRows = hidden.shape[0] ?? 0;
  const normed = layerNorm(graph, hidden, { ...layer.attentionNorm, epsilon });
  const toHeads = (weight: Tensor): Tensor =>
    graph.reshape(graph.matmul(weight, normed), [numRows, numHeads, headSize]);
  const attended = attend(
    toHeads(layer.attention.query),
    toHeads(layer.attention.key),
    toHeads(layer.attention.value),
  );
  const mixed = graph.matmul(
    layer.attention.output,
    graph.reshape(attended, [numRows, hiddenSize]),
  );
  const afterAttention = graph.add(hidden, gated(graph, mixed, layer.attentionGate));
  const inner = layerNorm(graph, afterAttention, { ...layer.mlpNorm, epsilon });
  return graph.add(afterAttention, gated(graph, geluMlp(graph, inner, layer.mlp), layer.mlpGate));
}

function gated(graph: Graph, update: Tensor, gate: number): Tensor {
  return gate === 1 ? update : graph.scale(update, gate);
}

/**
 * Attention over `[numRows, numHeads, headSize]` with the tower's mask: real rows see every key, as
 * often as it counts; all others see real rows only.
 *
 * A key that counts m times adds log m to its score. That number travels in extra channels of query
 * and key, because the mask of ggml's attention is in half precision. In f16 it is split in two
 * channels, whole and rest, for the same reason.
 */
function sharedRowAttention(
  graph: Graph,
  { numHeads, headSize }: MllamaConfig["vision"],
  { layout, attentionDtype: dtype }: VisionInput,
): Attend {
  const { numRows, numRealRows, multiplicity } = layout;
  const scale = 1 / Math.sqrt(headSize);
  const isShared = multiplicity.some((count) => count !== 1);
  const numExtra = dtype === "f16" ? 16 : 1;
  const extraQuery = isShared
    ? graph.input(
        "f32",
        [numRealRows, numHeads, numExtra],
        unitChannels(numRealRows, numHeads, numExtra),
      )
    : undefined;
  const extraKey = isShared
    ? graph.input(
        "f32",
        [numRows, numHeads, numExtra],
        logChannels(multiplicity, numHeads, numExtra, scale),
      )
    : undefined;
  const byHead = (rows: Tensor): Tensor => graph.permute(rows, [1, 0, 2]);

  return (query, key, value) => {
    const values = graph.cast(byHead(value), dtype);
    const keys = graph.cast(byHead(key), dtype);
    const realQuery = graph.slice(query, 0, 0, numRealRows);
    const countedKeys =
      extraKey === undefined ? keys : graph.cast(byHead(graph.concat(key, extraKey, 2)), dtype);
    const real = byRows(
      graph,
      extraQuery === undefined ? realQuery : graph.concat(realQuery, extraQuery, 2),
      4 * numRows * numHeads * headSize,
      (rows) =>
        graph.attention({
          query: byHead(rows),
          key: countedKeys,
          value: values,
          mask: undefined,
          scale,
        }),
    );
    const other = graph.attention({
      query: byHead(graph.slice(query, 0, numRealRows, numRows - numRealRows)),
      key: graph.slice(keys, 1, 0, numRealRows),
      value: graph.slice(values, 1, 0, numRealRows),
      mask: undefined,
      scale,
    });
    return graph.concat(real, other, 0);
  };
}

/** The same by an operator of our own, which takes the logarithms as they are. */
function packedAttention(
  graph: Graph,
  { numHeads, headSize }: MllamaConfig["vision"],
  { layout }: VisionInput,
): Attend {
  const { numRows, numRealRows, multiplicity } = layout;
  const scale = 1 / Math.sqrt(headSize);
  const toBias = (bias: Float32Array): Tensor => graph.input("f32", [numRows], bias);
  const counts = toBias(Float32Array.from(multiplicity, Math.log));
  const realOnly = toBias(
    Float32Array.from({ length: numRows }, (_, row) =>
      row < numRealRows ? 0 : Number.NEGATIVE_INFINITY,
    ),
  );
  return (query, key, value) => {
    const packed = graph.packKeys(key, value);
    const real = byRows(
      graph,
      graph.slice(query, 0, 0, numRealRows),
      4 * numRows * numHeads * headSize,
      (rows) => graph.attendPacked(rows, packed, counts, scale),
    );
    const others = graph.slice(query, 0, numRealRows, numRows - numRealRows);
    return graph.concat(real, graph.attendPacked(others, packed, realOnly, scale), 0);
  };
}

/** `[numRows, numHeads, numExtra]`: ones in the channels that carry a logarithm. */
function unitChannels(numRows: number, numHeads: number, numExtra: number): Float32Array {
  const channels = new Float32Array(numRows * numHeads * numExtra);
  for (let head = 0; head < numRows * numHeads; head++) {
    channels[head * numExtra] = 1;
    if (numExtra > 1) channels[head * numExtra + 1] = 1;
  }
  return channels;
}

/** `[numRows, numHeads, numExtra]`: log of each row's multiplicity over `scale`, in one part or two. */
function logChannels(
  multiplicity: Float32Array,
  numHeads: number,
  numExtra: number,
  scale: number,
): Float32Array {
  const channels = new Float32Array(multiplicity.length * numHeads * numExtra);
  multiplicity.forEach((count, row) => {
    const bias = Math.log(count) / scale;
    // Quarters are exact in half precision up to 512; the rest is below an eighth.
    const whole = numExtra > 1 ? Math.round(bias * 4) / 4 : bias;
    for (let head = 0; head < numHeads; head++) {
      const start = (row * numHeads + head) * numExtra;
      channels[start] = whole;
      if (numExtra > 1) channels[start + 1] = bias - whole;
    }
  });
  return channels;
}

/**
 * A token's features: the final state, then its taps interleaved channel by channel.
 *
 * @returns `[numTokens, hiddenSize · (1 + numTaps)]`; tap t of channel d stands at
 *   `hiddenSize + d · numTaps + t`
 */
function interleaveFeatures(graph: Graph, final: Tensor, taps: readonly Tensor[]): Tensor {
  const [numTokens = 0, hiddenSize = 0] = final.shape;
  const stacked = taps
    .map((tap) => graph.reshape(tap, [1, numTokens, hiddenSize]))
    .reduce((joined, tap) => graph.concat(joined, tap, 0));
  const interleaved = graph.contiguous(graph.permute(stacked, [1, 2, 0]));
  const flat = graph.reshape(interleaved, [numTokens, hiddenSize * taps.length]);
  return graph.concat(final, flat, 1);
}
