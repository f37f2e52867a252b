import { setMaxListeners } from "node:events";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FairQueue, type Turn } from "./fair-queue.ts";

const { signal } = new AbortController();
setMaxListeners(0, signal);

/** A model with two places ahead of its slots, as all have. */
function queueOf(slots: number, maxWaiting = 256): { queue: FairQueue; clock: { now: number } } {
  const clock = { now: 0 };
  return {
    queue: new FairQueue(
      () => ({ slots, maxWaiting }),
      () => clock.now,
    ),
    clock,
  };
}

/** Who began, in order; each turn is given back by calling `end`. */
class Watch {
  readonly begun: string[] = [];
  readonly refused: { asker: string; error: unknown }[] = [];
  readonly #turns: Turn[] = [];
  readonly #queue: FairQueue;

  constructor(queue: FairQueue) {
    this.#queue = queue;
  }

  ask(asker: string, options: { cost?: number; signal?: AbortSignal } = {}): void {
    this.#queue.take(asker, { signal, ...options }).then(
      (turn) => {
        this.begun.push(asker);
        this.#turns.push(turn);
      },
      (error: unknown) => this.refused.push({ asker, error }),
    );
  }

  /** The oldest that is under way ends. */
  async end(): Promise<void> {
    this.#turns.shift()?.[Symbol.dispose]();
    await settled();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the next to begin", () => {
  test("is of who has least under way, so that a flood keeps nobody waiting", async () => {
    const { queue } = queueOf(4);
    const watch = new Watch(queue);
    for (let i = 0; i < 200; i++) watch.ask("flood");
    watch.ask("other");
    await settled();
    expect(watch.begun).toEqual(Array(6).fill("flood"));
    await watch.end();
    expect(watch.begun.at(-1)).toBe("other");
    expect(queue.state).toEqual({ numRunning: 6, numWaiting: 194, numAskers: 1 });
  });

  test("alternates between two who both have much, in order within each", async () => {
    const { queue } = queueOf(1);
    const watch = new Watch(queue);
    for (let i = 0; i < 10; i++) watch.ask("a");
    for (let i = 0; i < 10; i++) watch.ask("b");
    for (let i = 0; i < 15; i++) await watch.end();
    const later = watch.begun.slice(6, 16);
    expect(later.filter((asker) => asker === "a")).toHaveLength(5);
  });

  test("counts several answers of one request as several", async () => {
    const { queue } = queueOf(6);
    const watch = new Watch(queue);
    watch.ask("many", { cost: 8 });
    watch.ask("many");
    watch.ask("one");
    watch.ask("one");
    await settled();
    expect(watch.begun).toEqual(["many"]);
    await watch.end();
    expect(watch.begun).toEqual(["many", "one", "many", "one"]);
  });

  test("is nobody who has left", async () => {
    const { queue } = queueOf(1);
    const watch = new Watch(queue);
    const leaving = new AbortController();
    for (let i = 0; i < 3; i++) watch.ask("a");
    watch.ask("b", { signal: leaving.signal });
    watch.ask("c");
    await settled();
    leaving.abort(new Error("gone"));
    await watch.end();
    expect(watch.begun).toEqual(["a", "a", "a", "c"]);
    expect(watch.refused).toEqual([{ asker: "b", error: new Error("gone") }]);
  });

  test("may be more than one when slots are added", async () => {
    let slots = 1;
    const queue = new FairQueue(() => ({ slots, maxWaiting: 10 }));
    const watch = new Watch(queue);
    for (let i = 0; i < 5; i++) watch.ask("a");
    await settled();
    expect(watch.begun).toHaveLength(3);
    slots = 4;
    watch.ask("a");
    await settled();
    expect(watch.begun).toHaveLength(6);
  });
});

describe("a full queue", () => {
  test("refuses with the time that the ones before it will take", async () => {
    const { queue, clock } = queueOf(2, 8);
    const watch = new Watch(queue);
    for (let i = 0; i < 4; i++) watch.ask("a");
    await settled();
    clock.now += 3_000;
    for (let i = 0; i < 4; i++) await watch.end();
    // Three seconds an answer, two at a time: twelve requests take eighteen seconds.
    for (let i = 0; i < 12; i++) watch.ask("a");
    watch.ask("a");
    await settled();
    expect(watch.refused).toHaveLength(1);
    expect(watch.refused[0]?.error).toMatchObject({
      code: "queue_full",
      message: "8 requests are waiting for this model already. Try again in 12 s.",
      details: { retryAfter: 12 },
    });
  });

  test("makes place for who has less waiting, at the cost of the latest of who has most", async () => {
    const { queue } = queueOf(1, 6);
    const watch = new Watch(queue);
    for (let i = 0; i < 9; i++) watch.ask("flood");
    await settled();
    for (let i = 0; i < 4; i++) watch.ask("other");
    await settled();
    const refused = watch.refused.map(({ asker }) => asker).toSorted();
    expect(refused).toEqual(["flood", "flood", "flood", "other"]);
    expect(queue.state).toEqual({ numRunning: 3, numWaiting: 6, numAskers: 2 });
  });

  test("tells who has not all of it what is theirs", async () => {
    const { queue } = queueOf(1, 2);
    const watch = new Watch(queue);
    for (const asker of ["a", "a", "a", "b", "c", "c"]) watch.ask(asker);
    await settled();
    expect(watch.refused).toMatchObject([
      {
        asker: "c",
        error: { message: expect.stringMatching(/^2 requests .* already, 1 of yours/) },
      },
    ]);
  });
});

test("whatever comes and goes, no more than there is room for is under way, and nothing is left", async () => {
  const step = fc.oneof(
    fc.record({ asker: fc.constantFrom("a", "b", "c"), cost: fc.integer({ min: 1, max: 3 }) }),
    fc.constant("end" as const),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const { queue } = queueOf(3, 10);
      const watch = new Watch(queue);
      for (const each of steps) {
        if (each === "end") await watch.end();
        else watch.ask(each.asker, { cost: each.cost });
        await settled();
        const { numRunning, numWaiting } = queue.state;
        expect(numRunning).toBeLessThan(3 + 2 + 3);
        expect(numWaiting).toBeLessThanOrEqual(10);
        if (numWaiting > 0) expect(numRunning).toBeGreaterThanOrEqual(5);
      }
      for (let i = 0; i < steps.length; i++) await watch.end();
      expect(queue.state).toEqual({ numRunning: 0, numWaiting: 0, numAskers: 0 });
      const numAsked = steps.filter((each) => each !== "end").length;
      expect(watch.begun.length + watch.refused.length).toBe(numAsked);
    }),
    { numRuns: 200 },
  );
});
