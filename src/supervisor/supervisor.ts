/**
 * Owns every model instance: launch, list, terminate.
 *
 * It decides nothing about a request; `router.ts` takes a lease on a ready instance for as long as
 * one answer lasts, and no instance is freed under a lease.
 */
import { PlatformError } from "../base/errors.ts";
import { type ModelUid, modelUid } from "../base/ids.ts";
import type { Logger } from "../base/logger.ts";
import type { EngineEntry } from "../engines/catalog.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import { bringFiles, type FetchFiles } from "./bring-files.ts";
import { withPlannedCards } from "./card-options.ts";
import { type FileDownload, FileDownloads } from "./file-downloads.ts";
import type { LoadedModel, ModelInstance, ReadyInstance } from "./instance.ts";
import {
  checkPlan,
  type Devices,
  type LaunchPlan,
  type LaunchWish,
  planLaunch,
  planWithFiles,
  planWithHub,
  type ReadRemoteShape,
} from "./launch.ts";
import { type LaunchEvent, LaunchLog, type LaunchStage } from "./launch-log.ts";
import type { LaunchOptions } from "./launch-options.ts";
import { Leases } from "./leases.ts";
import { loadModel } from "./load-model.ts";
import { type MatchWish, type ModelMatch, matchModel } from "./match-model.ts";
import type { EndReason, ModelChange, ModelListener } from "./model-change.ts";
import { findByName } from "./model-names.ts";
import { noSuchModel } from "./no-such-model.ts";
import { type ReplicaRecord, Replicas } from "./replicas.ts";
import type { ModelResources } from "./resolve-model.ts";
import { checkUnchanged, type SeenFiles } from "./seen-files.ts";
import { withoutCards } from "./without-cards.ts";

export type { LaunchOptions } from "./launch-options.ts";

export type SupervisorParts = ModelResources & {
  /** @throws PlatformError `engine_unavailable` */
  readonly findEngine: (name: string | undefined) => Promise<EngineEntry>;
  readonly openPipeline: (directory: string) => Promise<Pipeline>;
  /** Looks at a checkpoint on its hub; without it nothing is known of what was not downloaded. */
  readonly readRemoteShape?: ReadRemoteShape;
  /** What a model can be put on; this machine's when absent. */
  readonly readDevices?: () => Promise<Devices>;
  /** Downloads; without it only what is on this machine can be launched. */
  readonly fetchFiles?: FetchFiles;
  /**
   * Compares files with their checksums where that was not done before; without it they are taken as they are.
   *
   * @throws PlatformError `checksum_mismatch`, `cache_unusable`
   */
  readonly verifyFiles?: VerifyFiles;
  readonly log: Logger;
  /** Where engines keep what they derive from models; absent: they may not. */
  readonly cacheDirectory?: string | undefined;
  readonly now?: () => Date;
};

type VerifyFiles = (
  directory: string,
  hooks: {
    readonly signal: AbortSignal;
    readonly onProgress: (progress: Pick<LaunchStage, "totalBytes"> & { fraction: number }) => void;
  },
) => Promise<void>;

/** A running answer: while it is held, the model stays. */
export interface Lease extends Disposable {
  readonly instance: ReadyInstance;
  /** Aborts when the model must go and cannot wait any longer. */
  readonly signal: AbortSignal;
}

type Slot = {
  instance: ModelInstance;
  readonly replicas: Replicas;
  options: LaunchOptions;
  readonly leases: Leases;
  /** Aborting it ends the loading. */
  readonly loading: AbortController;
  /** How the launch goes, for whoever watches. */
  readonly events: LaunchLog;
  /** Of its files, while they come and after. */
  readonly downloads: FileDownloads;
  /** Settles when loading has ended, well or not; never rejects. */
  settled: Promise<void>;
  /** Present once the model is on its way out. */
  gone?: Promise<number>;
};

/** Running answers get this long to end by themselves when their model must go. */
export const defaultDrainMs = 30_000;

