import type { Graph } from "../ggml/graph.ts";
import type { Tensor } from "../ggml/tensor.ts";

/**
 * Scale each vector to unit root mean square, then by a learned weight.
 *
 * Unlike layer norm it neither centres nor adds a bias.
 *
 * @param hidden `[…, hiddenSize]` float32
 * @param weight `[hiddenSize]` float32
 * @returns the shape of `hidden`
 * @see Zhang & Sennrich 2019, "Root Mean Square Layer Normalization", equation 4
 */
export function rmsNorm(
  graph: Graph,
  { hidden, weight, epsilon }: { hidden: Tensor; weight: Tensor; epsilon: number },
): Tensor {
  return graph.multiply(graph.rmsNormalize(hidden, epsilon), weight);
}
