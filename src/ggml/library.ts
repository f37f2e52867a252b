/**
 * Find the ggml that was installed with us, check that it is the one the bindings were written for,
 * load it once per process.
 */
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import koffi from "koffi";
import { PlatformError } from "../base/errors.ts";
import { dtypeTraits } from "./dtype.ts";
import { baseSymbols, logCallbackType, posixSymbols, registrySymbols } from "./symbols.ts";

type CFunction = ReturnType<ReturnType<typeof koffi.load>["func"]>;
type Functions<Table> = { readonly [Name in keyof Table]: CFunction };

export type GgmlLibrary = {
  readonly version: string;
  readonly directory: string;
  readonly base: Functions<typeof baseSymbols>;
  readonly registry: Functions<typeof registrySymbols>;
  /** Absent on Windows, where weights are read instead of mapped. */
  readonly posix: Functions<typeof posixSymbols> | undefined;
  /** What ggml logged while its back ends were loaded, for diagnosis. */
  readonly log: readonly string[];
};

/** The one ggml these bindings fit; `@node-llama-cpp/*` 3.21.1 carries it. */
const expectedGgmlVersion = "0.23.0";

/** `enum ggml_op` of the operators we build, by number: an enum that shifted means another ggml. */
const expectedOps: Readonly<Record<number, string>> = {
  2: "ADD",
  7: "MUL",
  20: "REPEAT",
  22: "CONCAT",
  24: "NORM",
  25: "RMS_NORM",
  29: "MUL_MAT",
  32: "SCALE",
  34: "CPY",
  35: "CONT",
  36: "RESHAPE",
  37: "VIEW",
  38: "PERMUTE",
  40: "GET_ROWS",
  42: "SET_ROWS",
  74: "FLASH_ATTN_EXT",
  91: "UNARY",
  100: "GLU",
};

let loaded: GgmlLibrary | undefined;

/**
 * Load ggml and its back ends, once.
 *
 * @param variant ggml's operators for another processor, such as `haswell`, when this is the first call; for measurements
 * @throws PlatformError `engine_unavailable` when there is none for this machine or it is another version
 */
export function loadGgml(variant?: string): GgmlLibrary {
  loaded ??= load(findLibraryDirectory(), variant);
  return loaded;
}

/** npm packages that may carry ggml for this machine, best first. */
function candidatePackages(): string[] {
  const { platform, arch } = process;
  if (platform === "linux") return [`@node-llama-cpp/linux-${arch}`];
  if (platform === "darwin") {
    return [arch === "arm64" ? "@node-llama-cpp/mac-arm64-metal" : "@node-llama-cpp/mac-x64"];
  }
  if (platform === "win32") return [`@node-llama-cpp/win-${arch}`];
  return [];
}

/** @throws PlatformError `engine_unavailable` when no ggml for this machine is installed */
export function findLibraryDirectory(): string {
  const candidates = candidatePackages();
  for (const name of candidates) {
    const directory = findPackage(name);
    if (directory !== undefined) return directory;
  }
  const wanted = candidates.join(" or ") || `no package for ${process.platform}-${process.arch}`;
  throw new PlatformError(
    "engine_unavailable",
    `The native engine needs ggml, and its package (${wanted}) is not installed. Run \`npm install --include=optional\`.`,
  );
}

/** The directory of a package's libraries; `undefined` when it is not installed. */
export function findPackage(name: string): string | undefined {
  const { resolve } = createRequire(import.meta.url);
  // The packages do not export a path to their libraries, so look where npm may have put them.
  return (resolve.paths(name) ?? [])
    .map((modules) => join(modules, name, "bins", name.slice("@node-llama-cpp/".length)))
    .find((directory) => existsSync(directory));
}

