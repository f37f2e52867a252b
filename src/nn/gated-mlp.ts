import type { Graph } from "../ggml/graph.ts";
import type { Tensor } from "../ggml/tensor.ts";

/** All `[out, in]`: gate and up `[intermediateSize, hiddenSize]`, down the other way. */
export type GatedMlpWeights = {
  readonly gate: Tensor;
  readonly up: Tensor;
  readonly down: Tensor;
};

/**
 * `down(silu(gate(x)) · up(x))`, the feed-forward block of Llama's text layers.
 *
 * @param hidden `[numTokens, hiddenSize]`
 * @returns `[numTokens, hiddenSize]`
 * @see Shazeer 2020, "GLU Variants Improve Transformer"; Transformers `MllamaTextMLP`
 */
export function gatedMlp(graph: Graph, hidden: Tensor, weights: GatedMlpWeights): Tensor {
  const gate = graph.matmul(weights.gate, hidden);
  const up = graph.matmul(weights.up, hidden);
  return graph.matmul(weights.down, graph.swiglu(gate, up));
}
