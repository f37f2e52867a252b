/** The vLLM engine's environment: vLLM 0.10.2, the last that has this model, with PyTorch's CUDA build. */
import type { EngineEnvironment, EnvironmentVariant } from "../python/environment.ts";
import { findCardObstacle } from "./card-obstacle.ts";

const cuda: EnvironmentVariant = {
  name: "cuda",
  lock: "vllm.txt",
  downloadBytes: 4.8e9,
  installedBytes: 9.7e9,
};

export const vllmEnvironment: EngineEnvironment = {
  kind: "vllm",
  title: "vLLM",
  pythons: { from: 10, to: 12 },
  variable: "ATALAYA_VLLM_PYTHON",
  variants: () => [cuda],
  imports: ["torch", "transformers", "vllm", "grpc", "google.protobuf"],
  // Which cards, how they talk to each other, and a wish that the worker has to refuse.
  alsoSees: /^(CUDA_VISIBLE_DEVICES|CUDA_DEVICE_ORDER|LD_LIBRARY_PATH|NCCL_[A-Z_]+|VLLM_USE_V1)$/,
  findLack: findCardObstacle,
};
