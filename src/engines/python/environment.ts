/**
 * The Python environment of an engine: where it lies, whether it is whole, and how people bring their own.
 *
 * One is known by the content of its lock file, so a new lock is a new environment beside the old one. It
 * is made under a temporary name (`make-environment.ts`) and has its record once it is whole.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { atalayaHome } from "../../base/home.ts";
import { packageRoot } from "../../base/package-root.ts";
import type { RunOptions, RunResult } from "../../process/run-program.ts";
import type { EngineKind, LoadProgress, Obstacle } from "../engine.ts";
import type { PythonRange } from "./find-python.ts";

/** That of an engine whose worker is a Python program. */
export type EngineEnvironment = EnvironmentSpec & {
  readonly kind: EngineKind;
  readonly variable: string;
};

/** What an environment is for: an engine, or NVIDIA's libraries for the native one. */
export type EnvironmentKind = EngineKind | "cuda";

export type EnvironmentSpec = {
  readonly kind: EnvironmentKind;
  /** As people write it. */
  readonly title: string;
  readonly pythons: PythonRange;
  /** Names the interpreter of an environment that somebody made themselves; absent where none can. */
  readonly variable?: string;
  /** Those that do on this machine, best first. */
  readonly variants: () => readonly EnvironmentVariant[] | Promise<readonly EnvironmentVariant[]>;
  /** Modules whose import shows that the environment works. */
  readonly imports: readonly string[];
  /** Put in what is no package of Python's, before it is tried. */
  readonly complete?: (parts: EnvironmentParts) => Promise<void>;
  /** What else this machine lacks for the engine to run, whose environment can be made all the same. */
  readonly findLack?: () => Promise<Obstacle | undefined>;
  /** Variables that the worker may see beside the usual ones. */
  readonly alsoSees?: RegExp;
};

export type EnvironmentParts = {
  readonly variant: EnvironmentVariant;
  /** Where Python's packages lie, absolute. */
  readonly sitePackages: string;
  /** Its interpreter. */
  readonly python: string;
  readonly run: (options: RunOptions) => Promise<RunResult>;
  readonly onProgress: (progress: LoadProgress) => void;
};

export type EnvironmentVariant = {
  readonly name: string;
  /** What it holds, for lists; its Python and installer are told when absent. */
  readonly holds?: string;
  /** A file of `workers/locks`, or an absolute path. */
  readonly lock: string;
  /** About what is fetched, and what it takes on the disk; measured with Python 3.11 on Linux x64. */
  readonly downloadBytes: number;
  readonly installedBytes: number;
  /** PyTorch's own CPU build, which may come from an index that pip was told of. */
  readonly cpuTorch?: string;
};

export type Environment = {
  readonly variant: EnvironmentVariant;
  readonly directory: string;
};

const Record_ = z.object({
  engine: z.string(),
  variant: z.string(),
  lock: z.string(),
  python: z.string(),
  installer: z.string(),
  torchFrom: z.string(),
  madeAt: z.string(),
  sitePackages: z.string(),
  /** Names in site-packages. */
  entries: z.array(z.string()),
  /** What Python runs by itself when it starts → SHA-256. */
  startFiles: z.record(z.string(), z.string()),
});
export type EnvironmentRecord = z.infer<typeof Record_>;

/** Is written last: an environment without it is none. */
export const RECORD_FILE = "atalaya-environment.json";

export function enginesDirectory(): string {
  return join(atalayaHome(process.env), "engines");
}

export function lockPath({ lock }: EnvironmentVariant): string {
  return resolve(packageRoot(), "workers", "locks", lock);
}

/** Where an environment lies, or would lie. */
export function environmentOf(kind: EnvironmentKind, variant: EnvironmentVariant): Environment {
  const key = lockDigest(variant).slice(0, 12);
  return { variant, directory: join(enginesDirectory(), `${kind}-${variant.name}-${key}`) };
}

export function lockDigest(variant: EnvironmentVariant): string {
  return createHash("sha256")
    .update(readFileSync(lockPath(variant)))
    .digest("hex");
}

export function interpreterIn(directory: string): string {
  return process.platform === "win32"
    ? join(directory, "Scripts", "python.exe")
    : join(directory, "bin", "python");
}

export type EnvironmentState =
  | { readonly state: "installed"; readonly record: EnvironmentRecord }
  | { readonly state: "absent" }
  | { readonly state: "broken"; readonly why: string };

/** Without starting anything: the record, the interpreter, and what lies where Python looks. */
export async function stateOf({ directory, variant }: Environment): Promise<EnvironmentState> {
  if (!existsSync(directory)) return { state: "absent" };
  const broken = (why: string): EnvironmentState => ({ state: "broken", why });
  const record = await readRecord(directory);
  if (record === undefined) return broken("it has no record of what it holds");
  if (record.lock !== lockDigest(variant)) return broken("its record names another lock file");
  if (!existsSync(interpreterIn(directory))) return broken("its Python is gone");
  const found = await contentsOf(join(directory, record.sitePackages));
  const missing = record.entries.find((entry) => !found.entries.includes(entry));
  if (missing !== undefined) return broken(`${missing} is missing`);
  const names = new Set([...Object.keys(record.startFiles), ...Object.keys(found.startFiles)]);
  for (const name of names) {
    if (record.startFiles[name] !== found.startFiles[name]) {
      return broken(`${name}, which runs when Python starts, is not what was installed`);
    }
  }
  return { state: "installed", record };
}

async function readRecord(directory: string): Promise<EnvironmentRecord | undefined> {
  try {
    const text = await readFile(join(directory, RECORD_FILE), "utf8");
    return Record_.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** @see Python's `site` module: `.pth` files and two modules run at every start */
export async function contentsOf(
  sitePackages: string,
): Promise<Pick<EnvironmentRecord, "entries" | "startFiles">> {
  const found: string[] = await readdir(sitePackages).catch(() => []);
  const names = found.toSorted();
  const startFiles: Record<string, string> = {};
  for (const name of names) {
    if (!/\.pth$|^(sitecustomize|usercustomize)\b/.test(name)) continue;
    const content = await readFile(join(sitePackages, name)).catch(() => Buffer.from("unreadable"));
    startFiles[name] = createHash("sha256").update(content).digest("hex");
  }
  return { entries: names.filter((name) => name !== "__pycache__"), startFiles };
}

/** The first variant that is installed; `undefined` when none is. */
export async function findInstalled(
  spec: EnvironmentSpec,
): Promise<(Environment & { readonly record: EnvironmentRecord }) | undefined> {
  for (const variant of await spec.variants()) {
    const environment = environmentOf(spec.kind, variant);
    const state = await stateOf(environment);
    if (state.state === "installed") return { ...environment, record: state.record };
  }
  return undefined;
}
