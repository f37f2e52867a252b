/** A launch's words → engine, model and memory: everything that can be said before anything starts. */
import { freemem, totalmem } from "node:os";
import { PlatformError } from "../base/errors.ts";
import { didYouMean } from "../base/nearest.ts";
import { type EngineEntry, enginesOfFormat } from "../engines/catalog.ts";
import type { EngineOptions } from "../engines/engine.ts";
import type { ModelShape } from "../engines/model-shape.ts";
import { readCheckpointFacts, shapeOfConfig } from "../engines/model-shape.ts";
import { selectQuantization } from "../registry/select-spec.ts";
import {
  type Alternative,
  type CardLayout,
  cardsThatHold,
  type HostMemory,
  type MemoryPlan,
  type MemoryWish,
  planMemory,
} from "./launch-plan.ts";
import {
  filesMissing,
  type ModelResources,
  type ModelWish,
  type ResolvedModel,
  resolveModel,
} from "./resolve-model.ts";

export type LaunchWish = ModelWish &
  MemoryWish & {
    /** As typed by a person, in any case; `undefined` takes the best that runs here. */
    readonly engine: string | undefined;
    readonly quantization?: string | undefined;
    /** Further options, which only the engine can know. */
    readonly engineOptions?: EngineOptions;
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
};

type Parts = ModelResources & {
  readonly findEngine: (name: string | undefined) => Promise<EngineEntry>;
};

/**
 * @throws PlatformError whatever speaks against the launch: `model_not_found`, `invalid_request`,
 *   `engine_unavailable`, `unsupported_parameter`, `corrupt_model_file`
 */
export async function planLaunch(wish: LaunchWish, parts: Parts): Promise<LaunchPlan> {
  const model = await resolveModel(wish, parts);
  const { modelName, format } = model;
  if (wish.quantization !== undefined && isUnset(wish.quantization)) {
    const choices = enginesOfFormat(format).flatMap(({ quantizations }) => quantizations);
    selectQuantization(modelName, wish.quantization, [...new Set(choices)]);
  }
  const engine = await parts.findEngine(wish.engine);
  refuseUnknownOptions(engine, namesOfOptions(wish));
  const quantization = selectQuantization(modelName, wish.quantization, engine.quantizations);
  const shape = await shapeOfModel(model);
  const host = hostMemory();
  const memory =
    shape === undefined
      ? undefined
      : planMemory(shape, { wish, host, alternatives: alternativesTo(model) });
  const cards = shape === undefined ? [] : cardsThatHold(shape);
  return { engine, model, quantization, shape, memory, cards };
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
    `${model.modelName} with a context of ${memory.contextLength} tokens needs ${gigabytes(memory.totalBytes)} GB, and ${gigabytes(memory.availableBytes)} GB are free. ${memory.nearest === undefined ? "Free memory, or take a larger machine." : `What would fit: ${memory.nearest}`}`,
  );
}

/**
 * The plan of a model whose files have come.
 *
 * @throws PlatformError as `checkPlan`, and `corrupt_model_file`
 */
export async function planWithFiles(
  plan: LaunchPlan,
  wish: MemoryWish,
  directory: string,
): Promise<LaunchPlan> {
  const model = { ...plan.model, directory, partialCopy: undefined };
  const { shape } = await readCheckpointFacts(directory);
  const alternatives = alternativesTo(model);
  const memory = planMemory(shape, { wish, host: hostMemory(), alternatives });
  const whole = { ...plan, model, shape, memory, cards: cardsThatHold(shape) };
  refuseTooLarge(whole);
  return whole;
}

/** What a program could get now, and what the machine has. */
function hostMemory(): HostMemory {
  return { totalBytes: totalmem(), availableBytes: freemem() };
}

const isUnset = (quantization: string): boolean =>
  quantization === "" || quantization.startsWith("$");

async function shapeOfModel({ directory, origin }: ResolvedModel): Promise<ModelShape | undefined> {
  if (directory !== undefined) return (await readCheckpointFacts(directory)).shape;
  const config = origin?.spec.config;
  return config === undefined ? undefined : shapeOfConfig(config);
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

/** Of what was asked for and an engine may not have. */
function namesOfOptions({ engineOptions = {}, kvCacheDtype }: LaunchWish): readonly string[] {
  return [...Object.keys(engineOptions), ...(kvCacheDtype === undefined ? [] : ["kv_cache_dtype"])];
}

function refuseUnknownOptions({ kind, options }: EngineEntry, given: readonly string[]): void {
  const unknown = given.find((name) => !options.includes(name));
  if (unknown === undefined) return;
  const shown = /^[\w.-]{1,64}$/.test(unknown) ? `"${unknown}"` : "of that name";
  throw new PlatformError(
    "unsupported_parameter",
    `The engine ${kind} has no option ${shown}; it has ${options.join(", ")}.${didYouMean(unknown, options) || " Leave it out."}`,
    { details: { param: unknown } },
  );
}
