/** A launch's words → engine, model and memory: everything that can be said before anything starts. */
import { PlatformError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";
import { type HostMemory, hostMemory } from "../devices/host-memory.ts";
import { type GraphicsCard, listGraphicsCards } from "../devices/nvidia-smi.ts";
import { type EngineEntry, enginesOfFormat } from "../engines/catalog.ts";
import type { EngineOptions } from "../engines/engine.ts";
import { defaultStateDtype } from "../engines/memory.ts";
import type { ModelShape } from "../engines/model-shape.ts";
import {
  type CheckpointFacts,
  readCheckpointFacts,
  shapeOfConfig,
} from "../engines/model-shape.ts";
import { placeOnDevices } from "../engines/place-on-devices.ts";
import type { RepoOnHubs } from "../hub/hub.ts";
import type { HubName } from "../hub/settings.ts";
import { selectQuantization } from "../registry/select-spec.ts";
import { toWanted } from "./bring-files.ts";
import { type CardLayout, cardsThatHold, planOnCards } from "./card-plan.ts";
import { type Alternative, type MemoryPlan, type MemoryWish, planMemory } from "./launch-plan.ts";
import { GGUF_FORMAT } from "./local-gguf.ts";
import { planPlaced } from "./placed-plan.ts";
import {
  filesMissing,
  type ModelResources,
  type ModelWish,
  type ResolvedModel,
  resolveModel,
} from "./resolve-model.ts";
import { type SeenFiles, seeFiles } from "./seen-files.ts";
import { withoutCards } from "./without-cards.ts";

export type LaunchWish = ModelWish &
  MemoryWish & {
    /** As typed by a person, in any case; `undefined` takes the best that runs here. */
    readonly engine: string | undefined;
    readonly quantization?: string | undefined;
    /** Further options, which only the engine can know. */
    readonly engineOptions?: EngineOptions;
    /** Whether it is to stay off graphics cards, whatever there are. */
    readonly onlyCpu?: boolean | undefined;
    /** Whether files that are not here may be fetched from a hub; yes when absent. */
    readonly download?: boolean | undefined;
  };

export type LaunchPlan = {
  readonly engine: EngineEntry;
  readonly model: ResolvedModel;
  readonly quantization: string;
  /** `undefined` when neither files nor a published configuration tell. */
  readonly shape: ModelShape | undefined;
  readonly memory: MemoryPlan | undefined;
  /** Graphics cards that would hold it, for engines that use them. */
  readonly cards: readonly CardLayout[];
  /** The files that were looked at; `undefined` when they are still to be fetched. */
  readonly seen: SeenFiles | undefined;
};

/** What a model can be put on. */
export type Devices = {
  readonly host: HostMemory;
  readonly cards: readonly GraphicsCard[];
};

type Parts = ModelResources & {
  readonly findEngine: (name: string | undefined) => Promise<EngineEntry>;
  /** This machine's when absent. */
  readonly readDevices?: () => Promise<Devices>;
};

/**
 * @throws PlatformError whatever speaks against the launch: `model_not_found`, `invalid_request`,
 *   `engine_unavailable`, `unsupported_parameter`, `corrupt_model_file`
 */
export async function planLaunch(given: LaunchWish, parts: Parts): Promise<LaunchPlan> {
  let wish = given;
  const model = await resolveModel(wish, parts);
  const { modelName, format } = model;
  if (wish.quantization !== undefined && isUnset(wish.quantization)) {
    const named = wish.engine?.toLowerCase();
    const engines = enginesOfFormat(format);
    const own = engines.filter(({ title }) => title.toLowerCase() === named);
    const choices = (own.length > 0 ? own : engines).flatMap(({ quantizations }) => quantizations);
    selectQuantization(modelName, wish.quantization, [...new Set(choices)]);
  }
  const engine = await parts.findEngine(wish.engine);
  refuseForeignFormat(engine, format);
  if (given.onlyCpu === true) {
    wish = { ...given, engineOptions: withoutCards(engine, given.engineOptions) };
  }
  await refuseUnknownOptions(engine, optionsIn(wish));
  const seen = model.directory === undefined ? undefined : await seeFiles(model.directory);
  const facts = await factsOfModel(model);
  const choices = quantizationChoices(engine, model, facts);
  const quantization = selectQuantization(modelName, wish.quantization, choices);
  const shape = facts?.shapeAs(model.format === GGUF_FORMAT ? "none" : quantization);
  const smaller = smallerQuantizations(engine, facts, { choices, quantization });
  return await withMemory({ engine, model, quantization, shape, seen }, wish, {
    ...parts,
    smaller,
  });
}

/** Of the same weights, the largest first. Other engines' plans are their own. */
function smallerQuantizations(
  { kind }: EngineEntry,
  facts: ModelFacts | undefined,
  { choices, quantization }: { readonly choices: readonly string[]; readonly quantization: string },
): Alternative[] {
  if (kind !== "native" || facts === undefined) return [];
  return choices.slice(choices.indexOf(quantization) + 1).map((name) => ({
    name: `--quantization ${name}`,
    shape: facts.shapeAs(name),
    isQuantization: true,
  }));
}

type WithoutMemory = Omit<LaunchPlan, "memory" | "cards">;

async function withMemory(
  plan: WithoutMemory,
  wish: LaunchWish,
  {
    readDevices = ownDevices,
    smaller = [],
  }: Pick<Parts, "readDevices"> & { readonly smaller?: readonly Alternative[] },
): Promise<LaunchPlan> {
  const { engine, model, quantization, shape } = plan;
  if (shape === undefined) return { ...plan, memory: undefined, cards: [] };
  const { host, cards } = await readDevices();
  const options = wish.engineOptions ?? {};
  const memory =
    engine.kind === "vllm" && cards.length > 0
      ? planOnCards(shape, cards, {
          ...wish,
          quantization,
          tensorParallel: numberIn(options["tensor_parallel_size"]),
          memoryFraction: numberIn(options["gpu_memory_utilization"]),
        })
      : ((await planOnNativeCards(shape, wish, { engine, host })) ??
        planMemory(shape, {
          wish: { ...wish, maxNumBatchedTokens: numberIn(options["max_num_batched_tokens"]) },
          host,
          alternatives: [...smaller, ...alternativesTo(model)],
        }));
  return { ...plan, memory, cards: cardsThatHold(shape) };
}

/** `undefined` where the model lies on the processor alone, or another engine has it. */
async function planOnNativeCards(
  shape: ModelShape,
  wish: LaunchWish,
  { engine, host }: { readonly engine: EngineEntry; readonly host: HostMemory },
): Promise<MemoryPlan | undefined> {
  if (engine.kind !== "native") return undefined;
  const maxNumBatchedTokens = numberIn(wish.engineOptions?.["max_num_batched_tokens"]);
  const dtype = wish.kvCacheDtype ?? defaultStateDtype(shape);
  const plan = await placeOnDevices(shape, {
    engineOptions: wish.engineOptions,
    dtype,
    maxModelLen: wish.maxModelLen,
    maxNumSeqs: wish.maxNumSeqs,
    maxNumBatchedTokens,
    hostFreeBytes: host.availableBytes,
  });
  return plan && planPlaced(shape, { plan, dtype, host, maxNumBatchedTokens });
}

const numberIn = (value: unknown): number | undefined =>
  typeof value === "number" && value > 0 ? value : undefined;

async function ownDevices(): Promise<Devices> {
  return { host: hostMemory(), cards: await listGraphicsCards() };
}

/**
 * What speaks against a planned launch, before anything is downloaded or started.
 *
 * @returns the directory of its files; `undefined` when they are still to be fetched
 * @throws PlatformError `model_not_found` without files that may be fetched, `out_of_memory` when it
 *   cannot fit
 */
export function checkPlan(
  plan: LaunchPlan,
  { download = true }: Pick<LaunchWish, "download">,
): string | undefined {
  const { model, shape } = plan;
  const canFetch = download && model.sources.length > 0;
  if (model.directory === undefined && !canFetch) throw filesMissing(model, shape?.fileBytes);
  refuseTooLarge(plan);
  return model.directory;
}

function refuseTooLarge({ model, memory }: LaunchPlan): void {
  if (memory?.verdict !== "too-large") return;
  const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1);
  throw new PlatformError(
    "out_of_memory",
    `${model.modelName} with a context of ${memory.contextLength} tokens needs ${gigabytes(memory.totalBytes)} GB${memory.numDevices > 1 ? " of each card" : ""}, and ${gigabytes(memory.availableBytes)} GB ${memory.device === "this machine" ? "are free" : `are to be had of ${memory.device}`}. ${memory.nearest === undefined ? "Free memory, or take a larger machine." : `What would fit: ${memory.nearest}`}`,
  );
}

