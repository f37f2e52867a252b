/** Counts who uses a thing, so that it is freed only when nobody does. */
import { PlatformError } from "../base/errors.ts";

/** After the signal, a holder gets this long to let go; engines answer an abort within a step. */
const abortGraceMs = 10_000;

export interface Held {
  /** Aborts when the holder's time is up. */
  readonly signal: AbortSignal;
  /** Give it back; further calls do nothing. */
  readonly release: () => void;
}

export class Leases {
  /** One controller a holder: a shared, long-lived signal would remember every one that listened. */
  readonly #holders = new Set<AbortController>();
  #onIdle: (() => void) | undefined;

  get numHeld(): number {
    return this.#holders.size;
  }

  take(): Held {
    const holder = new AbortController();
    this.#holders.add(holder);
    const release = (): void => {
      if (this.#holders.delete(holder) && this.#holders.size === 0) this.#onIdle?.();
    };
    return { signal: holder.signal, release };
  }

  /**
   * Wait for the holders: first patiently, then after a signal; resolves in any case.
   *
   * @param why they cannot have it any longer, as the beginning of a sentence
   * @returns how many had to be told
   */
  async drain(patienceMs: number, why = "The model was terminated"): Promise<number> {
    await this.#idleWithin(patienceMs);
    const numCut = this.#holders.size;
    for (const holder of this.#holders) {
      holder.abort(new PlatformError("model_not_ready", `${why} before the answer was complete.`));
    }
    await this.#idleWithin(abortGraceMs);
    return numCut;
  }

  async #idleWithin(limitMs: number): Promise<void> {
    if (this.#holders.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onIdle = undefined;
  }
}
