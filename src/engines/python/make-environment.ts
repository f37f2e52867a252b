/**
 * Makes an engine's environment: `uv` where it is on the PATH, `python3 -m venv` and pip otherwise.
 *
 * All that is installed is in the lock file with its hash; nothing is resolved, nothing is built. It is
 * made beside its place, tried, and renamed; one that was given up leaves nothing behind.
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, statfs, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { PlatformError } from "../../base/errors.ts";
import { lockFile } from "../../posix/file-lock.ts";
import { type RunOptions, type RunResult, runProgram } from "../../process/run-program.ts";
import type { LoadProgress } from "../engine.ts";
import {
  contentsOf,
  type Environment,
  type EnvironmentRecord,
  type EnvironmentSpec,
  type EnvironmentVariant,
  environmentOf,
  interpreterIn,
  lockDigest,
  lockPath,
  RECORD_FILE,
  stateOf,
} from "./environment.ts";
import { findPython, showRange } from "./find-python.ts";

export type MakeHooks = {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: LoadProgress) => void;
  /** One line of what the installer says. */
  readonly onLog: (line: string) => void;
};

export type Made = {
  readonly python: string;
  readonly directory: string;
  /** Whether it was there already. */
  readonly wasThere: boolean;
};

/** What people tell pip and uv by variables: indexes, proxies, certificates. */
const installerVariables =
  /^(PIP_.*|UV_.*|https?_proxy|HTTPS?_PROXY|(no|all)_proxy|(NO|ALL)_PROXY|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|XDG_.*|LOCALAPPDATA|APPDATA|USERPROFILE)$/;
const MARGIN_BYTES = 200e6;
const REACH_TIMEOUT_MS = 20_000;
const OWN_INDEX_TIMEOUT_MS = 120_000;

/**
 * The engine's environment, made if it is not there or not whole.
 *
 * @param thorough also when its record is in order, see that its modules can be imported
 * @throws PlatformError `engine_unavailable` without a Python that does, `disk_full`, `environment_failed`
 */
