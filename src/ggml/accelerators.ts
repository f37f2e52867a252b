/**
 * Back ends of ggml for graphics cards, loaded when they are asked for: they bring their drivers along,
 * which take time and memory, and may crash. Load them only in a process that may end.
 *
 * Each comes in a package that carries a ggml of its own. Of that only the back end is loaded, into the
 * one ggml that is there, after a comparison: two of them in one process would not know each other's
 * tensors.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import koffi from "koffi";
import { PlatformError } from "../base/errors.ts";
import { type Device, findDevices } from "./device.ts";
import { findPackage, loadGgml, openLibrary } from "./library.ts";
import { countVulkanDevices } from "./vulkan-driver.ts";

/** Back ends that are files of their own. Metal comes with the package for its machines. */
const accelerators = ["cuda", "vulkan"] as const;
type Accelerator = (typeof accelerators)[number];

/** A back end that is installed; all paths are absolute. */
export type AcceleratorFiles = {
  readonly library: string;
  /** What it calls and the system may not find by itself, in the order to load it. */
  readonly libraries?: readonly string[];
  /** Of the package it came in, where its ggml's base library is not beside it. */
  readonly packageVersion?: string;
};

export type InstalledAccelerators = Readonly<Partial<Record<Accelerator, AcceleratorFiles>>>;

const isLoaded = new Set<Accelerator>();

export type AcceleratorProblem = { readonly backend: Accelerator; readonly reason: string };

/** Where npm has put the Vulkan back end; `undefined`: nowhere. */
export function findVulkan(): AcceleratorFiles | undefined {
  const { platform, arch } = process;
  const system = platform === "win32" ? "win" : platform;
  const directory = findPackage(`@node-llama-cpp/${system}-${arch}-vulkan`);
  const name = (directory === undefined ? [] : readdirSync(directory)).find((entry) =>
    /^(lib)?ggml-vulkan\.(so|dll)$/.test(entry),
  );
  if (directory === undefined || name === undefined) return undefined;
  return { library: join(directory, name) };
}

/**
 * Load a back end, once.
 *
 * @throws PlatformError `engine_unavailable` when the driver is missing, or it belongs to another ggml
 */
function loadAccelerator(backend: Accelerator, files: AcceleratorFiles): void {
  if (isLoaded.has(backend)) return;
  const { directory, registry } = loadGgml();
  requireSameGgml(directory, files, backend);
  if (backend === "vulkan") showSoftwareDevices();
  // A library that is loaded is found by its name when another asks for it.
  for (const library of files.libraries ?? []) openLibrary(library, { lazy: true, global: true });
  if (registry.ggml_backend_load(files.library) === null) {
    throw unavailable(backend, whyNotLoaded(backend, files.library));
  }
  isLoaded.add(backend);
}

/** Load what there is, and say why the others cannot be. */
export function loadAccelerators(installed: InstalledAccelerators): AcceleratorProblem[] {
  return accelerators.flatMap((backend) => {
    const files = installed[backend];
    if (files === undefined) return [];
    try {
      loadAccelerator(backend, files);
      if (listDevices().some((device) => device.backend === backend)) return [];
      throw unavailable(backend, noDevice[backend]);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      return [{ backend, reason: error.message }];
    }
  });
}

/** Devices of all back ends that are loaded. @throws PlatformError `engine_unavailable` */
export function listDevices(): readonly Device[] {
  return findDevices(loadGgml()).map(({ device }) => device);
}

/** A byte that differs may be a structure that differs, and a crash much later. */
function requireSameGgml(
  ours: string,
  { library, packageVersion }: AcceleratorFiles,
  backend: Accelerator,
): void {
  const read = (directory: string): Buffer | undefined => {
    const name = readdirSync(directory).find((entry) => /^(lib)?ggml-base\.(so|dll)$/.test(entry));
    return name === undefined ? undefined : readFileSync(join(directory, name));
  };
  const [own, other] = [read(ours), read(dirname(library))];
  if (own !== undefined && other !== undefined && own.equals(other)) return;
  if (packageVersion !== undefined && packageVersion === versionOfPackage(ours)) return;
  throw unavailable(backend, "it was built with another ggml than the one that is loaded");
}

/** Of the npm package whose libraries lie here. */
function versionOfPackage(directory: string): string | undefined {
  try {
    const text = readFileSync(join(directory, "..", "..", "package.json"), "utf8");
    return String(JSON.parse(text).version);
  } catch {
    return undefined;
  }
}

/**
 * ggml leaves out devices that are a processor in disguise. Where there is nothing else they are shown,
 * for whoever names them.
 */
function showSoftwareDevices(): void {
  const variable = "GGML_VK_VISIBLE_DEVICES";
  if (process.env[variable] !== undefined) return;
  const { numCards, numSoftware } = countVulkanDevices();
  if (numCards > 0 || numSoftware === 0) return;
  process.env[variable] = Array.from({ length: numSoftware }, (_, index) => index).join(",");
}

const noDevice: Readonly<Record<Accelerator, string>> = {
  cuda: "NVIDIA's driver has no card for it",
  vulkan: "there is no driver for it (Debian: mesa-vulkan-drivers, or the one of the card)",
};

/** A library of the system that a back end needs. */
const comesWith: Readonly<Record<Accelerator, string>> = {
  cuda: "it comes with NVIDIA's driver",
  vulkan: "Debian: libvulkan1",
};

/** The system's loader knows which library is missing; a back end that starts all the same found no driver. */
function whyNotLoaded(backend: Accelerator, file: string): string {
  try {
    koffi.load(file, { lazy: true });
    return noDevice[backend];
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const [, missing] = /(\S+\.so[.\d]*): cannot open shared object/.exec(said) ?? [];
    return missing === undefined
      ? "the system's loader refuses its library"
      : `${missing} is missing (${comesWith[backend]})`;
  }
}

function unavailable(backend: Accelerator, reason: string): PlatformError {
  return new PlatformError(
    "engine_unavailable",
    `ggml's back end ${backend} could not be loaded: ${reason.replace(/\.+$/, "")}. Without it the processor computes.`,
  );
}