export class Supervisor implements AsyncDisposable {
  readonly #slots = new Map<ModelUid, Slot>();
  readonly #aliases = new Map<string, string>();
  readonly #listeners = new Set<ModelListener>();
  readonly #parts: SupervisorParts;
  #isClosing = false;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
  }

  /** Be told what happens to models from now on. */
  subscribe(listener: ModelListener): void {
    this.#listeners.add(listener);
  }

  /**
   * What a launch would do; nothing is started.
   *
   * @throws PlatformError whatever speaks against it, files that are not here aside
   */
  async plan(wish: LaunchWish): Promise<LaunchPlan> {
    return await planLaunch(wish, this.#parts);
  }

  /**
   * As `plan`; what neither this machine nor the registry knows of the model, its hub is asked.
   *
   * @throws PlatformError as `plan` and as `Hub.pull`
   */
  async planWithHub(wish: LaunchWish, signal: AbortSignal): Promise<LaunchPlan> {
    return await this.#askHub(await this.plan(wish), wish, signal);
  }

  async #askHub(plan: LaunchPlan, wish: LaunchWish, signal: AbortSignal): Promise<LaunchPlan> {
    const { readRemoteShape, readDevices } = this.#parts;
    if (readRemoteShape === undefined) return plan;
    const devices = readDevices === undefined ? {} : { readDevices };
    return await planWithHub(plan, wish, { readRemoteShape, signal, ...devices });
  }

  /** @throws PlatformError `model_not_found`, `invalid_request`, `engine_unavailable` */
  async matchModel(wish: MatchWish): Promise<readonly ModelMatch[]> {
    return await matchModel(this.#parts.registry, wish);
  }

  /**
   * Start loading a model; `whenSettled` tells how it went.
   *
   * @throws PlatformError `model_not_found`, `model_already_launched`, `engine_unavailable`,
   *   `out_of_memory`, `invalid_request`
   */
  async launch(options: LaunchOptions): Promise<ModelInstance> {
    this.#refuseWhenClosing();
    const plan = await this.plan(options);
    const mayDownload = options.download !== false && this.#parts.fetchFiles !== undefined;
    const directory = checkPlan(plan, { download: mayDownload });
    const { kind } = plan.engine;
    const { modelName, size, format, origin, source } = plan.model;
    // A launch may have begun to close meanwhile.
    this.#refuseWhenClosing();
    const uid = this.#claimUid(options.uid, modelName);
    const replicas = this.#replicasFor(uid, options);
    const slot: Slot = {
      instance: {
        uid,
        modelName,
        size,
        directory,
        source,
        engineKind: kind,
        engineName: options.engine ?? kind,
        format,
        quantization: plan.quantization,
        origin,
        profile: options.profile,
        launchedAt: this.#parts.now?.() ?? new Date(),
        replicas,
        state: "starting",
        progress: { stage: "starting", fraction: undefined },
      },
      replicas,
      options,
      leases: new Leases(),
      loading: new AbortController(),
      events: new LaunchLog(),
      downloads: new FileDownloads(),
      settled: Promise.resolve(),
    };
    this.#slots.set(uid, slot);
    const told = this.#tell({ type: "model-launched", uid, instance: slot.instance, options });
    slot.settled = told.then(async () => await this.#load(slot, plan));
    await told;
    return slot.instance;
  }

  /**
   * What happens in a launch, from its beginning until it has settled or `signal` aborts.
   *
   * @throws PlatformError `model_not_found`
   */
  followLaunch(uid: string, signal: AbortSignal): AsyncIterable<LaunchEvent> {
    return this.#slotOf(uid).events.follow(signal);
  }

  /** How far each file is that a launch had to fetch; none when all were here, or there was no such launch. */
  downloadsOf(uid: string): readonly FileDownload[] {
    return this.#slots.get(modelUid(uid))?.downloads.list() ?? [];
  }

  /** Wait until a launched model is ready or has failed. */
  async whenSettled(uid: string): Promise<ModelInstance> {
    const slot = this.#slotOf(uid);
    await slot.settled;
    return slot.instance;
  }

  /** In the order of their launch. */
  list(): readonly ModelInstance[] {
    return [...this.#slots.values()].map(({ instance }) => instance);
  }

  /**
   * @param name the uid, an alias, or another name that clients know the model by
   * @throws PlatformError `model_not_found`
   */
  get(name: string): ModelInstance {
    return this.#slotNamed(name).instance;
  }

  /**
   * As `get`, for a model that can be asked.
   *
   * @throws PlatformError `model_not_found`, `model_not_ready`, or why it could not be loaded
   */
  getReady(name: string): ReadyInstance {
    const { instance } = this.#slotNamed(name);
    if (instance.state !== "ready") throw notReady(instance);
    return instance;
  }

  /** As `get`, for whoever can do without. */
  find(name: string): ModelInstance | undefined {
    return findByName(this.nameBehind(name), this.list());
  }

  /** The uid that an alias stands for, whether it runs or not; another name as it is. */
  nameBehind(name: string): string {
    return this.#aliases.get(name.replace(/:latest$/, "")) ?? name;
  }

  /** @throws PlatformError `model_not_found` */
  launchOptionsOf(uid: string): LaunchOptions {
    return this.#slotOf(uid).options;
  }

  /**
   * Whether nobody is waiting for an answer of this model.
   *
   * @throws PlatformError `model_not_found`
   */
  isIdle(uid: string): boolean {
    return this.#slotOf(uid).leases.numHeld === 0;
  }

  /**
   * Start one more replica of a model that answers, and wait until it does too.
   *
   * @throws PlatformError `model_not_found`, `model_not_ready`, `out_of_memory`, and why it could not load
   */
  async addReplica(uid: string, alias?: string): Promise<ReplicaRecord> {
    this.#refuseWhenClosing();
    const slot = this.#slotOf(uid);
    if (slot.instance.state !== "ready") throw notReady(slot.instance);
    checkPlan(await this.plan({ ...slot.options, replicas: 1 }), { download: false });
    const added = await slot.replicas.add(alias);
    await this.#tellReplicas(slot, { replica: added.id, what: "added" });
    return added;
  }

  /**
   * Free one replica; its answers under way may end by themselves for `drainMs`. Without its last one a
   * model is terminated.
   *
   * @returns how many are left
   * @throws PlatformError `model_not_found`, `invalid_request`
   */
  async removeReplica(uid: string, id: number, { drainMs = defaultDrainMs } = {}): Promise<number> {
    const slot = this.#slotOf(uid);
    const { replicas } = slot;
    const others = replicas.list().filter((one) => one.id !== id && one.state !== "stopping");
    if (others.length > 0) {
      const numLeft = await replicas.remove(id, { drainMs });
      await this.#tellReplicas(slot, { replica: id, what: "removed" });
      return numLeft;
    }
    replicas.require(id);
    await this.terminate(uid, { drainMs });
    return 0;
  }

  /** Let a model answer to one more name, until that is taken back or the server ends. */
  addAlias(alias: string, uid: string): void {
    this.#aliases.set(alias, uid);
  }

  /** @returns whether there was such an alias */
  removeAlias(alias: string): boolean {
    return this.#aliases.delete(alias);
  }

  /** Alias → uid. */
  aliases(): ReadonlyMap<string, string> {
    return this.#aliases;
  }

  /** @throws PlatformError `model_not_found`, `model_not_ready`, or the engine's own problem */
  lease(uid: string): Lease {
    this.#refuseWhenClosing();
    const { leases } = this.#slotNamed(uid);
    const instance = this.getReady(uid);
    const problem = instance.engine.problem();
    if (problem !== undefined) throw problem;
    const { signal, release } = leases.take();
    return {
      instance,
      signal,
      [Symbol.dispose]: () => {
        release();
        void this.#tell({ type: "model-answered", uid: instance.uid });
      },
    };
  }

  /**
   * Free a model. Answers under way may end by themselves for `drainMs`, then they are cut off.
   *
   * @throws PlatformError `model_not_found`
   */
  async terminate(
    uid: string,
    options: { readonly drainMs?: number; readonly reason?: EndReason } = {},
  ): Promise<void> {
    await this.#terminate(this.#slotOf(uid), options);
  }

  /**
   * Give up a launch that is under way; its record stays, as one that failed.
   *
   * @throws PlatformError `model_not_found`; `invalid_request` when it has ended already
   */
  async cancel(uid: string): Promise<void> {
    const slot = this.#slotOf(uid);
    if (slot.instance.state !== "starting") {
      throw new PlatformError(
        "invalid_request",
        `The launch of "${uid}" has ended already; it is ${slot.instance.state}. Terminate it instead.`,
        { details: { param: "model_uid" } },
      );
    }
    slot.loading.abort(new PlatformError("cancelled", "Launch cancelled"));
    await slot.settled;
  }

  /**
   * Refuse new work and free every model.
   *
   * @returns how many answers were cut off
   */
  async close({ drainMs = defaultDrainMs } = {}): Promise<number> {
    this.#isClosing = true;
    const ends = [...this.#slots.values()].map((slot) =>
      this.#terminate(slot, { drainMs, reason: "closing" }),
    );
    return (await Promise.all(ends)).reduce((sum, numCut) => sum + numCut, 0);
  }

  async #terminate(
    slot: Slot,
    {
      drainMs = defaultDrainMs,
      reason = "asked",
    }: { readonly drainMs?: number; readonly reason?: EndReason },
  ): Promise<number> {
    slot.gone ??= this.#end(slot, { drainMs, reason });
    return await slot.gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close({ drainMs: 0 });
  }

  async #load(slot: Slot, plan: LaunchPlan): Promise<void> {
    const { uid } = slot.instance;
    const { profile, maxNumSeqs, kvCacheDtype, numThreads } = slot.options;
    const { quantization } = plan;
    const { log, openPipeline } = this.#parts;
    const startedAt = performance.now();
    try {
      const directory = plan.model.directory ?? (await this.#bringFiles(slot, plan));
      const { signal } = slot.loading;
      await this.#parts.verifyFiles?.(directory, {
        signal,
        onProgress: (progress) =>
          showProgress(slot, { type: "stage", stage: "verifying the files", ...progress }),
      });
      signal.throwIfAborted();
      const loaded = await loadModel(
        { load: slot.replicas.loader(plan.engine.load), openPipeline },
        {
          directory,
          profile,
          maxNumSeqs,
          kvCacheDtype,
          numThreads,
          quantization,
          cacheDirectory: this.#parts.cacheDirectory,
          ...withPlannedCards(plan, slot.options),
          ...(slot.options.onlyCpu === true && {
            engineOptions: withoutCards(plan.engine, slot.options.engineOptions),
          }),
        },
        {
          signal,
          onProgress: (progress) => showProgress(slot, { type: "stage", ...progress }),
          onLog: (line) => log.info({ modelUid: uid, line }, "worker-log"),
          onUnexpectedEnd: (end) =>
            log.warn({ modelUid: uid, ...end }, "worker ended unexpectedly"),
        },
      );
      if (plan.seen !== undefined) await checkSeen(directory, plan.seen, loaded);
      const loadMs = Math.round(performance.now() - startedAt);
      slot.instance = { ...slot.instance, ...loaded, loadMs, state: "ready" };
      log.info({ modelUid: uid, loadMs }, "model-loaded");
      await this.#tell({ type: "model-loaded", uid, loadMs });
    } catch (thrown) {
      const error = this.#shown(thrown);
      slot.instance = { ...slot.instance, state: "failed", error };
      await this.#tell({ type: "model-failed", uid, error });
    } finally {
      slot.events.end();
    }
  }

  async #bringFiles(slot: Slot, plan: LaunchPlan): Promise<string> {
    const { fetchFiles } = this.#parts;
    if (fetchFiles === undefined) throw new Error("a launch without files was let through");
    const { signal } = slot.loading;
    const onEvent = (event: LaunchEvent): void => showProgress(slot, event);
    onEvent({ type: "stage", stage: "finding the files", fraction: undefined });
    checkPlan(await this.#askHub(plan, slot.options, signal), {});
    const directory = await bringFiles(plan.model, {
      fetchFiles,
      downloads: slot.downloads,
      signal,
      onEvent,
    });
    signal.throwIfAborted();
    await planWithFiles(plan, slot.options, { ...this.#parts, directory });
    slot.instance = { ...slot.instance, directory };
    return directory;
  }

  async #end(
    slot: Slot,
    { drainMs, reason }: { readonly drainMs: number; readonly reason: EndReason },
  ): Promise<number> {
    slot.loading.abort(new PlatformError("cancelled", "The model was terminated while starting."));
    await slot.settled;
    const { instance } = slot;
    let numCut = 0;
    if (instance.state === "ready") {
      slot.instance = { ...instance, state: "stopping" };
      numCut = await slot.leases.drain(drainMs);
      await instance.engine[Symbol.asyncDispose]();
      await instance.pipeline[Symbol.asyncDispose]();
    }
    if (this.#slots.get(instance.uid) === slot) this.#slots.delete(instance.uid);
    this.#parts.log.info({ modelUid: instance.uid, reason, numCut }, "model-terminated");
    await this.#tell({ type: "model-terminated", uid: instance.uid, reason, numCut });
    return numCut;
  }

  /** The next launch of this model has as many. */
  async #tellReplicas(
    slot: Slot,
    how: { readonly replica: number; readonly what: "added" | "removed" },
  ): Promise<void> {
    const records = slot.replicas.list().filter(({ state }) => state !== "stopping");
    slot.options = {
      ...slot.options,
      replicas: records.length,
      replicaAliases: records.map(({ alias }) => alias),
    };
    const { uid } = slot.instance;
    await this.#tell({ type: "replicas-changed", uid, ...how, options: slot.options });
  }

  async #tell(change: ModelChange): Promise<void> {
    await Promise.all([...this.#listeners].map(async (listener) => await listener(change)));
  }

  #replicasFor(uid: ModelUid, options: LaunchOptions): Replicas {
    const { log, now } = this.#parts;
    return new Replicas(
      {
        uid,
        count: options.replicas ?? 1,
        aliases: options.replicaAliases ?? [],
        requestLimit: options.requestLimit,
      },
      {
        onLog: (replica, line) => log.info({ modelUid: uid, replica, line }, "worker-log"),
        onUnexpectedEnd: (replica, end) => {
          log.warn({ modelUid: uid, replica, ...end }, "worker ended unexpectedly");
          void this.#tell({ type: "worker-ended", uid, replica, end });
        },
        now,
      },
    );
  }

  #slotNamed(name: string): Slot {
    return this.#slotOf(this.find(name)?.uid ?? name);
  }

  #slotOf(uid: string): Slot {
    const slot = this.#slots.get(modelUid(uid));
    if (slot === undefined) {
      throw noSuchModel(
        uid,
        this.list().map((instance) => instance.uid),
      );
    }
    return slot;
  }

  /** A failed instance gives its name back to the next launch. */
  #claimUid(wanted: string | undefined, modelName: string): ModelUid {
    const isFree = (uid: string): boolean => {
      const state = this.#slots.get(modelUid(uid))?.instance.state;
      return state === undefined || state === "failed";
    };
    if (wanted !== undefined) {
      if (isFree(wanted)) return modelUid(wanted);
      throw new PlatformError(
        "model_already_launched",
        `A model is already running as "${wanted}". Terminate it, or launch this one with another --model-uid.`,
        { details: { param: "model_uid" } },
      );
    }
    const name = modelName.replace(/[/?#\s\p{Cc}]+/gu, "-").slice(0, 90);
    for (let copy = 1; ; copy++) {
      const uid = copy === 1 ? name : `${name}-${copy}`;
      if (isFree(uid)) return modelUid(uid);
    }
  }

  #refuseWhenClosing(): void {
    if (this.#isClosing) {
      throw new PlatformError("model_not_ready", "The server is shutting down.");
    }
  }

  #shown(error: unknown): PlatformError {
    if (error instanceof PlatformError) return error;
    this.#parts.log.error({ err: error }, "bug");
    return new PlatformError("internal", "Loading failed inside the server; its log says more.", {
      cause: error,
    });
  }
}