/** The two libraries' file names; libggml carries variant and version in its own. */
function libraryFiles(directory: string): { base: string; registry: string } {
  const files = readdirSync(directory);
  const base = files.find((name) => /^(lib)?ggml-base\.(so|dylib|dll)$/.test(name));
  const registry = files.find((name) =>
    /^(lib)?ggml(\.[a-z]+)?(\.v[\d.]+\d)?\.(so|dylib|dll)$/.test(name),
  );
  if (base === undefined || registry === undefined) {
    throw new PlatformError(
      "engine_unavailable",
      `The package that should carry ggml has no ${base === undefined ? "libggml-base" : "libggml"}. Reinstall it with \`npm ci\`.`,
    );
  }
  return { base: join(directory, base), registry: join(directory, registry) };
}

function load(directory: string, variant: string | undefined): GgmlLibrary {
  const files = libraryFiles(directory);
  const baseLibrary = openLibrary(files.base, { lazy: true, global: true });
  const registryLibrary = openLibrary(files.registry, { global: true });
  const base = bind(baseLibrary, baseSymbols);
  const registry = bind(registryLibrary, registrySymbols);
  checkVersion(base);

  const log: string[] = [];
  const onLog = koffi.register((_level: number, text: string) => {
    if (log.length < 200) log.push(text.trimEnd());
  }, koffi.pointer(logCallbackType));
  base.ggml_log_set(onLog, null);
  if (variant === undefined) registry.ggml_backend_load_all_from_path(directory);
  else registry.ggml_backend_load(join(directory, `libggml-cpu-${variant}.so`));

  const posix =
    process.platform === "win32"
      ? undefined
      : bind(openLibrary(process.platform === "darwin" ? "libc.dylib" : "libc.so.6"), posixSymbols);
  return { version: expectedGgmlVersion, directory, base, registry, posix, log };
}

/** @throws PlatformError `engine_unavailable` when the system's loader refuses the file */
export function openLibrary(
  file: string,
  options: { readonly lazy?: boolean; readonly global?: boolean } = {},
): ReturnType<typeof koffi.load> {
  try {
    return koffi.load(file, options);
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).trimEnd();
    throw new PlatformError(
      "engine_unavailable",
      `The native engine's library ${file} could not be loaded: ${reason}. Reinstall with \`npm ci\` on this machine.`,
      { cause },
    );
  }
}

function bind<Table extends Readonly<Record<string, string>>>(
  library: ReturnType<typeof koffi.load>,
  table: Table,
): Functions<Table> {
  const entries = Object.entries(table).map(([name, prototype]) => {
    try {
      return [name, library.func(prototype)] as const;
    } catch (cause) {
      throw new PlatformError(
        "engine_unavailable",
        `The installed ggml has no function ${name}; Atalaya needs ggml ${expectedGgmlVersion}. Reinstall with \`npm ci\`.`,
        { cause },
      );
    }
  });
  return Object.fromEntries(entries) as Functions<Table>;
}

/** A wrong enum or a wrong size would read memory that is not ours, so all are compared first. */
function checkVersion(base: Functions<typeof baseSymbols>): void {
  const version = String(base.ggml_version());
  if (version !== expectedGgmlVersion) {
    throw new PlatformError(
      "engine_unavailable",
      `The installed ggml is version ${version}; Atalaya needs ${expectedGgmlVersion}. Reinstall with \`npm ci\`.`,
    );
  }
  const problems: string[] = [];
  for (const [name, traits] of Object.entries(dtypeTraits)) {
    const found = String(base.ggml_type_name(traits.ggmlType)).toLowerCase();
    if (found !== name) problems.push(`type ${traits.ggmlType} is ${found}, not ${name}`);
    const bytes = Number(base.ggml_type_size(traits.ggmlType));
    const length = Number(base.ggml_blck_size(traits.ggmlType));
    if (bytes !== traits.blockBytes || length !== traits.blockLength) {
      problems.push(`a block of ${name} is ${length} elements in ${bytes} bytes`);
    }
  }
  for (const [op, name] of Object.entries(expectedOps)) {
    const found = String(base.ggml_op_name(Number(op)));
    if (found !== name) problems.push(`operator ${op} is ${found}, not ${name}`);
  }
  if (problems.length > 0) {
    throw new PlatformError(
      "engine_unavailable",
      `The installed ggml calls itself ${version} but differs from it: ${problems.join("; ")}. Reinstall with \`npm ci\`.`,
    );
  }
}
