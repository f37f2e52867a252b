/** Engines by name; each is loaded when it is first asked for. */
import { PlatformError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";
import { quantizations } from "../models/mllama/quantization.ts";
import { deviceOptions } from "./device-wish.ts";
import type { EngineKind, EngineLoader, EngineOptions, Obstacle } from "./engine.ts";

/** An engine that this version has. */
export type EngineEntry = {
  readonly kind: EngineKind;
  readonly load: EngineLoader;
  /** Forms of weights that it reads. */
  readonly formats: readonly string[];
  /** What it can make of such weights; `none` leaves them as they are. */
  readonly quantizations: readonly string[];
} & (
  | {
      /** Options of a launch that it knows, as they stand on the wire. */
      readonly options: readonly string[];
    }
  | {
      /** Throws for the first that it does not know, or that has no value for it. */
      readonly checkOptions: (given: EngineOptions) => Promise<void>;
    }
);

export type EngineMatch = {
  /** As people write it: `native`, `Transformers`, `vLLM`. */
  readonly title: string;
  readonly quantizations: readonly string[];
  /** `undefined`: it runs here. */
  readonly obstacle: Obstacle | undefined;
};

type KnownEngine = {
  readonly title: string;
  readonly entry: EngineEntry;
  readonly findObstacle: () => Promise<Obstacle | undefined>;
};

/** Best first: with no engine named, the first that runs here is taken. */
const engines: ReadonlyMap<string, KnownEngine> = new Map([
  [
    "native",
    {
      title: "native",
      entry: {
        kind: "native",
        load: async (...args) =>
          await (await import("./native/native-driver.ts")).loadNativeEngine(...args),
        formats: ["pytorch", "ggufv2"],
        quantizations: ["none", ...quantizations],
        options: [
          "profile",
          "max_model_len",
          "max_num_seqs",
          "kv_cache_dtype",
          "num_threads",
          "imatrix",
          "max_num_batched_tokens",
          ...deviceOptions,
          "picture_cache_memory",
          "picture_cache_disk",
          // It never records graphs, so it is always eager.
          "enforce_eager",
        ],
      },
      findObstacle: async () => await (await import("./native/obstacle.ts")).findObstacle(),
    },
  ],
  [
    "transformers",
    {
      title: "Transformers",
      entry: {
        kind: "transformers",
        load: async (...args) =>
          await (await import("./transformers/transformers-engine.ts")).loadTransformersEngine(
            ...args,
          ),
        formats: ["pytorch"],
        quantizations: ["none", "4-bit", "8-bit"],
        options: [
          "profile",
          "max_model_len",
          "max_num_seqs",
          "num_threads",
          "dtype",
          "device",
          // It never records graphs, so it is always eager.
          "enforce_eager",
        ],
      },
      findObstacle: async () =>
        await (await import("./transformers/transformers-engine.ts")).findObstacle(),
    },
  ],
  [
    "vllm",
    {
      title: "vLLM",
      entry: {
        kind: "vllm",
        load: async (...args) =>
          await (await import("./vllm/vllm-engine.ts")).loadVllmEngine(...args),
        formats: ["pytorch"],
        quantizations: ["none", "fp8", "bitsandbytes"],
        checkOptions: async (given) => (await import("./vllm/options.ts")).checkOptions(given),
      },
      findObstacle: async () => await (await import("./vllm/vllm-engine.ts")).findObstacle(),
    },
  ],
]);

/**
 * @param name in any case; `undefined` takes the best that runs here
 * @throws PlatformError `engine_unavailable` with what would help, or the names there are
 */
export async function findEngine(name: string | undefined): Promise<EngineEntry> {
  if (name === undefined) return await bestEngine();
  const engine = engines.get(name.toLowerCase());
  if (engine === undefined) {
    const names = [...engines.keys()];
    const shown = /^[\w. -]{1,40}$/.test(name) ? `"${name}"` : "of that name";
    throw unavailable(
      `There is no engine ${shown}; there are ${names.join(", ")}.${didYouMean(name, names)}`,
    );
  }
  const obstacle = await engine.findObstacle();
  // One that the launch itself removes stands in the way of those alone who named no engine.
  if (obstacle !== undefined && obstacle.isRemovedByLaunch !== true) throw blocked(obstacle);
  return engine.entry;
}

/** Every engine that is known, and whether it can run a model in this form on this machine. */
export async function matchEngines(format: string): Promise<readonly EngineMatch[]> {
  return await Promise.all(
    [...engines.values()].map(async ({ title, entry, findObstacle }): Promise<EngineMatch> => {
      const quantizations = quantizationsOf(entry, format);
      if (!entry.formats.includes(format)) {
        const reason = `The engine ${title} does not read the format ${format}.`;
        const remedy = `Take the model in one that it reads: ${entry.formats.join(", ")}.`;
        return { title, quantizations, obstacle: { reason, remedy } };
      }
      return { title, quantizations, obstacle: await findObstacle() };
    }),
  );
}

/** The engines of this version that take a form of weights, whatever this machine can do. */
export function enginesOfFormat(format: string): readonly Omit<EngineMatch, "obstacle">[] {
  return [...engines.values()].flatMap(({ title, entry }) =>
    entry.formats.includes(format)
      ? [{ title, quantizations: quantizationsOf(entry, format) }]
      : [],
  );
}

/** A GGUF is what somebody has made of the weights already. */
function quantizationsOf(entry: EngineEntry, format: string): readonly string[] {
  return format === "ggufv2" ? ["none"] : entry.quantizations;
}

async function bestEngine(): Promise<EngineEntry> {
  let first: Obstacle | undefined;
  for (const { entry, findObstacle } of engines.values()) {
    const obstacle = await findObstacle();
    if (obstacle === undefined) return entry;
    first ??= obstacle;
  }
  throw blocked(first);
}

function blocked(obstacle: Obstacle | undefined): PlatformError {
  if (obstacle === undefined) throw new Error("an engine without an obstacle was refused");
  return unavailable(`${obstacle.reason} ${obstacle.remedy}`);
}

function unavailable(message: string): PlatformError {
  return new PlatformError("engine_unavailable", message, { details: { param: "model_engine" } });
}