/** @throws PlatformError `corrupt_model_file` when other files were loaded than were checked; nothing of them is kept */
async function checkSeen(directory: string, seen: SeenFiles, loaded: LoadedModel): Promise<void> {
  try {
    await checkUnchanged(directory, seen);
  } catch (error) {
    await loaded.engine[Symbol.asyncDispose]();
    await loaded.pipeline[Symbol.asyncDispose]();
    throw error;
  }
}

function showProgress(slot: Slot, event: LaunchEvent): void {
  slot.events.add(event);
  if (event.type !== "stage" || slot.instance.state !== "starting") return;
  const { stage, fraction } = event;
  slot.instance = { ...slot.instance, progress: { stage, fraction } };
}

function notReady(instance: Exclude<ModelInstance, { state: "ready" }>): PlatformError {
  switch (instance.state) {
    case "starting":
      return new PlatformError(
        "model_not_ready",
        `The model "${instance.uid}" is still starting (${instance.progress.stage}). Try again in a moment.`,
      );
    case "stopping":
      return new PlatformError(
        "model_not_ready",
        `The model "${instance.uid}" is being terminated.`,
      );
    case "failed":
      return new PlatformError(
        instance.error.code,
        `The model "${instance.uid}" could not be loaded: ${instance.error.message}`,
      );
    default:
      return instance satisfies never;
  }
}
