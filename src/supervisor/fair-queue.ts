/**
 * The queue in front of one model: who has least under way begins next, so that nobody's hundred requests
 * keep another's one waiting; within one asker it is first come, first served.
 *
 * It is bounded. When it is full, whoever has most waiting gives up the latest of it for somebody with less;
 * a refusal says when to come again, by how long answers have taken.
 */
import { PlatformError } from "../base/errors.ts";

export type QueueLimits = {
  /** Answers that the model works on at one time. */
  readonly slots: number;
  /** Requests that may wait. */
  readonly maxWaiting: number;
};

/** Leave to begin; disposing it makes room for the next. */
export type Turn = Disposable & {
  /** How long it was waited for. */
  readonly waitedMs: number;
};

export type QueueState = {
  readonly numRunning: number;
  readonly numWaiting: number;
  /** How many keys and accounts the waiting requests come from. */
  readonly numAskers: number;
};

type Waiter = {
  readonly cost: number;
  readonly since: number;
  readonly begin: () => void;
  readonly refuse: (error: PlatformError) => void;
};

/** What one asker has in this queue. */
type Line = {
  readonly waiting: Waiter[];
  /** The costs of what is under way. */
  running: number;
  /** Grows with every turn that is given: larger is later. */
  servedAt: number;
};

/** Prompts are read and pictures decoded for so many while the engine is full, so that it is never idle. */
const numAhead = 2;

/** Of how many answers the mean time is taken, the latest counting most. */
const numRemembered = 32;

const longestRetrySeconds = 600;

export class FairQueue {
  readonly #limits: () => QueueLimits;
  readonly #nowMs: () => number;
  readonly #lines = new Map<string, Line>();
  #numWaiting = 0;
  #running = 0;
  #clock = 0;
  #numMeasured = 0;
  #meanMs = 0;

  /**
   * @param limits asked each time, since replicas come and go
   * @param nowMs a clock that only goes forward
   */
  constructor(limits: () => QueueLimits, nowMs: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#nowMs = nowMs;
  }

  get state(): QueueState {
    const numAskers = [...this.#lines.values()].filter(({ waiting }) => waiting.length > 0).length;
    return { numRunning: this.#running, numWaiting: this.#numWaiting, numAskers };
  }

  /**
   * Wait for a turn.
   *
   * @param asker whose request it is: one key, one account, or everybody without
   * @param options.cost answers that it asks for
   * @throws PlatformError `queue_full` with the seconds to wait, also later, when somebody with less needs the
   *   place; the reason of `signal`
   */
  async take(
    asker: string,
    { signal, cost = 1 }: { readonly signal: AbortSignal; readonly cost?: number },
  ): Promise<Turn> {
    signal.throwIfAborted();
    const since = this.#nowMs();
    const line = this.#lineOf(asker);
    if (this.#numWaiting === 0 && this.#hasRoom()) this.#begin(line, cost);
    else {
      this.#makePlaceFor(asker, line);
      await this.#wait(line, { cost, since, signal }).finally(() => this.#forget(asker, line));
    }
    return this.#turn(asker, line, { cost, since });
  }

  #turn(
    asker: string,
    line: Line,
    { cost, since }: { readonly cost: number; readonly since: number },
  ): Turn {
    const begunAt = this.#nowMs();
    let isOver = false;
    return {
      waitedMs: begunAt - since,
      [Symbol.dispose]: () => {
        if (isOver) return;
        isOver = true;
        this.#measure(this.#nowMs() - begunAt);
        this.#running -= cost;
        line.running -= cost;
        this.#forget(asker, line);
        this.#startNext();
      },
    };
  }

  async #wait(
    line: Line,
    {
      cost,
      since,
      signal,
    }: { readonly cost: number; readonly since: number; readonly signal: AbortSignal },
  ): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        line.waiting.splice(line.waiting.indexOf(waiter), 1);
        this.#numWaiting -= 1;
        reject(signal.reason);
      };
      const waiter: Waiter = {
        cost,
        since,
        begin: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
        refuse: (error) => {
          signal.removeEventListener("abort", leave);
          reject(error);
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      line.waiting.push(waiter);
      this.#numWaiting += 1;
      // There may be more slots than when somebody last looked.
      this.#startNext();
    });
  }

  /** @throws PlatformError `queue_full` when nobody has more waiting than this one would */
  #makePlaceFor(asker: string, line: Line): void {
    if (this.#numWaiting < this.#limits().maxWaiting) return;
    const longest = [...this.#lines.values()].reduce((most, other) =>
      other.waiting.length > most.waiting.length ? other : most,
    );
    if (longest.waiting.length <= line.waiting.length + 1) {
      this.#forget(asker, line);
      throw this.#full(line);
    }
    this.#numWaiting -= 1;
    longest.waiting.pop()?.refuse(this.#full(longest));
  }

  #startNext(): void {
    while (this.#hasRoom()) {
      const line = this.#nextLine();
      const next = line?.waiting.shift();
      if (line === undefined || next === undefined) return;
      this.#numWaiting -= 1;
      this.#begin(line, next.cost);
      next.begin();
    }
  }

  /** Who has least under way; of equals, who was served longest ago. */
  #nextLine(): Line | undefined {
    let best: Line | undefined;
    for (const line of this.#lines.values()) {
      if (line.waiting.length === 0) continue;
      const isBefore =
        best === undefined ||
        line.running < best.running ||
        (line.running === best.running && line.servedAt < best.servedAt);
      if (isBefore) best = line;
    }
    return best;
  }

  /** What costs more than there is room for begins all the same, so that it is not passed over for ever. */
  #hasRoom(): boolean {
    return this.#running < this.#limits().slots + numAhead;
  }

  #begin(line: Line, cost: number): void {
    line.servedAt = ++this.#clock;
    line.running += cost;
    this.#running += cost;
  }

  #full(line: Line): PlatformError {
    const seconds = this.#secondsUntilServed(line);
    const own = line.waiting.length === this.#numWaiting ? "" : `, ${line.waiting.length} of yours`;
    return new PlatformError(
      "queue_full",
      `${this.#numWaiting} requests are waiting for this model already${own}. Try again in ${seconds} s.`,
      { details: { retryAfter: seconds } },
    );
  }

  /** When one more request of this line would begin, were it let in now. */
  #secondsUntilServed(line: Line): number {
    const place = line.waiting.length + 1;
    // In each round every asker has a turn, as long as it has something waiting.
    let numBefore = 0;
    for (const { waiting } of this.#lines.values()) numBefore += Math.min(waiting.length, place);
    const perSecond = (this.#limits().slots * 1_000) / Math.max(this.#meanMs, 1);
    const seconds = this.#numMeasured === 0 ? 1 : Math.ceil(numBefore / perSecond);
    return Math.min(Math.max(seconds, 1), longestRetrySeconds);
  }

  #measure(ms: number): void {
    this.#numMeasured = Math.min(this.#numMeasured + 1, numRemembered);
    this.#meanMs += (ms - this.#meanMs) / this.#numMeasured;
  }

  #lineOf(asker: string): Line {
    let line = this.#lines.get(asker);
    if (line === undefined) {
      line = { waiting: [], running: 0, servedAt: 0 };
      this.#lines.set(asker, line);
    }
    return line;
  }

  /** Who has nothing here any more takes no memory. */
  #forget(asker: string, line: Line): void {
    if (line.waiting.length > 0 || line.running > 0) return;
    if (this.#lines.get(asker) === line) this.#lines.delete(asker);
  }
}
