/** Starts the vLLM engine: `workers/atalaya_vllm` in its own environment. */
import type { EngineLoader, Obstacle } from "../engine.ts";
import { findPythonObstacle, pythonEngineLoader } from "../python/python-engine.ts";
import { findCardObstacle } from "./card-obstacle.ts";
import { vllmEnvironment } from "./environment-spec.ts";

/** Makes the environment first where there is none. Disposing the result ends its processes. */
export const loadVllmEngine: EngineLoader = pythonEngineLoader(vllmEnvironment);

export async function findObstacle(): Promise<Obstacle | undefined> {
  return (await findCardObstacle()) ?? (await findPythonObstacle(vllmEnvironment));
}
