/**
 * The replicas of one model: an engine of its own each, in a process of its own, with the same weights.
 * To everybody else they are one engine, which hands each request to one of them.
 *
 * Replicas come and go while the others answer. What happens to one is felt by its own answers alone.
 */
import { availableParallelism } from "node:os";
import { PlatformError } from "../base/errors.ts";
import type {
  Engine,
  EngineKind,
  EngineLoader,
  EngineLoadOptions,
  EngineModelInfo,
  EngineStats,
  LoadProgress,
  WorkerEnd,
} from "../engines/engine.ts";
import type { EngineEvent, EnginePrompt } from "../generation/engine-prompt.ts";
import { chooseReplica } from "./choose-replica.ts";
import { Leases } from "./leases.ts";
import { warmUp } from "./warm-up.ts";

export type ReplicaState = "starting" | "ready" | "failed" | "stopping";

/** How one replica is. */
export type ReplicaRecord = {
  /** From 0; a number that was taken is never given again. */
  readonly id: number;
  /** What its owner calls it. */
  readonly alias: string | undefined;
  readonly state: ReplicaState;
  readonly progress: LoadProgress;
  /** When failed, or ready but unable to answer. */
  readonly error: PlatformError | undefined;
  readonly createdAt: Date;
  readonly numRunning: number;
  /** Once it is ready. */
  readonly engine: Engine | undefined;
};

export type ReplicasWish = {
  readonly uid: string;
  readonly count: number;
  readonly aliases: readonly (string | undefined)[];
  /** Answers at the same time, of each replica; `undefined`: as many as come. */
  readonly requestLimit: number | undefined;
};

export type ReplicasParts = {
  readonly onLog: (replica: number, line: string) => void;
  readonly onUnexpectedEnd: (replica: number, end: WorkerEnd) => void;
  readonly now?: (() => Date) | undefined;
};

type Replica = {
  readonly id: number;
  readonly alias: string | undefined;
  readonly createdAt: Date;
  readonly leases: Leases;
  /** Aborting it ends the loading. */
  readonly loading: AbortController;
  /** Hashes of the pictures that it was asked about, the latest last. */
  readonly pictures: Set<string>;
  lastChosen: number;
  state: ReplicaState;
  progress: LoadProgress;
  engine: Engine | undefined;
  error: PlatformError | undefined;
};

type GenerateOptions = Parameters<Engine["generate"]>[1];

type Loading = {
  readonly load: EngineLoader;
  readonly options: EngineLoadOptions;
  readonly signal: AbortSignal;
};

/** What a replica may still have encoded; see `vision-cache.ts`. */
const maxPicturesRemembered = 256;

export class Replicas implements Engine {
  readonly #wish: ReplicasWish;
  readonly #parts: ReplicasParts;
  readonly #replicas = new Map<number, Replica>();
  #loading: Loading | undefined;
  #model: EngineModelInfo | undefined;
  #kind: EngineKind = "native";
  #nextId = 0;
  #clock = 0;

  constructor(wish: ReplicasWish, parts: ReplicasParts) {
    this.#wish = wish;
    this.#parts = parts;
    for (let index = 0; index < wish.count; index++) this.#claim(wish.aliases[index]);
  }

