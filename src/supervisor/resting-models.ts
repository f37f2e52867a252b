/**
 * Models that were freed because nobody asked them anything, and come back when somebody does.
 *
 * Clients of other servers expect that: they send `keep_alive` with a question and name the model again
 * the next day. Only models that ran here can rest; what was terminated is gone.
 */
import type { ModelInstance } from "./instance.ts";
import { findByName } from "./model-names.ts";
import type { LaunchOptions, Supervisor } from "./supervisor.ts";

export type RestingModel = {
  readonly uid: string;
  readonly modelName: string;
  readonly directory: string;
  readonly options: LaunchOptions;
};

/** On its way to rest: still running at first, then gone, and at rest in the end. */
type FallingModel = { readonly model: RestingModel; readonly done: Promise<void> };

type RestTimer = { readonly timer: NodeJS.Timeout; readonly idleMs: number; readonly at: Date };

/** A timer cannot be longer. */
const longestTimerMs = 2 ** 31 - 1;

export class RestingModels implements Disposable {
  readonly #supervisor: Supervisor;
  readonly #resting = new Map<string, RestingModel>();
  readonly #falling = new Map<string, FallingModel>();
  readonly #waking = new Map<string, Promise<void>>();
  readonly #timers = new Map<string, RestTimer>();

  readonly #idleMs: number | undefined;

  /** @param options.idleMs after so long without a question any model is freed; never when absent */
  constructor(supervisor: Supervisor, { idleMs }: { readonly idleMs?: number | undefined } = {}) {
    this.#supervisor = supervisor;
    this.#idleMs = idleMs;
    supervisor.subscribe(({ type, uid }) => {
      if (type === "model-loaded" && this.#idleMs !== undefined) this.restAfter(uid, this.#idleMs);
      if (type === "model-answered") this.askedAgain(uid);
    });
  }

  /** A model that rested when an earlier server ended. */
  restore(model: RestingModel): void {
    this.#resting.set(model.uid, model);
  }

  /** @returns whether one of that uid rested, and does not come back any more */
  forget(uid: string): boolean {
    return this.#resting.delete(uid);
  }

  /** Those that would come back, in the order they fell asleep. */
  list(): readonly RestingModel[] {
    for (const uid of this.#resting.keys()) {
      // Launched again by somebody else.
      if (this.#isRunning(uid)) this.#resting.delete(uid);
    }
    const falling = [...this.#falling.values()]
      .map(({ model }) => model)
      .filter(({ uid }) => !this.#resting.has(uid) && this.#running(uid) === undefined);
    return [...this.#resting.values(), ...falling];
  }

  /** @param name as for a running model */
  find(name: string): RestingModel | undefined {
    return findByName(this.#supervisor.nameBehind(name), this.list());
  }

  /**
   * If a resting model has this name, load it and wait until it is ready.
   *
   * @throws PlatformError why it cannot be loaded
   */
  async wake(name: string): Promise<void> {
    const running = this.#supervisor.find(name);
    // One that falls asleep is not found any more shortly before it rests.
    const falling = this.#falling.get(running?.uid ?? this.find(name)?.uid ?? "");
    if (falling !== undefined) await falling.done;
    else if (running !== undefined) return;
    const model = this.find(name);
    if (model === undefined) return;
    let waking = this.#waking.get(model.uid);
    if (waking === undefined) {
      waking = this.#load(model).finally(() => this.#waking.delete(model.uid));
      this.#waking.set(model.uid, waking);
    }
    await waking;
  }

  /**
   * Free a running model now, once its answers have ended; it comes back when it is asked for.
   *
   * @throws PlatformError `model_not_found`
   */
  async rest(uid: string): Promise<void> {
    let falling = this.#falling.get(uid);
    if (falling === undefined) {
      const { modelName, directory } = this.#supervisor.get(uid);
      // Its files are still to come: there is nothing yet that could come back.
      if (directory === undefined) {
        await this.#supervisor.terminate(uid, { reason: "resting" });
        return;
      }
      const options = { ...this.#supervisor.launchOptionsOf(uid), uid };
      const model = { uid, modelName, directory, options };
      falling = { model, done: this.#free(model).finally(() => this.#falling.delete(uid)) };
      this.#falling.set(uid, falling);
    }
    await falling.done;
  }

  /** Free a running model when nobody has asked it anything for `idleMs`; replaces an earlier wish. */
  restAfter(uid: string, idleMs: number): void {
    this.stayAwake(uid);
    const waitMs = Math.min(idleMs, longestTimerMs);
    const timer = setTimeout(() => void this.#restIfIdle(uid, waitMs), waitMs).unref();
    this.#timers.set(uid, { timer, idleMs, at: new Date(Date.now() + waitMs) });
  }

  /** The time of an earlier `restAfter` counts from now. */
  askedAgain(uid: string): void {
    const idleMs = this.#timers.get(uid)?.idleMs;
    if (idleMs !== undefined) this.restAfter(uid, idleMs);
  }

  /** Forget an earlier `restAfter`. */
  stayAwake(uid: string): void {
    clearTimeout(this.#timers.get(uid)?.timer);
    this.#timers.delete(uid);
  }

  /** When a running model will be freed if nobody asks; `undefined`: it stays. */
  restsAt(uid: string): Date | undefined {
    return this.#timers.get(uid)?.at;
  }

  [Symbol.dispose](): void {
    for (const uid of this.#timers.keys()) this.stayAwake(uid);
  }

  async #free(model: RestingModel): Promise<void> {
    this.stayAwake(model.uid);
    await this.#supervisor.terminate(model.uid, { reason: "resting" });
    this.#resting.set(model.uid, model);
  }

  async #load({ uid, options }: RestingModel): Promise<void> {
    await this.#supervisor.launch(options);
    this.#resting.delete(uid);
    const instance = await this.#supervisor.whenSettled(uid);
    if (instance.state === "failed") throw instance.error;
  }

  async #restIfIdle(uid: string, idleMs: number): Promise<void> {
    const instance = this.#running(uid);
    this.#timers.delete(uid);
    if (instance?.state !== "ready") return;
    if (this.#supervisor.isIdle(uid)) await this.rest(uid).catch(() => undefined);
    else this.restAfter(uid, idleMs);
  }

  #running(uid: string): ModelInstance | undefined {
    return this.#supervisor.list().find((instance) => instance.uid === uid);
  }

  #isRunning(uid: string): boolean {
    const state = this.#running(uid)?.state;
    return state !== undefined && state !== "failed";
  }
}
