import type { Graph } from "../ggml/graph.ts";
import type { Tensor } from "../ggml/tensor.ts";
import { byRows } from "./by-rows.ts";

/** Weights `[out, in]`, biases `[out]` float32. */
export type GeluMlpWeights = {
  readonly fc1: Tensor;
  readonly fc1Bias: Tensor;
  readonly fc2: Tensor;
  readonly fc2Bias: Tensor;
};

/**
 * `fc2(gelu(fc1(x)))` with biases and the exact gelu, the feed-forward block of the vision layers.
 *
 * @param hidden `[numTokens, hiddenSize]`
 * @returns `[numTokens, hiddenSize]`
 * @see Transformers `MllamaVisionMLP`
 */
export function geluMlp(graph: Graph, hidden: Tensor, weights: GeluMlpWeights): Tensor {
  const [intermediateSize = 0, hiddenSize = 0] = weights.fc1.shape;
  // Of the larger product: each is a part of its own.
  return byRows(graph, hidden, 2 * intermediateSize * hiddenSize, (rows) => {
    const inner = graph.linear(weights.fc1, rows, weights.fc1Bias, "gelu");
    return graph.linear(weights.fc2, inner, weights.fc2Bias);
  });
}
