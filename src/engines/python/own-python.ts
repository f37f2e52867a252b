/** An environment that somebody made themselves, named by a variable. */
import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import { runProgram } from "../../process/run-program.ts";
import type { Obstacle } from "../engine.ts";
import type { EnvironmentSpec } from "./environment.ts";
import { showRange } from "./find-python.ts";
import { workersDirectory } from "./python-worker.ts";

const CHECK_TIMEOUT_MS = 30_000;
/** What the worker itself would say about its Python and the packages it finds; imports none of them. */
const probe = `import importlib, json, sys
sys.path.insert(0, sys.argv[1])
problem = None
if sys.version_info >= (3, 10):
    problem = importlib.import_module(f"atalaya_{sys.argv[2]}.versions").problem()
print(json.dumps([list(sys.version_info[:3]), problem]))`;

/** The interpreter that the engine's variable names; `undefined` when it is not set. */
export function ownPython({ variable }: Pick<EnvironmentSpec, "variable">): string | undefined {
  const path = variable === undefined ? undefined : process.env[variable];
  return path === undefined || path === "" ? undefined : path;
}

/** What speaks against it; reads what is installed, imports nothing. */
export async function checkOwnPython(
  spec: EnvironmentSpec,
  path: string,
): Promise<Obstacle | undefined> {
  const { kind, variable, title, pythons, alsoSees } = spec;
  if (variable === undefined) return undefined;
  const remedy = `Name another Python in ${variable}, or unset it: then Atalaya makes an environment of its own.`;
  if (!isAbsolute(path) || !existsSync(path)) {
    return { reason: `${variable} is ${path}, and there is no such program.`, remedy };
  }
  const { code, stdout } = await runProgram({
    program: path,
    args: ["-I", "-B", "-c", probe, workersDirectory(), kind],
    ...(alsoSees !== undefined && { alsoSees }),
    timeoutMs: CHECK_TIMEOUT_MS,
  });
  if (code !== 0) return { reason: `${variable} is ${path}, which is no Python.`, remedy };
  const [version, problem] = JSON.parse(stdout) as [readonly number[], string | null];
  const [major = 0, minor = 0] = version;
  if (major !== 3 || minor < pythons.from || minor > pythons.to) {
    return {
      reason: `${variable} names Python ${version.join(".")}; the engine ${title} takes ${showRange(pythons)}.`,
      remedy,
    };
  }
  return problem === null
    ? undefined
    : { reason: `The Python that ${variable} names does not do: ${problem}.`, remedy };
}
