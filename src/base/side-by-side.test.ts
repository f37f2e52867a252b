import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { sideBySide } from "./side-by-side.ts";

async function* counting(to: number, ended: number[], index: number): AsyncGenerator<number, void> {
  try {
    for (let value = 0; value < to; value++) {
      await sleep(1);
      yield value;
    }
  } finally {
    ended.push(index);
  }
}

test("all that the streams say comes, each in its own order, no more than some at a time", async () => {
  let numOpen = 0;
  let mostOpen = 0;
  async function* one(index: number): AsyncGenerator<number, void> {
    mostOpen = Math.max(mostOpen, ++numOpen);
    yield* counting(index + 1, [], index);
    numOpen--;
  }
  const seen = new Map<number, number[]>();
  for await (const { index, value } of sideBySide(one, 5, { width: 2 })) {
    seen.set(index, [...(seen.get(index) ?? []), value]);
  }
  expect([...seen.entries()].toSorted(([a], [b]) => a - b)).toEqual([
    [0, [0]],
    [1, [0, 1]],
    [2, [0, 1, 2]],
    [3, [0, 1, 2, 3]],
    [4, [0, 1, 2, 3, 4]],
  ]);
  expect(mostOpen).toBe(2);
});

test("leaving the loop ends those that were begun, and begins no other", async () => {
  const ended: number[] = [];
  const begun: number[] = [];
  const start = (index: number): AsyncGenerator<number, void> => {
    begun.push(index);
    return counting(100, ended, index);
  };
  for await (const { index } of sideBySide(start, 10, { width: 3 })) if (index === 2) break;
  expect(begun).toEqual([0, 1, 2]);
  expect(new Set(ended)).toEqual(new Set([0, 1, 2]));
});

test("a failure of one is thrown, and ends the others", async () => {
  const ended: number[] = [];
  const start = async function* (index: number): AsyncGenerator<number, void> {
    for await (const value of counting(100, ended, index)) {
      if (index === 1 && value === 2) throw new Error("gone");
      yield value;
    }
  };
  const read = async (): Promise<void> => {
    for await (const _ of sideBySide(start, 3));
  };
  await expect(read()).rejects.toThrow("gone");
  expect(new Set(ended)).toEqual(new Set([0, 1, 2]));
});
