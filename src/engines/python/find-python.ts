/** A Python that an engine's environment can be made from. */
import { runProgram } from "../../process/run-program.ts";

/** Minor versions of Python 3, both included. */
export type PythonRange = { readonly from: number; readonly to: number };

export type FoundPython = {
  /** The interpreter's own path, whatever name found it. */
  readonly path: string;
  /** `3.12.4` */
  readonly version: string;
};

export type PythonSearch = {
  readonly found: FoundPython | undefined;
  /** What was there and does not do, in words: `Python 3.9.2 at /usr/bin/python3`. */
  readonly rejected: readonly string[];
};

/** Starting an interpreter is quick, unless the machine is short of everything. */
const PROBE_TIMEOUT_MS = 20_000;
/** A Python that is installed meanwhile is found after this. */
const REMEMBER_MS = 15_000;

const probe = `import importlib.util as u, json, sys
parts = [m for m in ("venv", "ensurepip") if u.find_spec(m) is None]
print(json.dumps([list(sys.version_info[:3]), sys.executable, parts, sys.maxsize > 2**32]))`;

const searches = new Map<string, { readonly at: number; readonly search: Promise<PythonSearch> }>();

/** The newest on the PATH that does. */
export function findPython(range: PythonRange): Promise<PythonSearch> {
  const key = JSON.stringify([range, process.env["PATH"]]);
  const known = searches.get(key);
  if (known !== undefined && performance.now() - known.at < REMEMBER_MS) return known.search;
  const search = searchPath(range);
  searches.set(key, { at: performance.now(), search });
  return search;
}

async function searchPath(range: PythonRange): Promise<PythonSearch> {
  const minors = Array.from({ length: range.to - range.from + 1 }, (_, index) => range.to - index);
  const rejected = new Set<string>();
  for (const name of [...minors.map((minor) => `python3.${minor}`), "python3", "python"]) {
    const seen = await lookAt(name);
    if (seen === undefined) continue;
    const { path, version, lacks, is64Bit } = seen;
    const [major = 0, minor = 0] = version.split(".").map(Number);
    const what = `Python ${version} at ${path}`;
    if (major !== 3 || minor < range.from || minor > range.to) rejected.add(what);
    else if (!is64Bit) rejected.add(`${what}, which has 32 bits`);
    else if (lacks.length > 0) rejected.add(`${what}, which lacks its module ${lacks.join(", ")}`);
    else return { found: { path, version }, rejected: [...rejected] };
  }
  return { found: undefined, rejected: [...rejected] };
}

async function lookAt(
  program: string,
): Promise<
  (FoundPython & { readonly lacks: readonly string[]; readonly is64Bit: boolean }) | undefined
> {
  const { code, stdout } = await runProgram({
    program,
    args: ["-I", "-c", probe],
    timeoutMs: PROBE_TIMEOUT_MS,
  });
  if (code !== 0) return undefined;
  try {
    const [version, path, lacks, is64Bit] = JSON.parse(stdout) as [
      number[],
      string,
      string[],
      boolean,
    ];
    return { version: version.join("."), path, lacks, is64Bit };
  } catch {
    return undefined;
  }
}

export function showRange({ from, to }: PythonRange): string {
  return from === to ? `Python 3.${from}` : `Python 3.${from} to 3.${to}`;
}
