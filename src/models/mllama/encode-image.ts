/** Tiles → the keys and values of every cross-attention layer, on the device. */
import { CPU } from "../../ggml/device.ts";
import type { Graph } from "../../ggml/graph.ts";
import type { Tensor } from "../../ggml/tensor.ts";
import type { TensorSets } from "../../ggml/tensor-sets.ts";
import { byRows } from "../../nn/by-rows.ts";
import { rmsNorm } from "../../nn/rms-norm.ts";
import type { ImageTiles } from "./image-tiles.ts";
import { allocateLayers } from "./layer-memory.ts";
import type { MllamaModel } from "./mllama-model.ts";
import { cutPatches } from "./patches.ts";
import type { KvLayer, PictureStates } from "./picture-states.ts";
import { towerDtype } from "./state-dtype.ts";
import { plainLayout, sharedLayout, type VisionLayout } from "./vision-layout.ts";
import { type VisionStage, visionForward } from "./vision-model.ts";
import { countStoredTokens, packTokens, tokenDtype, tokensAsInput } from "./vision-tokens.ts";

export type EncodeOptions = {
  /** Compute every row by itself even where equal rows could be shared; for comparison. */
  readonly isPlain?: boolean;
  readonly onStage?: VisionStage;
  /** Waited for before each part of the work, which takes well under a tenth of a second; what it throws ends it. */
  readonly pause?: (() => Promise<void>) | undefined;
  /** Is given the picture's tokens, for another time. */
  readonly onTokens?: ((tokens: Uint8Array<ArrayBuffer>) => void) | undefined;
};

/** Arrange a picture's rows: shared where the loaded tile tables allow it. */
export function chooseLayout(
  { config, weights }: MllamaModel,
  numTiles: number,
  isPlain: boolean,
): VisionLayout {
  const canShare = weights.vision.hasZeroTileTables && !isPlain;
  return (canShare ? sharedLayout : plainLayout)(numTiles, config.vision);
}

/**
 * Run a picture through tower and projector, and through the key and value products of every
 * cross-attention layer.
 *
 * Between the two its tokens are rounded to what they are kept in (`vision-tokens.ts`), so that a picture gives the
 * same numbers whether its tokens were computed now or before.
 *
 * With profile `hf` the unused tiles' tokens are kept too, after the real ones: rows before the
 * first picture see them.
 */
export async function encodeImage(
  model: MllamaModel,
  tiles: ImageTiles,
  options: EncodeOptions = {},
): Promise<PictureStates> {
  const dtype = tokenDtype(model);
  return await statesOf(model, tiles.numTiles, options, (graph) =>
    graph.cast(graph.cast(towerTokens(graph, model, tiles, options), dtype), "f32"),
  );
}

/**
 * The same from a picture's tokens, as `onTokens` got them: the tower is left out.
 *
 * @param tokens `tokenBytes` of them
 */
export async function restoreImage(
  model: MllamaModel,
  numTiles: number,
  tokens: Uint8Array<ArrayBuffer>,
  { pause }: Pick<EncodeOptions, "pause"> = {},
): Promise<PictureStates> {
  const dtype = tokenDtype(model);
  const shape = [countStoredTokens(model, numTiles), model.config.text.hiddenSize];
  return await statesOf(model, numTiles, { pause }, (graph) =>
    graph.cast(graph.input(dtype, shape, tokensAsInput(tokens, dtype)), "f32"),
  );
}

/** @param makeTokens `[numStoredTokens, text hiddenSize]`, float32 */
async function statesOf(
  model: MllamaModel,
  numTiles: number,
  { pause, onTokens }: Pick<EncodeOptions, "pause" | "onTokens">,
  makeTokens: (graph: Graph) => Tensor,
): Promise<PictureStates> {
  const { backend, config } = model;
  const numStoredTokens = countStoredTokens(model, numTiles);
  const states = new StoredStates(
    allocateStates(model, numStoredTokens),
    numTiles * config.vision.tokensPerTile,
    numStoredTokens,
  );
  const devices = crossDevices(model);
  const isOnOne = [...devices].every((device) => device === model.placement.tower);
  try {
    using graph = backend.newGraph({
      kind: "encode-image",
      maxNodes: maxNodes(model),
      isPausable: pause !== undefined,
    });
    const visionTokens = makeTokens(graph);
    if (isOnOne) {
      storeCrossStates(graph, model, { visionTokens, states, device: model.placement.tower });
    }
    const isRead = onTokens !== undefined || !isOnOne;
    const [numbers] = await graph.compute(isRead ? [visionTokens] : [], { pause });
    if (numbers !== undefined) onTokens?.(packTokens(numbers, tokenDtype(model)));
    if (isOnOne) return states;
    // One graph for each device: what one device computes alone can be computed in parts.
    for (const device of devices) {
      using part = backend.newGraph({
        kind: "cross-states",
        maxNodes: maxNodes(model),
        isPausable: pause !== undefined,
      });
      const shape = [numStoredTokens, config.text.hiddenSize];
      const rows = part.input("f32", shape, numbers ?? new Float32Array());
      storeCrossStates(part, model, { visionTokens: rows, states, device });
      await part.compute([], { pause });
    }
    return states;
  } catch (error) {
    states[Symbol.dispose]();
    throw error;
  }
}

