/** The engines that tests ask, as the platform starts them: a worker process behind a socket each. */
import type { EngineKind, EngineLoadOptions } from "../../src/engines/engine.ts";
import { pythonWorker } from "../../src/engines/python/python-worker.ts";
import { WorkerDriver } from "../../src/engines/worker/worker-driver.ts";
import { startNativeEngine } from "./native-engine.ts";
import { lackOfPython, testPython } from "./python.ts";

type Hooks = Parameters<typeof WorkerDriver.start>[1];

export type TestedEngine = {
  readonly kind: EngineKind;
  /** What is missing here, in words. */
  readonly lacks: string | undefined;
  /** For a test's title: the name, and what is missing. */
  readonly title: string;
  readonly start: (
    directory: string,
    options?: Partial<EngineLoadOptions>,
    hooks?: Partial<Hooks>,
  ) => Promise<WorkerDriver>;
};

const never = new AbortController().signal;

async function pythonEngine(kind: EngineKind, modules: readonly string[]): Promise<TestedEngine> {
  const lacks = await lackOfPython(["grpc", "google.protobuf", ...modules]);
  return {
    kind,
    lacks,
    title: lacks === undefined ? kind : `${kind} (skipped: there is no ${lacks})`,
    start: async (directory, options = {}, hooks = {}) =>
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
        pythonWorker(kind, testPython),
      ),
  };
}

export const testedEngines: readonly TestedEngine[] = [
  { kind: "native", lacks: undefined, title: "native", start: startNativeEngine },
  await pythonEngine("transformers", ["torch", "transformers"]),
];