/** The shape of a checkpoint on a hub, from the heads of its files. @throws PlatformError as `Hub.pull`, `corrupt_model_file` */
export type ReadRemoteShape = (
  wanted: { readonly repo: RepoOnHubs; readonly hub: HubName | undefined },
  signal: AbortSignal,
  quantization: string,
) => Promise<ModelShape>;

/**
 * The plan of a model of which only its hub can tell how large it is; any other stays as it is.
 *
 * @throws PlatformError as `Hub.pull`, and `corrupt_model_file`
 */
export async function planWithHub(
  plan: LaunchPlan,
  wish: LaunchWish,
  {
    readRemoteShape,
    signal,
    ...parts
  }: Pick<Parts, "readDevices"> & {
    readonly readRemoteShape: ReadRemoteShape;
    readonly signal: AbortSignal;
  },
): Promise<LaunchPlan> {
  const { sources } = plan.model;
  if (plan.shape !== undefined || sources.length === 0) return plan;
  const shape = await readRemoteShape(toWanted(sources), signal, plan.quantization);
  return await withMemory({ ...plan, shape }, wish, parts);
}

/**
 * The plan of a model whose files have come.
 *
 * @throws PlatformError as `checkPlan`, and `corrupt_model_file`
 */
export async function planWithFiles(
  plan: LaunchPlan,
  wish: LaunchWish,
  { directory, ...parts }: Pick<Parts, "readDevices"> & { readonly directory: string },
): Promise<LaunchPlan> {
  const model = { ...plan.model, directory, partialCopy: undefined };
  const shape = (await readCheckpointFacts(directory)).shapeAs(plan.quantization);
  const whole = await withMemory({ ...plan, model, shape }, wish, parts);
  refuseTooLarge(whole);
  return whole;
}

