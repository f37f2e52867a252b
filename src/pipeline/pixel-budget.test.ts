import fc from "fast-check";
import { expect, test } from "vitest";
import { PixelBudget } from "./pixel-budget.ts";

const never = new AbortController().signal;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("requests have their room in order, never more than there is, and all come to it (IM-20, IM-22)", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(30), { maxLength: 12 }), async (sizes) => {
      const budget = new PixelBudget(20);
      const started: number[] = [];
      await Promise.all(
        sizes.map(async (size, index) => {
          using _ = await budget.take(size, never);
          if (size > 0) started.push(index);
          expect(budget.usedBytes).toBeLessThanOrEqual(20);
          await settled();
        }),
      );
      expect(started).toEqual([...sizes.keys()].filter((index) => (sizes[index] ?? 0) > 0));
      expect(budget.usedBytes).toBe(0);
    }),
  );
});

test("one that gives up lets those behind it in", async () => {
  const budget = new PixelBudget(10);
  const first = await budget.take(6, never);
  const abort = new AbortController();
  const large = budget.take(10, abort.signal);
  const small = budget.take(4, never);
  abort.abort();
  await expect(large).rejects.toMatchObject({ code: "cancelled" });
  const second = await small;
  expect(budget.usedBytes).toBe(10);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  expect(budget.usedBytes).toBe(4);
  second[Symbol.dispose]();
});

test("a long queue refuses at once", async () => {
  const budget = new PixelBudget(10, { maxWaiting: 1 });
  using _ = await budget.take(10, never);
  const waiting = budget.take(1, AbortSignal.timeout(50));
  await expect(budget.take(1, never)).rejects.toMatchObject({ code: "queue_full" });
  await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
});
