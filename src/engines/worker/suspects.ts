/**
 * Requests that were being answered when a worker ended. One of them may have ended it, and would end the
 * next one too.
 *
 * A suspect that comes again is answered like any other, but never together with another suspect: should the worker
 * end once more, it is known which of them it was, and that one is answered no more.
 */
import { createHash } from "node:crypto";
import { PlatformError } from "../../base/errors.ts";
import type { EnginePrompt } from "../../generation/engine-prompt.ts";

/** Ends of a worker after which a request is not answered any more. */
const MAX_ENDS = 2;
/** Remembered; the oldest are forgotten first. */
const MAX_SUSPECTS = 4_096;

/** One request while it is answered. */
export type Witness = {
  /** The worker ended meanwhile. */
  readonly accuse: () => void;
  /** @param isWhole the answer came to its end, so it was none of it */
  readonly leave: (isWhole: boolean) => void;
};

export class Suspects {
  /** By what was asked → ends of a worker that it was there at. */
  readonly #ends = new Map<string, number>();
  /** Settles when the suspect that is answered now has its answer. */
  #turn: Promise<void> = Promise.resolve();

  /**
   * Resolves when the request may be sent.
   *
   * @throws PlatformError `invalid_request` for one that has ended its share of workers; the signal's reason
   */
  async admit(prompt: EnginePrompt, signal: AbortSignal): Promise<Witness> {
    const key = this.#ends.size > 0 ? keyOf(prompt) : undefined;
    const isSuspect = key !== undefined && this.#ends.has(key);
    const endTurn = isSuspect ? await this.#takeTurn(signal) : undefined;
    const numEnds = key === undefined ? 0 : (this.#ends.get(key) ?? 0);
    if (numEnds >= MAX_ENDS) {
      endTurn?.();
      throw endedTooMany(numEnds);
    }
    return {
      accuse: () => this.#accuse(key ?? keyOf(prompt)),
      leave: (isWhole) => {
        if (isWhole && isSuspect) this.#ends.delete(key);
        endTurn?.();
      },
    };
  }

  #accuse(key: string): void {
    const numEnds = (this.#ends.get(key) ?? 0) + 1;
    this.#ends.delete(key);
    this.#ends.set(key, numEnds);
    for (const oldest of this.#ends.keys()) {
      if (this.#ends.size <= MAX_SUSPECTS) break;
      this.#ends.delete(oldest);
    }
  }

  /** @returns what lets the next one in */
  async #takeTurn(signal: AbortSignal): Promise<() => void> {
    const before = this.#turn;
    let end = (): void => {};
    this.#turn = new Promise((resolve) => {
      end = resolve;
    });
    await before;
    if (!signal.aborted) return end;
    end();
    throw signal.reason;
  }
}

/** Without the settings: whoever asks again may draw anew, or ask for another length. */
function keyOf({ tokenIds, pictures }: EnginePrompt): string {
  const hash = createHash("sha256").update(Uint32Array.from(tokenIds));
  for (const { contentHash } of pictures) hash.update(contentHash);
  return hash.digest("base64");
}

function endedTooMany(numEnds: number): PlatformError {
  return new PlatformError(
    "invalid_request",
    `The engine's process ended ${numEnds} times while it answered this request, so it is not tried again. Change the request; if it is an ordinary one, report it with the server's log.`,
  );
}
