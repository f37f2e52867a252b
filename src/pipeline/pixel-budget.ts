/**
 * How many bytes of decoded pictures may be in flight over all requests.
 *
 * A small file can hold many pixels, so requests wait for room before they decode, in order. Whoever
 * needs more than there is at all goes alone, so nobody waits for ever.
 */
import { PlatformError } from "../base/errors.ts";

type Waiter = { readonly numBytes: number; readonly start: () => void };

export class PixelBudget {
  readonly #maxBytes: number;
  readonly #maxWaiting: number;
  readonly #waiting: Waiter[] = [];
  #usedBytes = 0;

  constructor(maxBytes: number, { maxWaiting = 256 }: { readonly maxWaiting?: number } = {}) {
    this.#maxBytes = maxBytes;
    this.#maxWaiting = maxWaiting;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * Have room for `numBytes` until the result is disposed of.
   *
   * @throws PlatformError `queue_full`, and `cancelled` when `signal` aborts first
   */
  async take(numBytes: number, signal: AbortSignal): Promise<Disposable> {
    if (signal.aborted) throw cancelled();
    const wanted = Math.min(numBytes, this.#maxBytes);
    if (wanted > 0) await this.#turn(wanted, signal);
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#usedBytes -= wanted;
        this.#startNext();
      },
    };
  }

  async #turn(numBytes: number, signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new PlatformError(
        "queue_full",
        `${this.#waiting.length} requests are waiting for room to decode their pictures. Try again in a moment.`,
      );
    }
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(cancelled());
        // It may have been the large one at the head that the others waited for.
        this.#startNext();
      };
      const waiter: Waiter = {
        numBytes,
        start: () => {
          signal.removeEventListener("abort", abort);
          resolve();
        },
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.push(waiter);
      this.#startNext();
    });
  }

  #startNext(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || this.#usedBytes + next.numBytes > this.#maxBytes) return;
      this.#waiting.shift();
      this.#usedBytes += next.numBytes;
      next.start();
    }
  }
}

function cancelled(): PlatformError {
  return new PlatformError(
    "cancelled",
    "The request was cancelled before its pictures were decoded.",
  );
}