const isUnset = (quantization: string): boolean =>
  quantization === "" || quantization.startsWith("$");

/** What of a model decides how much memory it takes, and what can be made of its weights. */
type ModelFacts = Pick<CheckpointFacts, "shapeAs" | "quantization">;

async function factsOfModel({ directory, origin }: ResolvedModel): Promise<ModelFacts | undefined> {
  if (directory !== undefined) return await readCheckpointFacts(directory);
  const config = origin?.spec.config;
  if (config === undefined) return undefined;
  return { shapeAs: (as) => shapeOfConfig(config, as), quantization: "none" };
}

/** A GGUF is taken as it is: its own name for that is as good as none. */
function quantizationChoices(
  engine: EngineEntry,
  { format }: ResolvedModel,
  facts: ModelFacts | undefined,
): readonly string[] {
  if (format !== GGUF_FORMAT) return engine.quantizations;
  const own = facts?.quantization ?? "none";
  return own === "none" ? ["none"] : [own];
}

function refuseForeignFormat({ kind, formats }: EngineEntry, format: string): void {
  if (formats.includes(format)) return;
  throw new PlatformError(
    "engine_unavailable",
    `The engine ${kind} does not read the format ${format}; it reads ${formats.join(", ")}. Launch with --model-engine native, or leave --model-engine out.`,
    { details: { param: "model_engine" } },
  );
}

/** Smaller sizes of the same family, the largest first. */
function alternativesTo({ origin }: ResolvedModel): Alternative[] {
  if (origin === undefined) return [];
  const { family, spec } = origin;
  return family.specs
    .filter(({ size, config }) => size < spec.size && config !== undefined)
    .toSorted((a, b) => b.size - a.size)
    .map(({ size, config }) => ({
      name: `${family.modelName}:${size}b`,
      shape: shapeOfConfig(config),
    }));
}

/** What was asked for and an engine may not have. */
function optionsIn({ engineOptions = {}, kvCacheDtype }: LaunchWish): EngineOptions {
  return { ...engineOptions, ...(kvCacheDtype !== undefined && { kv_cache_dtype: kvCacheDtype }) };
}

async function refuseUnknownOptions(engine: EngineEntry, given: EngineOptions): Promise<void> {
  if ("checkOptions" in engine) {
    await engine.checkOptions(given);
    return;
  }
  const { kind, options } = engine;
  const unknown = Object.keys(given).find((name) => !options.includes(name));
  if (unknown === undefined) return;
  const shown = /^[\w.-]{1,64}$/.test(unknown) ? `"${unknown}"` : "of that name";
  throw new PlatformError(
    "unsupported_parameter",
    `The engine ${kind} has no option ${shown}; it has ${options.join(", ")}.${didYouMean(unknown, options) || " Leave it out."}`,
    { details: { param: unknown } },
  );
}
