/** Starts the native engine: a Node process that runs `worker-main.ts`. */
import { availableParallelism } from "node:os";
import { processArguments, workerEntry } from "../../base/worker-entry.ts";
import type { EngineLoader } from "../engine.ts";
import { WorkerDriver } from "../worker/worker-driver.ts";

/**
 * Of what passes through a worker little outlives its request. With V8's own choice of 16 MB the
 * demo model's worker holds 30 MB more and is no faster.
 */
const SMALL_YOUNG_HEAP = "--max-semi-space-size=4";

/** Disposing the result ends its process. */
export const loadNativeEngine: EngineLoader = (options, hooks) =>
  WorkerDriver.start(options, hooks, {
    kind: "native",
    // Quantizing runs on libuv's threads, of which there are four otherwise.
    env: { UV_THREADPOOL_SIZE: String(Math.min(1024, Math.max(4, availableParallelism()))) },
    args: [SMALL_YOUNG_HEAP, ...processArguments(workerEntry(import.meta.url, "./worker-main"))],
  });
