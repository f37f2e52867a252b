/** What a launch would do on this machine, and how much memory it would take; nothing is started. */
import type { LaunchRequest } from "@atalaya/protocol";
import { createLogger } from "../base/logger.ts";
import type { Settings } from "../config/settings.ts";
import { checkPlan, type LaunchPlan, Platform } from "../platform.ts";
import type { LaunchFlags } from "./launch-request.ts";
import { engineOptionsOf } from "./options.ts";
import { renderMemory } from "./render/memory.ts";
import { renderPlan } from "./render/plan.ts";
import { listenForInterrupt } from "./signals.ts";
import type { ExtraOptions } from "./xinference-options.ts";

export type PlanContext = {
  readonly flags: LaunchFlags;
  readonly settings: Settings;
  readonly extra: ExtraOptions;
};

/** @throws PlatformError whatever speaks against the launch, files that are not here aside */
export async function planLocally(
  body: LaunchRequest,
  { flags, settings, extra }: PlanContext,
  options: { readonly mayAskHub?: AbortSignal } = {},
): Promise<LaunchPlan> {
  await using platform = new Platform({ log: createLogger("silent"), settings });
  const { supervisor } = platform;
  const { model_path: path, model_name: name } = body;
  const wish = {
    model: path ?? name ?? "",
    familyName: path == null ? undefined : (name ?? undefined),
    size: flags.sizeInBillions,
    format: flags.modelFormat,
    quantization: body.quantization ?? undefined,
    engine: flags.modelEngine,
    engineOptions: { ...extra, ...engineOptionsOf(flags) },
    replicas: flags.replica === undefined ? undefined : Number(flags.replica),
    maxModelLen: flags.maxModelLen,
    maxNumSeqs: flags.maxNumSeqs,
    kvCacheDtype: flags.kvCacheDtype,
    onlyCpu: body.n_gpu === null,
    download: flags.download,
    hub: flags.hub === "auto" ? undefined : flags.hub,
    revision: flags.revision,
  };
  const signal = options.mayAskHub;
  const isAllowed = signal !== undefined && flags.download !== false;
  return isAllowed ? await supervisor.planWithHub(wish, signal) : await supervisor.plan(wish);
}

/**
 * Print what `--dry-run` and `--estimate` ask for.
 *
 * @throws PlatformError as `planLocally`; for `--dry-run` also what keeps it from being launched
 */
export async function showPlan(
  body: LaunchRequest,
  context: PlanContext,
  stdout: NodeJS.WritableStream,
): Promise<void> {
  const { flags } = context;
  using interrupt = listenForInterrupt();
  const plan = await planLocally(body, context, { mayAskHub: interrupt.signal });
  if (flags.dryRun === true) {
    const isChosen = flags.modelEngine === undefined;
    stdout.write(renderPlan(plan, { uid: flags.modelUid, isEngineChosen: isChosen }));
  }
  if (flags.dryRun === true && flags.estimate === true) stdout.write("\n");
  if (flags.estimate === true) stdout.write(renderMemory(plan));
  if (flags.dryRun === true) checkPlan(plan, flags);
}