  /** An engine's loader that loads every replica, and has it make a token: all of them, or none is left. */
  loader(load: EngineLoader): EngineLoader {
    return async (options, { signal, onProgress }) => {
      this.#loading = { load, options: this.#share(options), signal };
      const starting = [...this.#replicas.values()];
      const failed = new AbortController();
      const outcomes = await Promise.allSettled(
        starting.map(async (replica) => {
          await this.#start(replica, {
            signal: AbortSignal.any([signal, failed.signal]),
            onProgress: () => onProgress(this.progress()),
          }).catch((error: unknown) => {
            failed.abort(error);
            throw error;
          });
        }),
      );
      if (outcomes.every(({ status }) => status === "fulfilled")) return this;
      await this.#freeEngines();
      throw failed.signal.reason;
    };
  }

  get kind(): EngineKind {
    return this.#kind;
  }

  get model(): EngineModelInfo {
    if (this.#model === undefined) throw new Error("no replica is loaded yet");
    return this.#model;
  }

  /** In the order they were made. */
  list(): readonly ReplicaRecord[] {
    return [...this.#replicas.values()].map((replica) => {
      const { id, alias, state, progress, createdAt, engine, leases } = replica;
      const error = replica.error ?? engine?.problem();
      return { id, alias, state, progress, error, createdAt, engine, numRunning: leases.numHeld };
    });
  }

  /** Of all of them: the stage that the slowest is in, and the mean of how far they are. */
  progress(): LoadProgress {
    const loading = [...this.#replicas.values()].filter(({ state }) => state === "starting");
    const [first] = loading.toSorted(
      (a, b) => (a.progress.fraction ?? 0) - (b.progress.fraction ?? 0),
    );
    if (first === undefined) return { stage: "ready", fraction: 1 };
    const known = [...this.#replicas.values()].map(({ state, progress }) =>
      state === "starting" ? progress.fraction : 1,
    );
    const sum = known.reduce<number | undefined>(
      (total, one) => (total === undefined || one === undefined ? undefined : total + one),
      0,
    );
    return { stage: first.progress.stage, fraction: sum && sum / known.length };
  }

  /** @throws PlatformError `invalid_request` when there is none of that number */
  require(id: number): void {
    if (!this.#replicas.has(id)) throw this.#noSuchReplica(id);
  }

  /**
   * Start one more, and wait until it is ready.
   *
   * @returns its record
   * @throws PlatformError why it could not be loaded; then it is gone again
   */
  async add(alias?: string): Promise<ReplicaRecord> {
    const loading = this.#loading;
    if (loading === undefined) {
      throw new PlatformError(
        "model_not_ready",
        `The model "${this.#wish.uid}" is still starting.`,
      );
    }
    const replica = this.#claim(alias);
    try {
      await this.#start(replica, { signal: loading.signal, onProgress: () => undefined });
    } catch (error) {
      this.#replicas.delete(replica.id);
      throw error;
    }
    return this.#recordOf(replica.id);
  }

  /**
   * Take one away. Its answers under way may end by themselves for `drainMs`, then they are cut off; new
   * requests go to the others at once.
   *
   * @returns how many are left
   * @throws PlatformError `invalid_request` when there is none of that number
   */
  async remove(id: number, { drainMs }: { readonly drainMs: number }): Promise<number> {
    const replica = this.#replicas.get(id);
    if (replica === undefined || replica.state === "stopping") throw this.#noSuchReplica(id);
    const { state } = replica;
    replica.state = "stopping";
    replica.loading.abort(
      new PlatformError("cancelled", "The replica was removed while starting."),
    );
    if (state === "ready") await replica.leases.drain(drainMs, "The replica was removed");
    await replica.engine?.[Symbol.asyncDispose]();
    this.#replicas.delete(id);
    return this.#replicas.size;
  }

  generate(prompt: EnginePrompt, options: GenerateOptions): AsyncGenerator<EngineEvent, void> {
    return this.#generate(prompt, options);
  }

  /**
   * The same, where `onChosen` is told which replica gets each prompt.
   *
   * Not an event of the answer: nobody but who counts wants to know.
   */
  telling(onChosen: (replica: number) => void): Engine {
    return {
      kind: this.kind,
      model: this.model,
      generate: (prompt, options) => this.#generate(prompt, options, onChosen),
      stats: () => this.stats(),
      problem: () => this.problem(),
      [Symbol.asyncDispose]: () => this[Symbol.asyncDispose](),
    };
  }

  async *#generate(
    prompt: EnginePrompt,
    options: GenerateOptions,
    onChosen?: (replica: number) => void,
  ): AsyncGenerator<EngineEvent, void> {
    const { id, engine, leases } = this.#choose(prompt);
    onChosen?.(id);
    const lease = leases.take();
    const signal = AbortSignal.any([options.signal, lease.signal]);
    try {
      yield* engine.generate(prompt, { ...options, signal });
    } catch (error) {
      throw lease.signal.aborted ? lease.signal.reason : error;
    } finally {
      lease.release();
    }
    // An engine that was told to stop may end quietly; the caller must not take that for an answer.
    lease.signal.throwIfAborted();
  }

  /** Of all of them together. */
  async stats(): Promise<EngineStats> {
    const all = await Promise.all(this.#engines().map((engine) => engine.stats()));
    const sum = (pick: (stats: EngineStats) => number | undefined): number | undefined =>
      all.reduce<number | undefined>((total, stats) => {
        const value = pick(stats);
        return total === undefined || value === undefined ? undefined : total + value;
      }, 0);
    return {
      numRunning: sum((stats) => stats.numRunning) ?? 0,
      numWaiting: sum((stats) => stats.numWaiting) ?? 0,
      kvBlocksUsed: sum((stats) => stats.kvBlocksUsed) ?? 0,
      kvBlocksTotal: sum((stats) => stats.kvBlocksTotal) ?? 0,
      cachedPictures: sum((stats) => stats.cachedPictures) ?? 0,
      residentBytes: sum((stats) => stats.residentBytes) ?? 0,
      weightBytes: sum((stats) => stats.weightBytes),
      kvCacheBytes: sum((stats) => stats.kvCacheBytes),
      pictureBytes: sum((stats) => stats.pictureBytes),
      promptTokens: sum((stats) => stats.promptTokens),
      reusedTokens: sum((stats) => stats.reusedTokens),
    };
  }

  /** Only when every replica has one. */
  problem(): PlatformError | undefined {
    const problems = this.#engines().map((engine) => engine.problem());
    return problems.includes(undefined) ? undefined : problems[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const replica of this.#replicas.values()) {
      replica.loading.abort(new PlatformError("model_not_ready", "The model was terminated."));
    }
    await this.#freeEngines();
  }

  #claim(alias: string | undefined): Replica {
    const id = this.#nextId++;
    const replica: Replica = {
      id,
      alias,
      createdAt: this.#parts.now?.() ?? new Date(),
      leases: new Leases(),
      loading: new AbortController(),
      pictures: new Set(),
      lastChosen: 0,
      state: "starting",
      progress: { stage: "starting", fraction: undefined },
      engine: undefined,
      error: undefined,
    };
    this.#replicas.set(id, replica);
    return replica;
  }

  async #start(
    replica: Replica,
    { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: () => void },
  ): Promise<void> {
    if (this.#loading === undefined) throw new Error("nobody said what to load");
    const { load, options } = this.#loading;
    try {
      const hooks = {
        signal: AbortSignal.any([signal, replica.loading.signal]),
        onProgress: (progress: LoadProgress): void => {
          replica.progress = progress;
          onProgress();
        },
      };
      const engine = await load(options, {
        ...hooks,
        onLog: (line) => this.#parts.onLog(replica.id, line),
        onUnexpectedEnd: (end) => this.#parts.onUnexpectedEnd(replica.id, end),
      });
      replica.engine = engine;
      hooks.signal.throwIfAborted();
      await warmUp(engine, hooks);
      this.#kind = engine.kind;
      this.#model ??= engine.model;
      replica.state = "ready";
    } catch (error) {
      await replica.engine?.[Symbol.asyncDispose]();
      replica.engine = undefined;
      if (replica.state === "starting") replica.state = "failed";
      replica.error = error instanceof PlatformError ? error : undefined;
      throw error;
    }
  }

  /** @throws PlatformError `queue_full` when each has as many answers as it may, or the replicas' own problem */
  #choose({ pictures }: EnginePrompt): {
    readonly id: number;
    readonly engine: Engine;
    readonly leases: Leases;
  } {
    const candidates = [...this.#replicas.values()].flatMap((replica) => {
      const { id, state, engine, leases, lastChosen } = replica;
      if (state !== "ready" || engine === undefined || engine.problem() !== undefined) return [];
      const knowsPictures =
        pictures.length > 0 &&
        pictures.every(({ contentHash }) => replica.pictures.has(contentHash));
      return [{ id, numRunning: leases.numHeld, knowsPictures, lastChosen, replica, engine }];
    });
    const { requestLimit: limit } = this.#wish;
    const free = candidates.filter(({ numRunning }) => limit === undefined || numRunning < limit);
    const chosen = chooseReplica(free);
    if (chosen === undefined) throw this.#noneIsFree(candidates.length > 0);
    const { replica, engine } = chosen;
    replica.lastChosen = ++this.#clock;
    for (const { contentHash } of pictures) remember(replica.pictures, contentHash);
    return { id: replica.id, engine, leases: replica.leases };
  }

  #noneIsFree(isBusy: boolean): PlatformError {
    const { uid, requestLimit } = this.#wish;
    if (isBusy) {
      return new PlatformError(
        "queue_full",
        `Rate limit reached for the model. Request limit ${requestLimit} for the model: ${uid}. Try again later.`,
      );
    }
    return (
      this.problem() ??
      new PlatformError("model_not_ready", `No replica of the model "${uid}" can answer now.`)
    );
  }

  /** Replicas on one machine share its processors, unless their owner says otherwise. */
  #share(options: EngineLoadOptions): EngineLoadOptions {
    const { count } = this.#wish;
    if (count === 1 || options.numThreads !== undefined) return options;
    return { ...options, numThreads: Math.max(1, Math.floor(availableParallelism() / count)) };
  }

  #engines(): Engine[] {
    return [...this.#replicas.values()].flatMap(({ engine }) => engine ?? []);
  }

  #recordOf(id: number): ReplicaRecord {
    const record = this.list().find((one) => one.id === id);
    if (record === undefined) throw this.#noSuchReplica(id);
    return record;
  }

  #noSuchReplica(id: number): PlatformError {
    const ids = [...this.#replicas.keys()].join(", ");
    return new PlatformError(
      "invalid_request",
      `The model "${this.#wish.uid}" has no replica ${id}; it has ${ids}.`,
      { details: { param: "replica_id" } },
    );
  }

  async #freeEngines(): Promise<void> {
    await Promise.all(
      [...this.#replicas.values()].map(async (replica) => {
        const { engine } = replica;
        replica.engine = undefined;
        await engine?.[Symbol.asyncDispose]();
      }),
    );
  }
}

function remember(pictures: Set<string>, hash: string): void {
  pictures.delete(hash);
  pictures.add(hash);
  if (pictures.size <= maxPicturesRemembered) return;
  const [oldest] = pictures;
  if (oldest !== undefined) pictures.delete(oldest);
}
