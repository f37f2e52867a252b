/** What every engine with a Python of its own has: an obstacle to tell, an environment to start in. */
import { PlatformError } from "../../base/errors.ts";
import type { EngineLoader, Obstacle } from "../engine.ts";
import { type WorkerCommand, WorkerDriver } from "../worker/worker-driver.ts";
import { type EngineEnvironment, findInstalled } from "./environment.ts";
import { findPython } from "./find-python.ts";
import { type MakeHooks, makeEnvironment, noPython } from "./make-environment.ts";
import { checkOwnPython, ownPython } from "./own-python.ts";
import { pythonWorker } from "./python-worker.ts";

/** Why the engine does not run here as it is; one that a launch removes by itself says so. */
export async function findPythonObstacle(spec: EngineEnvironment): Promise<Obstacle | undefined> {
  const own = ownPython(spec);
  if (own !== undefined) return await checkOwnPython(spec, own);
  if ((await findInstalled(spec)) !== undefined) return undefined;
  const { found, rejected } = await findPython(spec.pythons);
  if (found === undefined) {
    const [reason = "", remedy = ""] = noPython(spec, rejected).split(/(?<=\.) (?=Install)/, 2);
    return { reason, remedy };
  }
  const [variant] = await spec.variants();
  const size = ((variant?.downloadBytes ?? 0) / 1e9).toFixed(1);
  return {
    reason: `The environment of ${spec.title} is not installed: ${size} GB are to be fetched.`,
    remedy: `Run atalaya engine install ${spec.kind}, or launch with --model-engine ${spec.kind}, which does it first.`,
    isRemovedByLaunch: true,
  };
}

/**
 * The interpreter that a worker is started with; its environment is made first where there is none.
 *
 * @throws PlatformError `engine_unavailable`, and whatever `makeEnvironment` throws
 */
async function preparePython(spec: EngineEnvironment, hooks: MakeHooks): Promise<string> {
  const own = ownPython(spec);
  if (own === undefined) return (await makeEnvironment(spec, hooks)).python;
  const obstacle = await checkOwnPython(spec, own);
  if (obstacle === undefined) return own;
  throw new PlatformError("engine_unavailable", `${obstacle.reason} ${obstacle.remedy}`, {
    details: { param: "model_engine" },
  });
}

/** @param adapt changes how the worker is started */
export function pythonEngineLoader(
  spec: EngineEnvironment,
  adapt: (command: WorkerCommand) => WorkerCommand = (command) => command,
): EngineLoader {
  return async (options, hooks) => {
    const python = await preparePython(spec, hooks);
    const { alsoSees } = spec;
    const seen = Object.entries(process.env).flatMap(([name, value]) =>
      value !== undefined && alsoSees?.test(name) ? [[name, value] as const] : [],
    );
    const command = pythonWorker(spec.kind, python, Object.fromEntries(seen));
    return await WorkerDriver.start(options, hooks, adapt(command));
  };
}
