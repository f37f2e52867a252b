import type { Graph } from "../ggml/graph.ts";
import type { Tensor } from "../ggml/tensor.ts";

export type LayerNormWeights = { readonly weight: Tensor; readonly bias: Tensor };

/**
 * Centre each vector, scale it to unit (biased) variance, then by a learned weight and bias.
 *
 * @param hidden `[…, hiddenSize]` float32; `weight` and `bias` are `[hiddenSize]` float32
 * @returns the shape of `hidden`
 * @see Ba, Kiros & Hinton 2016, "Layer Normalization", equation 3
 */
export function layerNorm(
  graph: Graph,
  hidden: Tensor,
  { weight, bias, epsilon }: LayerNormWeights & { readonly epsilon: number },
): Tensor {
  return graph.add(graph.multiply(graph.normalize(hidden, epsilon), weight), bias);
}
