/** The Python that tests use: `.venv/bin/python`, or what ATALAYA_TEST_PYTHON names. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../../src/base/package-root.ts";

export const testPython =
  process.env["ATALAYA_TEST_PYTHON"] ?? join(packageRoot(), ".venv/bin/python");

/** @returns what is missing, in words; `undefined` when all of it is there */
export async function lackOfPython(modules: readonly string[]): Promise<string | undefined> {
  const check = `import importlib.util as u, sys\nsys.exit(any(u.find_spec(m) is None for m in sys.argv[1:]))`;
  return await promisify(execFile)(testPython, ["-c", check, ...modules]).then(
    () => undefined,
    () => `Python with ${modules.join(", ")}`,
  );
}
