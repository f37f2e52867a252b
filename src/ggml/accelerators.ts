/**
 * Back ends of ggml for graphics cards, loaded when they are asked for: they bring their drivers along,
 * which take time and memory, and may crash. Load them only in a process that may end.
 *
 * Each comes in a package that carries a ggml of its own. Of that only the back end is loaded, into the
 * one ggml that is there, after a comparison: two of them in one process would not know each other's
 * tensors.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import koffi from "koffi";
import { PlatformError } from "../base/errors.ts";
import { type Device, findDevices } from "./device.ts";
import { findPackage, loadGgml } from "./library.ts";
import { countVulkanDevices } from "./vulkan-driver.ts";

/** Back ends that are files of their own. Metal comes with the package for its machines. */
const accelerators = ["vulkan"] as const;
type Accelerator = (typeof accelerators)[number];

/** By back end: its library's directory, absolute. */
export type AcceleratorDirectories = Readonly<Partial<Record<Accelerator, string>>>;

const isLoaded = new Set<Accelerator>();

export type AcceleratorProblem = { readonly backend: Accelerator; readonly reason: string };

/** Where npm has put the Vulkan back end; `undefined`: nowhere. */
export function findVulkanDirectory(): string | undefined {
  const { platform, arch } = process;
  const system = platform === "win32" ? "win" : platform;
  return findPackage(`@node-llama-cpp/${system}-${arch}-vulkan`);
}

/**
 * Load a back end, once.
 *
 * @param directory of its package, with the libraries in it
 * @throws PlatformError `engine_unavailable` when the driver is missing, or it belongs to another ggml
 */
function loadAccelerator(backend: Accelerator, directory: string): void {
  if (isLoaded.has(backend)) return;
  const library = loadGgml();
  const file = libraryOf(backend, directory);
  requireSameGgml(library.directory, directory, backend);
  showSoftwareDevices();
  if (library.registry.ggml_backend_load(file) === null) {
    throw unavailable(backend, whyNotLoaded(file));
  }
  isLoaded.add(backend);
}

/** Load what there is, and say why the others cannot be. */
export function loadAccelerators(directories: AcceleratorDirectories): AcceleratorProblem[] {
  return accelerators.flatMap((backend) => {
    const directory = directories[backend];
    if (directory === undefined) return [];
    try {
      loadAccelerator(backend, directory);
      return [];
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

function libraryOf(backend: Accelerator, directory: string): string {
  const name = (existsSync(directory) ? readdirSync(directory) : []).find((entry) =>
    new RegExp(`^(lib)?ggml-${backend}\\.(so|dll)$`).test(entry),
  );
  if (name !== undefined) return join(directory, name);
  throw unavailable(backend, "its package has no such library");
}

/** A byte that differs may be a structure that differs, and a crash much later. */
function requireSameGgml(ours: string, theirs: string, backend: Accelerator): void {
  const read = (directory: string): Buffer | undefined => {
    const name = readdirSync(directory).find((entry) => /^(lib)?ggml-base\.(so|dll)$/.test(entry));
    return name === undefined ? undefined : readFileSync(join(directory, name));
  };
  const [own, other] = [read(ours), read(theirs)];
  if (own !== undefined && other !== undefined && own.equals(other)) return;
  throw unavailable(backend, "it was built with another ggml than the one that is loaded");
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

/** The system's loader knows which library is missing; a back end that starts all the same found no driver. */
function whyNotLoaded(file: string): string {
  try {
    koffi.load(file, { lazy: true });
    return "there is no driver for it (Debian: mesa-vulkan-drivers, or the one of the card)";
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const [, missing] = /(\S+\.so[.\d]*): cannot open shared object/.exec(said) ?? [];
    return missing === undefined
      ? "the system's loader refuses its library"
      : `${missing} is missing (Debian: libvulkan1)`;
  }
}

function unavailable(backend: Accelerator, reason: string): PlatformError {
  return new PlatformError(
    "engine_unavailable",
    `ggml's back end ${backend} could not be loaded: ${reason.replace(/\.+$/, "")}. Without it the processor computes.`,
  );
}
