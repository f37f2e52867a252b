import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Load, mayBegin, Turns } from "./turns.ts";

describe("a line of a batch", () => {
  test.each([
    { why: "half of the slots when alone", slots: 8, others: 0, waiting: 0, ours: 3, may: true },
    { why: "no more than half", slots: 8, others: 0, waiting: 0, ours: 4, may: false },
    { why: "a quarter beside others", slots: 8, others: 1, waiting: 0, ours: 1, may: true },
    { why: "no more than a quarter", slots: 8, others: 1, waiting: 0, ours: 2, may: false },
    { why: "one where there is one slot", slots: 1, others: 0, waiting: 0, ours: 0, may: true },
    { why: "none while anybody waits", slots: 8, others: 0, waiting: 1, ours: 0, may: false },
  ])("takes $why", ({ slots, others, waiting, ours, may }) => {
    expect(mayBegin({ slots, numRunning: others + ours, numWaiting: waiting }, ours)).toBe(may);
  });

  test("never takes all slots of several", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 64 }),
        fc.nat(64),
        fc.nat(64),
        (slots, others, ours) => {
          if (mayBegin({ slots, numRunning: others + ours, numWaiting: 0 }, ours)) {
            expect(ours + 1).toBeLessThanOrEqual(Math.max(1, slots / 2));
          }
        },
      ),
    );
  });
});

test("turns are given in order, as room comes", async () => {
  const load: Load = { slots: 2, numRunning: 0, numWaiting: 0 };
  const turns = new Turns(async () => load);
  const { signal } = new AbortController();
  const release = await turns.take("m", { signal });
  const order: string[] = [];
  const second = turns.take("m", { signal }).then((done) => {
    order.push("second");
    done();
  });
  const third = turns.take("m", { signal }).then((done) => {
    order.push("third");
    done();
  });
  const other = await turns.take("another", { signal });
  other();
  expect(order).toEqual([]);
  release();
  await Promise.all([second, third]);
  expect(order).toEqual(["second", "third"]);
});

test("who gives up waiting takes no turn, and holds up nobody", async () => {
  let load: Load = { slots: 2, numRunning: 1, numWaiting: 1 };
  const turns = new Turns(async () => load);
  const controller = new AbortController();
  const given = turns.take("m", controller);
  const next = turns.take("m", new AbortController());
  controller.abort(new Error("enough"));
  await expect(given).rejects.toThrow("enough");
  load = { slots: 2, numRunning: 0, numWaiting: 0 };
  (await next)();
});

test("a model that does not run is waited for only by the patient", async () => {
  let load: Load | undefined;
  const turns = new Turns(async () => load);
  const { signal } = new AbortController();
  (await turns.take("m", { signal }))();
  let isGiven = false;
  const patient = turns.take("m", { signal, isPatient: true }).then((release) => {
    isGiven = true;
    release();
  });
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(isGiven).toBe(false);
  load = { slots: 1, numRunning: 0, numWaiting: 0 };
  await patient;
});
