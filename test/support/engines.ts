/** The engines that tests ask, as the platform starts them: a worker process behind a socket each. */
import { join } from "node:path";
import { packageRoot } from "../../src/base/package-root.ts";
import type { EngineKind, EngineLoadOptions, ModelProfile } from "../../src/engines/engine.ts";
import { pythonWorker } from "../../src/engines/python/python-worker.ts";
import { WorkerDriver } from "../../src/engines/worker/worker-driver.ts";
import { startNativeEngine } from "./native-engine.ts";
import { lackOfPython, testPython } from "./python.ts";
import { lackOfVulkan } from "./vulkan.ts";

type Hooks = Parameters<typeof WorkerDriver.start>[1];

export type TestedEngine = {
  readonly kind: EngineKind;
  /** What is missing here, in words. */
  readonly lacks: string | undefined;
  /** For a test's title: the name, and what is missing. */
  readonly title: string;
  /** Whose semantics it has. */
  readonly profiles: readonly ModelProfile[];
  /** Whether pictures' states are kept for later requests. */
  readonly keepsPictures: boolean;
  /** Long tests take a part of their work. */
  readonly isSlow?: true;
  /** Tiny checkpoints that it refuses, with a sentence. */
  readonly refuses: readonly string[];
  readonly start: (
    directory: string,
    options?: Partial<EngineLoadOptions>,
    hooks?: Partial<Hooks>,
    /** After so long without a sign of life it is taken for lost; those in Python alone heed it. */
    stallPatienceMs?: number,
  ) => Promise<WorkerDriver>;
};

const never = new AbortController().signal;

async function pythonEngine(kind: EngineKind, modules: readonly string[]): Promise<TestedEngine> {
  const lacks = await lackOfPython(["grpc", "google.protobuf", ...modules]);
  return {
    kind,
    lacks,
    title: lacks === undefined ? kind : `${kind} (skipped: there is no ${lacks})`,
    profiles: ["ref", "hf"],
    keepsPictures: true,
    refuses: [],
    start: async (directory, options = {}, hooks = {}, stallPatienceMs = 30_000) =>
      await WorkerDriver.start(
        {
          directory,
          profile: "ref",
          maxModelLen: undefined,
          maxNumSeqs: undefined,
          kvCacheDtype: undefined,
          numThreads: 1,
          ...options,
        },
        { signal: never, onProgress: () => {}, onLog: () => {}, ...hooks },
        { ...pythonWorker(kind, testPython), stallPatienceMs },
      ),
  };
}

export const testedEngines: readonly TestedEngine[] = [
  {
    kind: "native",
    lacks: undefined,
    title: "native",
    profiles: ["ref", "hf"],
    keepsPictures: true,
    refuses: [],
    start: startNativeEngine,
  },
  await pythonEngine("transformers", ["torch", "transformers"]),
  vllmOnCpu(process.env["ATALAYA_VLLM_PYTHON"]),
];

/** Beside those: the native engine with all of a model on a card, for what a card could do otherwise. */
export const onVulkan = nativeOnVulkan(lackOfVulkan());

/**
 * All of the model on the first Vulkan device; CI has Mesa's lavapipe. Its workers compute in single precision, so that they
 * can be compared as the processor's; `vulkan.test.ts` and `mllama-vulkan.test.ts` leave the device as it is.
 */
function nativeOnVulkan(lacks: string | undefined): TestedEngine {
  process.env["GGML_VK_DISABLE_F16"] = "1";
  return {
    kind: "native",
    lacks,
    title:
      lacks === undefined ? "native on vulkan" : `native on vulkan (skipped: there is no ${lacks})`,
    profiles: ["ref", "hf"],
    keepsPictures: true,
    isSlow: true,
    refuses: [],
    start: (directory, { engineOptions, ...options } = {}, hooks = {}) =>
      startNativeEngine(
        directory,
        { ...options, engineOptions: { device: "vulkan0", gpu_layers: "all", ...engineOptions } },
        hooks,
      ),
  };
}

/** vLLM's own engine with plain PyTorch for the kernels that need a card; see `workers/tests/vllm_engine/on_cpu`. */
function vllmOnCpu(python: string | undefined): TestedEngine {
  const program = join(packageRoot(), "workers/tests/vllm_engine/start_on_cpu.py");
  const lacks = python === undefined ? "Python of vLLM in ATALAYA_VLLM_PYTHON" : undefined;
  return {
    kind: "vllm",
    lacks,
    title: lacks === undefined ? "vllm" : `vllm (skipped: there is no ${lacks})`,
    profiles: ["ref"],
    keepsPictures: false,
    // Transformers 4.56 does not read its `rope_scaling.type`.
    refuses: ["tiny-b"],
    start: async (directory, options = {}, hooks = {}, stallPatienceMs = 30_000) =>
      await WorkerDriver.start(
        {
          directory,
          profile: "ref",
          maxModelLen: undefined,
          maxNumSeqs: 16,
          kvCacheDtype: undefined,
          numThreads: undefined,
          engineOptions: {
            dtype: "float32",
            num_gpu_blocks_override: 512,
            enforce_eager: true,
            limit_mm_per_prompt: { image: 8 },
          },
          ...options,
        },
        { signal: never, onProgress: () => {}, onLog: () => {}, ...hooks },
        {
          ...pythonWorker("vllm", python ?? ""),
          args: ["-I", "-B", program, "vllm"],
          stallPatienceMs,
        },
      ),
  };
}