/** `[numStoredTokens, text hiddenSize]`, float32. */
function towerTokens(
  graph: Graph,
  model: MllamaModel,
  tiles: ImageTiles,
  { isPlain = false, onStage = () => {} }: EncodeOptions,
): Tensor {
  const { config, weights, switches, stateDtype } = model;
  const layout = chooseLayout(model, tiles.numTiles, isPlain);
  const { tileSize, pixelValues, aspectRatioId, numTiles } = tiles;
  const { patchSize } = config.vision;
  const projected = visionForward(
    graph,
    config,
    weights.vision,
    {
      layout,
      patches: cutPatches(pixelValues, { tileSize, patchSize, numSlots: layout.numSlots }),
      aspectRatioId,
      taps: switches.taps,
      attentionDtype: towerDtype(stateDtype),
    },
    onStage,
  );
  const visionTokens =
    switches.maskedRows === "leak"
      ? allSlots(graph, projected, layout, model)
      : graph.slice(projected, 0, 0, countStoredTokens(model, numTiles));
  onStage("projected", visionTokens);
  return visionTokens;
}

/** Every slot's tokens, those of unused slots repeated from the one that was computed for all. */
function allSlots(
  graph: Graph,
  projected: Tensor,
  { numTiles, numSlots }: VisionLayout,
  { config }: MllamaModel,
): Tensor {
  const { maxTiles, tokensPerTile } = config.vision;
  const numMissing = maxTiles - numSlots;
  if (numMissing === 0) return projected;
  const unused = graph.slice(projected, 0, numTiles * tokensPerTile, tokensPerTile);
  const width = projected.shape[1] ?? 0;
  return graph.concat(projected, graph.repeat(unused, [numMissing * tokensPerTile, width]), 0);
}

/** Devices that have cross-attention layers. */
function crossDevices({ config, placement }: MllamaModel): ReadonlySet<string> {
  return new Set(config.text.crossLayers.map((index) => placement.layers[index] ?? CPU));
}

/**
 * Those of the layers of one device.
 *
 * @see Transformers `MllamaTextCrossAttention`: the keys are normed per head, nothing is rotated
 */
function storeCrossStates(
  graph: Graph,
  { config, weights, placement }: MllamaModel,
  {
    visionTokens,
    states,
    device,
  }: { readonly visionTokens: Tensor; readonly states: StoredStates; readonly device: string },
): void {
  const { numKvHeads, headSize, rmsNormEpsilon: epsilon } = config.text;
  const numTokens = visionTokens.shape[0] ?? 0;
  weights.text.layers.forEach((layer, index) => {
    if (layer.type !== "cross" || placement.layers[index] !== device) return;
    const stored = states.layer(index);
    const product = (weight: Tensor): Tensor =>
      byRows(graph, visionTokens, 2 * (weight.shape[0] ?? 0) * (weight.shape[1] ?? 0), (rows) =>
        graph.matmul(weight, rows),
      );
    const heads = graph.reshape(product(layer.attention.key), [numTokens, numKvHeads, headSize]);
    const keys = rmsNorm(graph, { hidden: heads, weight: layer.keyNorm, epsilon });
    const keyRows = graph.reshape(keys, [numTokens, numKvHeads * headSize]);
    graph.require(graph.copyInto(keyRows, stored.key));
    const values = product(layer.attention.value);
    graph.require(graph.copyInto(values, stored.value));
  });
}

/** Keys and values of a layer lie where the layer does. */
function allocateStates(
  { backend, config, stateDtype, placement }: MllamaModel,
  numTokens: number,
): TensorSets {
  const { crossLayers, numKvHeads, headSize } = config.text;
  const spec = { dtype: stateDtype, shape: [numTokens, numKvHeads * headSize] };
  return allocateLayers(backend, placement, { layers: crossLayers, spec });
}

/** Operators and inputs of the tower, its projector and the cross-attention layers, with room. */
function maxNodes({ config }: MllamaModel): number {
  const { numLocalLayers, numGlobalLayers } = config.vision;
  return 1_024 + 128 * (numLocalLayers + numGlobalLayers) + 64 * config.text.crossLayers.length;
}

class StoredStates implements PictureStates {
  readonly numVisibleTokens: number;
  readonly numStoredTokens: number;
  readonly #set: TensorSets;

  constructor(set: TensorSets, numVisibleTokens: number, numStoredTokens: number) {
    this.#set = set;
    this.numVisibleTokens = numVisibleTokens;
    this.numStoredTokens = numStoredTokens;
  }

  get sizeBytes(): number {
    return this.#set.sizeBytes;
  }

  layer(layerIndex: number): KvLayer {
    return { key: this.#set.get(`${layerIndex}.key`), value: this.#set.get(`${layerIndex}.value`) };
  }

  [Symbol.dispose](): void {
    this.#set[Symbol.dispose]();
  }
}
