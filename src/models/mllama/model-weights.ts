/** The tensors of a loaded model, by what they are for; `load-weights.ts` fills them in. */
import type { Tensor } from "../../ggml/tensor.ts";
import type { GatedMlpWeights } from "../../nn/gated-mlp.ts";
import type { GeluMlpWeights } from "../../nn/gelu-mlp.ts";
import type { LayerNormWeights } from "../../nn/layer-norm.ts";
import type { WeightForm } from "./gguf-weights.ts";

/** Projections are `[out, in]`, without bias. */
export type AttentionWeights = {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  readonly output: Tensor;
};

export type VisionLayerWeights = {
  readonly attentionNorm: LayerNormWeights;
  readonly attention: AttentionWeights;
  readonly mlpNorm: LayerNormWeights;
  readonly mlp: GeluMlpWeights;
  /** `tanh` of the layer's gates; 1 in the local encoder, which has none. */
  readonly attentionGate: number;
  readonly mlpGate: number;
};

export type VisionWeights = {
  /** `[hiddenSize, 3 · patchSize²]` */
  readonly patchEmbedding: Tensor;
  /** `[1, hiddenSize]` */
  readonly classEmbedding: Tensor;
  /** `[tokensPerTile, hiddenSize]` */
  readonly positionEmbedding: Tensor;
  /** `[numAspectRatios · maxTiles · tokensPerTile, hiddenSize]` */
  readonly tilePositionEmbedding: Tensor;
  /** `tanh` of the gate between the two position embeddings. */
  readonly positionGate: number;
  /** `[numAspectRatios · maxTiles, hiddenSize]`, already multiplied by `tanh` of their gates. */
  readonly preTileEmbedding: Tensor;
  readonly postTileEmbedding: Tensor;
  readonly preNorm: LayerNormWeights;
  readonly postNorm: LayerNormWeights;
  readonly localLayers: readonly VisionLayerWeights[];
  readonly globalLayers: readonly VisionLayerWeights[];
  /** `[text hiddenSize, vision outputSize]` and `[text hiddenSize]` */
  readonly projector: Tensor;
  readonly projectorBias: Tensor;
  /** Whether the tile tables hold zeros for unused slots, so that equal rows may be shared. */
  readonly hasZeroTileTables: boolean;
};

export type SelfAttentionLayer = {
  readonly type: "self";
  /** `[hiddenSize]` */
  readonly attentionNorm: Tensor;
  readonly attention: AttentionWeights;
  /** Order of the channels of each head that `attention.query` and `.key` give. */
  readonly headChannels: WeightForm["headChannels"];
  readonly mlpNorm: Tensor;
  readonly mlp: GatedMlpWeights;
};

export type CrossAttentionLayer = {
  readonly type: "cross";
  readonly attentionNorm: Tensor;
  readonly attention: AttentionWeights;
  /** `[headSize]`, shared by all heads. */
  readonly queryNorm: Tensor;
  readonly keyNorm: Tensor;
  readonly mlpNorm: Tensor;
  readonly mlp: GatedMlpWeights;
  /** `tanh` of the gates. */
  readonly attentionGate: number;
  readonly mlpGate: number;
};

export type TextLayerWeights = SelfAttentionLayer | CrossAttentionLayer;

export type TextWeights = {
  /** `[numEmbeddings, hiddenSize]` */
  readonly embedding: Tensor;
  readonly layers: readonly TextLayerWeights[];
  readonly norm: Tensor;
  /** `[vocabSize, hiddenSize]` */
  readonly head: Tensor;
};

export type MllamaWeights = { readonly vision: VisionWeights; readonly text: TextWeights };
