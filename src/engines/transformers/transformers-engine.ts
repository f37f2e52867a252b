/** Starts the Transformers engine: `workers/atalaya_transformers` in its own environment. */
import type { EngineLoader, Obstacle } from "../engine.ts";
import { findPythonObstacle, pythonEngineLoader } from "../python/python-engine.ts";
import { transformersEnvironment } from "./environment-spec.ts";

/** Makes the environment first where there is none. Disposing the result ends its process. */
export const loadTransformersEngine: EngineLoader = pythonEngineLoader(transformersEnvironment);

export function findObstacle(): Promise<Obstacle | undefined> {
  return findPythonObstacle(transformersEnvironment);
}
