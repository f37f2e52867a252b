/** How a Python worker is started: isolated, with our own modules and no others than its environment's. */
import { join } from "node:path";
import { packageRoot } from "../../base/package-root.ts";
import type { EngineKind } from "../engine.ts";
import type { WorkerCommand } from "../worker/worker-driver.ts";

/**
 * Nothing is fetched, nothing is reported, nobody's own packages are seen; a model that a library would
 * like to download is an error.
 */
const environment = {
  HF_HUB_OFFLINE: "1",
  TRANSFORMERS_OFFLINE: "1",
  HF_HUB_DISABLE_TELEMETRY: "1",
  DO_NOT_TRACK: "1",
  PYTHONNOUSERSITE: "1",
  TOKENIZERS_PARALLELISM: "false",
} as const;

/** The folder with the workers' Python. */
export function workersDirectory(): string {
  return join(packageRoot(), "workers");
}

/** @param python the interpreter of the engine's environment */
export function pythonWorker(
  kind: EngineKind,
  python: string,
  env: Readonly<Record<string, string>> = {},
): WorkerCommand {
  return {
    kind,
    program: python,
    // -I: neither the working directory nor the user's packages nor PYTHON* variables; -B: our folder
    // may be read-only.
    args: ["-I", "-B", join(workersDirectory(), "start.py"), kind],
    env: { ...environment, ...env },
  };
}
