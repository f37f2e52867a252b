/**
 * NVIDIA's libraries for the native engine, installed on request: ggml's CUDA back end, from the package
 * whose ggml we carry, and the CUDA runtime and cuBLAS it calls, from NVIDIA's own packages of Python's
 * registry. The driver is the machine's.
 *
 * There are two builds: one for CUDA 13, with code for Ampere to Blackwell of desktops and workstations,
 * and one for CUDA 12, with code for everything before and a form that drivers compile for what came after.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PlatformError } from "../../base/errors.ts";
import { type GraphicsCard, listGraphicsCards } from "../../devices/nvidia-smi.ts";
import type { AcceleratorFiles } from "../../ggml/accelerators.ts";
import type { Obstacle } from "../engine.ts";
import {
  type EnvironmentParts,
  type EnvironmentSpec,
  type EnvironmentVariant,
  findInstalled,
} from "../python/environment.ts";

/** Of the packages `@node-llama-cpp/*` whose ggml is loaded. */
const GGML_PACKAGE_VERSION = "3.21.1";

type Build = EnvironmentVariant & {
  readonly package: string;
  /** Of its archive, as npm writes it. */
  readonly integrity: string;
  /** Of the archive, bytes. */
  readonly packedBytes: number;
  /** The back end, in the archive. */
  readonly file: string;
  /** What it calls, in the order to load it; below Python's packages. */
  readonly libraries: readonly string[];
};

const cuda13: Build = {
  name: `13-ggml-${GGML_PACKAGE_VERSION}`,
  holds: "CUDA 13, for compute capability 8.6, 8.9 and 12, driver 580 or newer",
  lock: "cuda-13.txt",
  downloadBytes: 0.63e9,
  installedBytes: 0.94e9,
  package: "@node-llama-cpp/linux-x64-cuda",
  integrity:
    "sha512-idsE55VoD/FbvLhnBC9krUJaUoC0XnebseAAnCpm/brKf61HEbu+idgbb5eN6mxkjLSrHtILprJ0nDcUJjVrFg==",
  packedBytes: 143e6,
  file: "bins/linux-x64-cuda/libggml-cuda.so",
  libraries: ["libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13"].map((name) =>
    join("nvidia", "cu13", "lib", name),
  ),
};

const cuda12: Build = {
  name: `12-ggml-${GGML_PACKAGE_VERSION}`,
  holds: "CUDA 12, for compute capability 5.0 and above, driver 525 or newer",
  lock: "cuda-12.txt",
  downloadBytes: 0.77e9,
  installedBytes: 1.2e9,
  package: "@node-llama-cpp/linux-x64-cuda-ext",
  integrity:
    "sha512-1PuURowccBcks3CCoMe1mTHh5vD0V5bFHMUEgtbI/OSDjpP+Pdbn+lf42CGUrepTzR8kCH1HovQ7d8q6/vuIKA==",
  packedBytes: 177e6,
  file: "bins/linux-x64-cuda/fallback/libggml-cuda.so",
  libraries: [
    join("nvidia", "cuda_runtime", "lib", "libcudart.so.12"),
    join("nvidia", "cublas", "lib", "libcublasLt.so.12"),
    join("nvidia", "cublas", "lib", "libcublas.so.12"),
  ],
};

const builds: readonly Build[] = [cuda13, cuda12];

/** Compute capabilities that the build for CUDA 13 has code for, and the driver that CUDA 13 begins with. */
const CUDA_13_CAPABILITIES = [8.6, 8.9, 12, 12.1];
const CUDA_13_DRIVER = 580;
const CUDA_12_DRIVER = 525;

/** Builds that run on all of these cards, best first; without a card, the one for current cards first. */
export function buildsFor(cards: readonly GraphicsCard[]): readonly Build[] {
  const takes13 = cards.every(
    ({ computeCapability, driverVersion }) =>
      computeCapability !== undefined &&
      CUDA_13_CAPABILITIES.includes(computeCapability) &&
      Number.parseInt(driverVersion, 10) >= CUDA_13_DRIVER,
  );
  return takes13 ? builds : [cuda12];
}

export const cudaEnvironment: EnvironmentSpec = {
  kind: "cuda",
  title: "CUDA for the native engine",
  pythons: { from: 9, to: 14 },
  variants: async () => {
    requireLinux();
    return buildsFor(await listGraphicsCards());
  },
  imports: ["nvidia"],
  complete: addBackend,
  findLack: async () => whatCardsLack(await listGraphicsCards()),
};

/** @throws PlatformError `engine_unavailable` where there is no such build */
function requireLinux(): void {
  if (process.platform === "linux" && process.arch === "x64") return;
  throw new PlatformError(
    "engine_unavailable",
    `CUDA for the native engine is there for Linux on x64, and this is ${process.platform} on ${process.arch}. NVIDIA's cards work through Vulkan here: see atalaya devices.`,
  );
}

