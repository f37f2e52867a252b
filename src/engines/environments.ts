/** The environments of engines that need one: list, install, remove. */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { PlatformError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";
import { cudaEnvironment } from "./cuda/environment-spec.ts";
import {
  type EnvironmentKind,
  type EnvironmentSpec,
  enginesDirectory,
  environmentOf,
  findInstalled,
  stateOf,
} from "./python/environment.ts";
import {
  environmentDirectories,
  type Made,
  type MakeHooks,
  makeEnvironment,
} from "./python/make-environment.ts";
import { checkOwnPython, ownPython } from "./python/own-python.ts";
import { transformersEnvironment } from "./transformers/environment-spec.ts";
import { vllmEnvironment } from "./vllm/environment-spec.ts";

export type { MakeHooks };

const specs: readonly EnvironmentSpec[] = [
  transformersEnvironment,
  vllmEnvironment,
  cudaEnvironment,
];

export type EnvironmentRow = {
  readonly engine: EnvironmentKind;
  readonly title: string;
  /** `yours`: the engine's variable names a Python. */
  readonly state: "installed" | "not installed" | "broken" | "yours";
  /** What there is, or what is wrong with it; a sentence's end. */
  readonly detail: string;
  /** Where it lies. */
  readonly path: string | undefined;
  /** On the disk; environments of older versions count too. */
  readonly sizeBytes: number;
};

export async function listEnvironments(): Promise<readonly EnvironmentRow[]> {
  return await Promise.all(specs.map(describe));
}

export type Installed = Made & { readonly title: string; readonly version: string };

/**
 * @throws PlatformError `engine_unavailable` for an engine that needs no environment, and whatever
 *   `makeEnvironment` throws
 */
export async function installEnvironment(
  name: string,
  {
    onWarning,
    ...hooks
  }: MakeHooks & {
    /** A sentence on why the engine will not run here, although its environment can be made. */
    readonly onWarning: (sentence: string) => void;
  },
): Promise<Installed> {
  const spec = specNamed(name);
  const own = ownPython(spec);
  if (own !== undefined) {
    throw new PlatformError(
      "invalid_request",
      `${spec.variable} names a Python of your own, ${own}, so nothing is installed. Unset it for an environment of Atalaya's.`,
    );
  }
  const lack = await spec.findLack?.();
  if (lack !== undefined) onWarning(`${lack.reason} Its environment is made all the same.`);
  const made = await makeEnvironment(spec, hooks, { thorough: true });
  const record = (await findInstalled(spec))?.record;
  const version = record === undefined ? "" : `Python ${record.python}, ${record.variant}`;
  return { ...made, title: spec.title, version };
}

/** @returns how much was freed, bytes; 0 when there was none */
export async function removeEnvironment(name: string): Promise<number> {
  const { kind } = specNamed(name);
  const directories = await environmentDirectories(kind, enginesDirectory());
  let freed = 0;
  for (const directory of directories) {
    freed += await sizeOf(directory);
    await rm(directory, { recursive: true, force: true });
  }
  return freed;
}

function specNamed(name: string): EnvironmentSpec {
  const spec = specs.find(({ kind }) => kind === name.toLowerCase());
  if (spec !== undefined) return spec;
  const names = specs.map(({ kind }) => kind);
  if (name.toLowerCase() === "native") {
    throw new PlatformError(
      "invalid_request",
      `The engine native came with Atalaya and has no environment. These have one: ${names.join(", ")}.`,
    );
  }
  const shown = /^[\w. -]{1,40}$/.test(name) ? `"${name}"` : "of that name";
  throw new PlatformError(
    "engine_unavailable",
    `There is no engine ${shown} with an environment; there is ${names.join(", ")}.${didYouMean(name, names)}`,
  );
}

async function describe(spec: EnvironmentSpec): Promise<EnvironmentRow> {
  const { kind, title } = spec;
  const directories = await environmentDirectories(kind, enginesDirectory());
  const sizes = await Promise.all(directories.map(sizeOf));
  const sizeBytes = sizes.reduce((sum, bytes) => sum + bytes, 0);
  const row = { engine: kind, title, sizeBytes };
  const own = ownPython(spec);
  if (own !== undefined) {
    const obstacle = await checkOwnPython(spec, own);
    const detail = obstacle === undefined ? `named by ${spec.variable}` : obstacle.reason;
    return { ...row, state: obstacle === undefined ? "yours" : "broken", detail, path: own };
  }
  const installed = await findInstalled(spec);
  if (installed !== undefined) {
    const { python, variant, installer, torchFrom } = installed.record;
    const detail =
      installed.variant.holds ??
      `Python ${python}, ${variant}, by ${installer}, PyTorch from the ${torchFrom}`;
    return { ...row, state: "installed", detail, path: installed.directory };
  }
  for (const variant of await spec.variants()) {
    const environment = environmentOf(kind, variant);
    const state = await stateOf(environment);
    if (state.state === "broken") {
      return { ...row, state: "broken", detail: state.why, path: environment.directory };
    }
  }
  const [variant] = await spec.variants();
  const gigabytes = ((variant?.downloadBytes ?? 0) / 1e9).toFixed(1);
  return {
    ...row,
    state: "not installed",
    detail: `${gigabytes} GB to fetch: atalaya engine install ${kind}`,
    path: undefined,
  };
}

async function sizeOf(path: string): Promise<number> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) return 0;
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0;
  }
  return bytes;
}
