/** Lets lines of batches at a model only as long as others are not kept waiting by them. */
import { setTimeout as sleep } from "node:timers/promises";

/** How a model is doing. */
export type Load = {
  /** Requests it works on at the same time, at most. */
  readonly slots: number;
  readonly numRunning: number;
  readonly numWaiting: number;
};

/** While a model has no room, this often it is asked again. */
const askAgainMs = 100;

/**
 * Half of a model's slots while nobody else asks it anything, a quarter while somebody does, but one at
 * least; and none is begun while anybody waits.
 *
 * @param ours lines under way; `numRunning` counts them too
 */
export function mayBegin({ slots, numRunning, numWaiting }: Load, ours: number): boolean {
  if (numWaiting > 0) return false;
  const others = Math.max(0, numRunning - ours);
  return ours < Math.max(1, Math.floor(slots / (others > 0 ? 4 : 2)));
}

export class Turns {
  readonly #loadOf: (model: string) => Promise<Load | undefined>;
  readonly #ours = new Map<string, number>();
  /** One asks at a time, so that two do not take the same room. */
  readonly #asking = new Map<string, Promise<unknown>>();

  /** @param loadOf `undefined` for a model that does not run: the request itself says so best */
  constructor(loadOf: (model: string) => Promise<Load | undefined>) {
    this.#loadOf = loadOf;
  }

  /**
   * Wait for room at a model.
   *
   * @param options.isPatient wait for a model that does not run, too
   * @returns gives the room back
   * @throws the reason of `signal`
   */
  async take(
    model: string,
    { signal, isPatient = false }: { readonly signal: AbortSignal; readonly isPatient?: boolean },
  ): Promise<() => void> {
    const before = this.#asking.get(model) ?? Promise.resolve();
    const turn = before.catch(() => undefined).then(() => this.#wait(model, signal, isPatient));
    this.#asking.set(model, turn);
    try {
      await turn;
    } finally {
      if (this.#asking.get(model) === turn) this.#asking.delete(model);
    }
    return () => this.#add(model, -1);
  }

  async #wait(model: string, signal: AbortSignal, isPatient: boolean): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const load = await this.#loadOf(model);
      const ours = this.#ours.get(model) ?? 0;
      if (load === undefined ? ours === 0 && !isPatient : mayBegin(load, ours)) break;
      await sleep(askAgainMs, undefined, { signal }).catch(() => undefined);
    }
    this.#add(model, 1);
  }

  #add(model: string, change: number): void {
    const ours = (this.#ours.get(model) ?? 0) + change;
    if (ours === 0) this.#ours.delete(model);
    else this.#ours.set(model, ours);
  }
}
