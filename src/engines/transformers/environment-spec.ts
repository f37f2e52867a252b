/** The Transformers engine's environment: current Transformers with a CPU or CUDA build of PyTorch. */
import { hasNvidiaDriver } from "../python/cuda.ts";
import type { EngineEnvironment, EnvironmentVariant } from "../python/environment.ts";

const full: EnvironmentVariant = {
  name: "full",
  lock: "transformers.txt",
  downloadBytes: 2.8e9,
  installedBytes: 5.6e9,
};

/** On Linux the registry's PyTorch is the CUDA build; elsewhere it is a small one already. */
const cpu: EnvironmentVariant = {
  name: "cpu",
  lock: "transformers-cpu.txt",
  downloadBytes: 0.4e9,
  installedBytes: 1.4e9,
  cpuTorch: "torch==2.13.0+cpu",
};

export const transformersEnvironment: EngineEnvironment = {
  kind: "transformers",
  title: "Transformers",
  pythons: { from: 11, to: 13 },
  variable: "ATALAYA_TRANSFORMERS_PYTHON",
  variants: () => (process.platform === "linux" && !hasNvidiaDriver() ? [cpu, full] : [full]),
  imports: ["torch", "transformers", "numpy", "PIL", "accelerate", "grpc", "google.protobuf"],
  alsoSees: /^ATALAYA_UNTESTED_TRANSFORMERS$/,
};
