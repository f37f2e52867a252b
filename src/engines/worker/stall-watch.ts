/**
 * Notices a worker that has answers under way and gives no sign of life: stopped by a signal, caught in an endless loop, or
 * waiting for a device that hangs.
 *
 * A long computation is no such thing: between two tokens minutes may pass, and a sound worker tells its state meanwhile. So
 * it is asked for that, and what counts is that it says anything at all.
 */

export type StallWatchParts = {
  /** Without a sign of life for so long a worker is stuck. */
  readonly patienceMs: number;
  readonly isBusy: () => boolean;
  /** Resolves when the worker answers. */
  readonly ask: (signal: AbortSignal) => Promise<unknown>;
  /** Called once. */
  readonly onStall: () => void;
};

export class StallWatch implements Disposable {
  readonly #parts: StallWatchParts;
  readonly #timer: NodeJS.Timeout;
  readonly #everyMs: number;
  readonly #stop = new AbortController();
  #lastSignAt = performance.now();
  #lastTickAt = performance.now();
  #isAsking = false;

  constructor(parts: StallWatchParts) {
    this.#parts = parts;
    this.#everyMs = parts.patienceMs / 6;
    this.#timer = setInterval(() => this.#tick(), this.#everyMs).unref();
  }

  /** The worker said something. */
  sign(): void {
    this.#lastSignAt = performance.now();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#stop.abort();
  }

  #tick(): void {
    const now = performance.now();
    const lateMs = now - this.#lastTickAt - this.#everyMs;
    this.#lastTickAt = now;
    // Nobody is owed a sign; or we ourselves were stopped, and could not have heard one.
    if (!this.#parts.isBusy() || lateMs > this.#everyMs) {
      this.sign();
      return;
    }
    if (now - this.#lastSignAt >= this.#parts.patienceMs) {
      this[Symbol.dispose]();
      this.#parts.onStall();
      return;
    }
    if (!this.#isAsking) void this.#ask();
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    try {
      await this.#parts.ask(this.#stop.signal);
      this.sign();
    } catch {
      // A broken connection is told by the process's end.
    } finally {
      this.#isAsking = false;
    }
  }
}
