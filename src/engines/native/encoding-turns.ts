/**
 * Pictures are encoded in parts, and the engine's loop says when the next part may run: between two steps of
 * the answers that are under way.
 */

export class EncodingTurns {
  /** Oldest first. */
  readonly #jobs: Job[] = [];

  get isEmpty(): boolean {
    return this.#jobs.length === 0;
  }

  /**
   * Begin a piece of work, which waits in `pause` until its turn comes.
   *
   * @param signal aborting it makes `pause` throw
   */
  async start<Result>(
    work: (pause: () => Promise<void>) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result> {
    const job = new Job(signal);
    this.#jobs.push(job);
    try {
      return await work(() => job.pause());
    } finally {
      this.#jobs.splice(this.#jobs.indexOf(job), 1);
      job.end();
    }
  }

  /** Let the oldest piece of work run until it pauses again or ends. */
  async grant(): Promise<void> {
    await this.#jobs[0]?.takeTurn();
  }
}

class Job {
  readonly #signal: AbortSignal;
  #resume: (() => void) | undefined;
  /** Settles when it pauses next, or ends. */
  #halt = newHalt();
  #hasEnded = false;

  readonly #goOn = (): void => this.#resume?.();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#goOn, { once: true });
  }

  async pause(): Promise<void> {
    this.#signal.throwIfAborted();
    const turn = new Promise<void>((resolve) => {
      this.#resume = resolve;
    });
    this.#halt.settle();
    await turn;
    this.#resume = undefined;
    this.#signal.throwIfAborted();
  }

  async takeTurn(): Promise<void> {
    // It may not have come to its first pause yet.
    await this.#halt.settled;
    if (this.#hasEnded) return;
    this.#halt = newHalt();
    this.#resume?.();
    await this.#halt.settled;
  }

  end(): void {
    this.#hasEnded = true;
    this.#signal.removeEventListener("abort", this.#goOn);
    this.#halt.settle();
  }
}

function newHalt(): { readonly settled: Promise<void>; readonly settle: () => void } {
  let settle = (): void => {};
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return { settled, settle: () => settle() };
}