/** Why it will not run here, although it can be installed. */
export function whatCardsLack(cards: readonly GraphicsCard[]): Obstacle | undefined {
  const remedy = "Cards work through Vulkan too: see atalaya devices.";
  if (cards.length === 0) {
    return { reason: "nvidia-smi sees no NVIDIA graphics card on this machine.", remedy };
  }
  const old = cards.find(
    ({ driverVersion }) => Number.parseInt(driverVersion, 10) < CUDA_12_DRIVER,
  );
  if (old === undefined) return undefined;
  return {
    reason: `The driver ${old.driverVersion} of ${old.name} is too old for CUDA 12, which needs ${CUDA_12_DRIVER} or newer.`,
    remedy,
  };
}

/** Beside Python's packages. */
const BACKEND_DIRECTORY = "ggml_cuda";
const BACKEND_FILE = "libggml-cuda.so";

/** The back end's files; `undefined` where it is not installed, or not whole. */
export async function findCuda(): Promise<AcceleratorFiles | undefined> {
  if (process.platform !== "linux" || process.arch !== "x64") return undefined;
  const found = await findInstalled({ ...cudaEnvironment, variants: () => builds });
  if (found === undefined) return undefined;
  const build = builds.find(({ name }) => name === found.variant.name);
  if (build === undefined) return undefined;
  const sitePackages = join(found.directory, found.record.sitePackages);
  const library = join(sitePackages, BACKEND_DIRECTORY, BACKEND_FILE);
  const libraries = build.libraries.map((name) => join(sitePackages, name));
  if (![library, ...libraries].every((file) => existsSync(file))) return undefined;
  return { library, libraries, packageVersion: GGML_PACKAGE_VERSION };
}

/**
 * Fetch the back end's package with npm, which knows the registry and the proxy that people have told it of;
 * compare what came with the hash we know; take the one file.
 */
async function addBackend({
  variant,
  sitePackages,
  python,
  run,
  onProgress,
}: EnvironmentParts): Promise<void> {
  const build = builds.find(({ name }) => name === variant.name);
  if (build === undefined) throw new Error(`there is no build ${variant.name}`);
  const name = `${build.package}@${GGML_PACKAGE_VERSION}`;
  const megabytes = Math.round(build.packedBytes / 1e6);
  onProgress({ stage: `fetching ggml's CUDA back end (${megabytes} MB)`, fraction: undefined });
  const into = join(sitePackages, BACKEND_DIRECTORY);
  await mkdir(into, { recursive: true });
  const packed = await mkdtemp(join(sitePackages, ".fetching-"));
  try {
    const { code, stdout, lastLines } = await run({
      program: findNpm(),
      args: ["pack", "--json", "--loglevel=error", `--pack-destination=${packed}`, name],
      cwd: packed,
      alsoSees: npmVariables,
    });
    if (code !== 0) throw notFetched(name, lastLines.at(-1) ?? "npm could not be started");
    const [listed] = JSON.parse(stdout) as readonly { readonly filename?: string }[];
    // npm names scoped packages with a dash, whatever an older one says.
    const file = join(packed, (listed?.filename ?? "").replace(/^@/, "").replaceAll("/", "-"));
    const digest = createHash("sha512")
      .update(await readFile(file))
      .digest("base64");
    if (`sha512-${digest}` !== build.integrity) {
      throw notFetched(name, "what came has another hash than the package that we know");
    }
    const unpacked = join(packed, "unpacked");
    // Its hash is known, so its names are.
    const tar = await run({ program: python, args: ["-I", "-m", "tarfile", "-e", file, unpacked] });
    if (tar.code !== 0) throw notFetched(name, tar.lastLines.at(-1) ?? "it cannot be unpacked");
    await copyFile(join(unpacked, "package", build.file), join(into, BACKEND_FILE));
  } finally {
    await rm(packed, { recursive: true, force: true });
  }
}

/** What people tell npm by variables: registries, proxies, certificates, a cache. */
const npmVariables =
  /^((npm|NPM)_(config|CONFIG)_.*|https?_proxy|HTTPS?_PROXY|(no|all)_proxy|(NO|ALL)_PROXY|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR))$/;

/** The one that came with this Node, else whatever the PATH has. */
function findNpm(): string {
  const own = join(dirname(process.execPath), "npm");
  return existsSync(own) ? own : "npm";
}

function notFetched(name: string, why: string): PlatformError {
  return new PlatformError(
    "environment_failed",
    `ggml's CUDA back end (${name}) could not be fetched with npm: ${why.slice(0, 300)}. See that this machine reaches its npm registry, and try again.`,
  );
}