export async function makeEnvironment(
  spec: EnvironmentSpec,
  hooks: MakeHooks,
  { thorough = false }: { readonly thorough?: boolean } = {},
): Promise<Made> {
  const variants = await spec.variants();
  for (const variant of variants) {
    const environment = environmentOf(spec.kind, variant);
    if (await isWhole(spec, environment, { hooks, thorough })) return made(environment, true);
  }
  const [variant] = variants;
  if (variant === undefined) throw new Error(`${spec.title} has no variant for this machine`);
  const python = await requirePython(spec);
  const reachable = await firstReachable(variants, { python, hooks });
  const environment = environmentOf(spec.kind, reachable.variant);
  const { directory } = environment;
  const parent = dirname(directory);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  await using _ = await lockFile(join(parent, `.${basename(directory)}.lock`), {
    signal: hooks.signal,
    onWait: () =>
      hooks.onProgress({
        stage: `waiting for another process that installs ${spec.title}`,
        fraction: undefined,
      }),
  });
  // Whoever held the lock has made it meanwhile.
  if (await isWhole(spec, environment, { hooks, thorough })) return made(environment, true);
  await requireSpace(reachable.variant, parent);
  const draft = join(parent, `.making-${basename(directory)}`);
  try {
    // Left by a process that was killed: nobody else makes it while we hold the lock.
    await rm(draft, { recursive: true, force: true });
    const record = await fill(spec, { draft, python, ...reachable }, hooks);
    await writeFile(join(draft, RECORD_FILE), `${JSON.stringify(record, null, 1)}\n`, {
      flush: true,
    });
    await rm(directory, { recursive: true, force: true });
    await rename(draft, directory);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
  return made(environment, false);
}

function made({ directory }: Environment, wasThere: boolean): Made {
  return { python: interpreterIn(directory), directory, wasThere };
}

async function isWhole(
  spec: EnvironmentSpec,
  environment: Environment,
  { hooks, thorough }: { readonly hooks: MakeHooks; readonly thorough: boolean },
): Promise<boolean> {
  const state = await stateOf(environment);
  if (state.state === "absent") return false;
  if (state.state === "broken") {
    hooks.onLog(`the environment of ${spec.title} is broken: ${state.why}; it is made anew`);
    return false;
  }
  if (!thorough) return true;
  hooks.onProgress({ stage: "trying what is installed", fraction: undefined });
  const problem = await tryImports(spec, interpreterIn(environment.directory), hooks);
  if (problem === undefined) return true;
  hooks.onLog(`the environment of ${spec.title} is broken: ${problem}; it is made anew`);
  return false;
}

async function requirePython(spec: EnvironmentSpec): Promise<string> {
  const { found, rejected } = await findPython(spec.pythons);
  if (found !== undefined) return found.path;
  throw new PlatformError("engine_unavailable", noPython(spec, rejected), {
    details: { param: "model_engine" },
  });
}

/** The sentence for a machine without a Python that does. */
export function noPython(spec: EnvironmentSpec, rejected: readonly string[]): string {
  const seen =
    rejected.length === 0 ? "none is on the PATH" : `there is only ${rejected.join("; ")}`;
  const what = spec.kind === "cuda" ? `Installing ${spec.title}` : `The engine ${spec.title}`;
  const ownOne =
    spec.variable === undefined ? "" : `, or name an environment of your own in ${spec.variable}`;
  return `${what} needs ${showRange(spec.pythons)}, and ${seen}. Install one with its module venv (on Debian and Ubuntu: apt install python3-venv)${ownOne}.`;
}

type Reachable = {
  readonly variant: EnvironmentVariant;
  readonly torchFrom: "lock" | "pip configuration";
};

/**
 * PyTorch's CPU build is no package of the registry: it comes from an index that pip was told of, else
 * from PyTorch's own; where neither has it, from the registry with all that CUDA needs.
 */
async function firstReachable(
  variants: readonly EnvironmentVariant[],
  { python, hooks }: { readonly python: string; readonly hooks: MakeHooks },
): Promise<Reachable> {
  for (const variant of variants) {
    if (variant.cpuTorch === undefined) return { variant, torchFrom: "lock" };
    hooks.onProgress({ stage: "looking for PyTorch's CPU build", fraction: undefined });
    if (await isOnOwnIndex(python, variant.cpuTorch, hooks)) {
      hooks.onLog(`${variant.cpuTorch} comes from the index that pip is configured with, unhashed`);
      return { variant, torchFrom: "pip configuration" };
    }
    if (await isReachable(python, await torchAddress(variant), hooks)) {
      return { variant, torchFrom: "lock" };
    }
    hooks.onProgress({
      stage:
        "PyTorch's CPU builds cannot be reached: the registry's is taken, with all that CUDA needs",
      fraction: undefined,
    });
  }
  const last = variants.at(-1);
  if (last === undefined) throw new Error("there is no variant");
  return { variant: last, torchFrom: "lock" };
}

async function hasOwnIndex(python: string, signal: AbortSignal): Promise<boolean> {
  const { stdout } = await runProgram({
    program: python,
    args: ["-m", "pip", "config", "list"],
    alsoSees: installerVariables,
    timeoutMs: REACH_TIMEOUT_MS,
    signal,
  });
  return /\b(index-url|find-links|no-index)=/.test(stdout);
}

async function isOnOwnIndex(
  python: string,
  requirement: string,
  { signal }: MakeHooks,
): Promise<boolean> {
  if (!(await hasOwnIndex(python, signal))) return false;
  const args = ["-m", "pip", "install", "--dry-run", "--no-deps", "--ignore-installed"];
  const { code } = await runProgram({
    program: python,
    args: [...args, "--only-binary", ":all:", "--no-input", "--quiet", requirement],
    alsoSees: installerVariables,
    timeoutMs: OWN_INDEX_TIMEOUT_MS,
    signal,
  });
  return code === 0;
}

async function torchAddress(variant: EnvironmentVariant): Promise<string | undefined> {
  const text = await readFile(lockPath(variant), "utf8");
  return /^torch @ (\S+)/m.exec(text)?.[1];
}

async function isReachable(
  python: string,
  address: string | undefined,
  { signal }: MakeHooks,
): Promise<boolean> {
  if (address === undefined) return false;
  const probe = `import sys, urllib.request as r
r.urlopen(r.Request(sys.argv[1], method="HEAD"), timeout=10)`;
  const certificates = process.env["PIP_CERT"];
  const { code } = await runProgram({
    program: python,
    args: ["-c", probe, address],
    alsoSees: installerVariables,
    ...(certificates !== undefined && { env: { SSL_CERT_FILE: certificates } }),
    timeoutMs: REACH_TIMEOUT_MS,
    signal,
  });
  return code === 0;
}

async function requireSpace(variant: EnvironmentVariant, parent: string): Promise<void> {
  const { downloadBytes, installedBytes } = variant;
  // What is fetched lies beside what is unpacked until it is in place.
  const neededBytes = downloadBytes + installedBytes + MARGIN_BYTES;
  const info = await statfs(parent);
  const availableBytes = info.bavail * info.bsize;
  if (info.blocks === 0 || neededBytes <= availableBytes) return;
  throw new PlatformError(
    "disk_full",
    `The environment takes ${gigabytes(installedBytes)} and ${gigabytes(downloadBytes)} while it is fetched, and ${gigabytes(availableBytes)} are free where ${parent} lies. Make room, or set ATALAYA_HOME to a larger disk.`,
    { details: { neededBytes, availableBytes } },
  );
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

async function fill(
  spec: EnvironmentSpec,
  parts: Reachable & { readonly draft: string; readonly python: string },
  hooks: MakeHooks,
): Promise<EnvironmentRecord> {
  const { draft, python, variant, torchFrom } = parts;
  const { signal, onProgress, onLog } = hooks;
  const run = async (options: RunOptions): Promise<RunResult> =>
    await runProgram({ alsoSees: installerVariables, signal, ...options });
  // uv does not read pip's configuration.
  const useUv = !(await hasOwnIndex(python, signal)) && (await isThere("uv", signal));
  const installer = useUv ? "uv" : "pip";
  const { downloadBytes, installedBytes } = variant;
  onProgress({
    stage: `making the environment of ${spec.title}: ${gigabytes(downloadBytes)} to fetch, ${gigabytes(installedBytes)} on the disk`,
    fraction: undefined,
  });
  const venv = useUv
    ? await run({
        program: "uv",
        args: ["venv", "--quiet", "--relocatable", "--python", python, draft],
      })
    : await run({ program: python, args: ["-I", "-m", "venv", draft] });
  if (venv.code !== 0) throw failed(spec, venv);
  const interpreter = interpreterIn(draft);

  const lock = await lockToInstall(draft, variant, torchFrom);
  const watch = installProgress(lock.numPackages, variant, onProgress);
  const install = useUv
    ? ["uv", ["pip", "install", "--python", interpreter]]
    : [interpreter, ["-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]];
  const [program, words] = install as [string, string[]];
  const common = ["--no-deps", "--only-binary", ":all:"];
  const installed = await run({
    program,
    args: [...words, ...common, "--require-hashes", "-r", lock.path],
    onLine: (line) => {
      onLog(line);
      watch(line);
    },
  });
  if (installed.code !== 0) throw failed(spec, installed);
  if (torchFrom === "pip configuration" && variant.cpuTorch !== undefined) {
    onProgress({ stage: `installing ${variant.cpuTorch}`, fraction: 0.9 });
    const torch = await run({
      program,
      args: [...words, ...common, variant.cpuTorch],
      onLine: onLog,
    });
    if (torch.code !== 0) throw failed(spec, torch);
  }
  const { sitePackages } = await whereIn(draft);
  await spec.complete?.({ variant, sitePackages, python: interpreter, run, onProgress });
  onProgress({ stage: "trying what is installed", fraction: undefined });
  const problem = await tryImports(spec, interpreter, hooks);
  if (problem !== undefined) {
    throw new PlatformError(
      "environment_failed",
      `The environment of ${spec.title} was installed and does not work: ${problem}. Its log has all of it.`,
    );
  }
  await rm(lock.path, { force: true });
  return await describe(spec, { ...parts, installer });
}

async function describe(
  spec: EnvironmentSpec,
  {
    draft,
    variant,
    torchFrom,
    installer,
  }: Reachable & { readonly draft: string; readonly installer: string },
): Promise<EnvironmentRecord> {
  const { version, sitePackages } = await whereIn(draft);
  return {
    engine: spec.kind,
    variant: variant.name,
    lock: lockDigest(variant),
    python: version,
    installer,
    torchFrom,
    madeAt: new Date().toISOString(),
    sitePackages: relative(draft, sitePackages),
    ...(await contentsOf(sitePackages)),
  };
}

/** @returns the version of an environment's Python, and where its packages lie */
async function whereIn(draft: string): Promise<{ version: string; sitePackages: string }> {
  const { stdout } = await runProgram({
    program: interpreterIn(draft),
    args: [
      "-I",
      "-c",
      "import platform, sysconfig; print(platform.python_version()); print(sysconfig.get_path('purelib'))",
    ],
  });
  const [version = "", sitePackages = ""] = stdout.trim().split(/\r?\n/);
  return { version, sitePackages };
}

/** The lock file, without PyTorch where that comes from elsewhere. */
async function lockToInstall(
  draft: string,
  variant: EnvironmentVariant,
  torchFrom: Reachable["torchFrom"],
): Promise<{ readonly path: string; readonly numPackages: number }> {
  const text = await readFile(lockPath(variant), "utf8");
  const entries = text.split(/\n(?=\S)/).filter((entry) => !entry.startsWith("#"));
  const wanted =
    torchFrom === "lock" ? entries : entries.filter((entry) => !/^torch\b/.test(entry));
  const path = join(draft, "lock.txt");
  await writeFile(path, `${wanted.join("\n")}\n`);
  return { path, numPackages: wanted.length };
}

/** What an installer says → how far it is. Downloads take most of the time, and are told one by one. */
function installProgress(
  numPackages: number,
  { downloadBytes }: EnvironmentVariant,
  onProgress: MakeHooks["onProgress"],
): (line: string) => void {
  let numSeen = 0;
  return (line) => {
    const [, name] =
      /^(?:Collecting|Downloading) ([\w.-]+?)(?:[=@ ]|-\d|$)/.exec(line.trim()) ?? [];
    if (name !== undefined && /^\s*Collecting /.test(line)) numSeen += 1;
    const [, file, size] =
      /Downloading (?:\S*\/)?([\w.+-]+?)-\d\S*\.whl[^(]*(\([^)]*B\))?/.exec(line) ?? [];
    const [, uvName, uvSize] = /Downloading ([\w.-]+) (\([^)]*B\))/.exec(line) ?? [];
    if (/Installing collected packages|Prepared \d+ packages/.test(line)) {
      onProgress({ stage: "unpacking what was fetched", fraction: 0.9 });
    } else if (file !== undefined || uvName !== undefined) {
      const what = `${file ?? uvName} ${size ?? uvSize ?? ""}`.trim();
      onProgress({
        stage: `fetching ${what}, of ${gigabytes(downloadBytes)} in all`,
        fraction: Math.min(0.9, (0.9 * numSeen) / numPackages),
      });
    }
  };
}

async function tryImports(
  { imports }: EnvironmentSpec,
  python: string,
  { signal }: MakeHooks,
): Promise<string | undefined> {
  const { code, lastLines } = await runProgram({
    program: python,
    args: ["-I", "-c", `import ${imports.join(", ")}`],
    env: { HF_HUB_OFFLINE: "1", TRANSFORMERS_OFFLINE: "1" },
    signal,
  });
  return code === 0 ? undefined : (lastLines.at(-1) ?? "it ended without a word").slice(0, 300);
}

async function isThere(program: string, signal: AbortSignal): Promise<boolean> {
  return (await runProgram({ program, args: ["--version"], signal })).code === 0;
}

function failed({ title }: EnvironmentSpec, { lastLines }: RunResult): PlatformError {
  const said =
    lastLines.findLast((line) => /^\s*(ERROR|error|×|Error)/.test(line)) ?? lastLines.at(-1) ?? "";
  const cause = said.replace(/^\s*(ERROR|error|Error):?\s*/, "").slice(0, 400);
  return new PlatformError(
    "environment_failed",
    `The environment of ${title} could not be made: ${cause || "the installer ended without a word"}. See that this machine reaches its package index, and try again: what was fetched is kept.`,
  );
}

/** @returns the environments of this engine that lie there, whole or not, those of older versions too */
export async function environmentDirectories(
  kind: string,
  directory: string,
): Promise<readonly string[]> {
  if (!existsSync(directory)) return [];
  const names = await readdir(directory);
  return names
    .filter((name) => name.startsWith(`${kind}-`) || name.startsWith(`.making-${kind}-`))
    .map((name) => join(directory, name));
}
