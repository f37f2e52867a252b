import { expect, test } from "vitest";
import { settle } from "./settle.ts";

const { signal } = new AbortController();

async function collect<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const all: Value[] = [];
  for await (const value of values) all.push(value);
  return all;
}

test("an error of the first two events is thrown before the stream begins", async () => {
  async function* refused(): AsyncGenerator<string> {
    yield "started";
    throw new Error("full");
  }
  await expect(settle(refused(), { signal })).rejects.toThrow("full");
});

test("all events come through, the awaited ones too", async () => {
  async function* three(): AsyncGenerator<string> {
    yield* ["a", "b", "c"];
  }
  expect(await collect(await settle(three(), { signal }))).toEqual(["a", "b", "c"]);
});

test("a slow second event is not waited for, and its error still arrives", async () => {
  async function* slow(): AsyncGenerator<string> {
    yield "started";
    await new Promise((resolve) => setTimeout(resolve, 30));
    throw new Error("late");
  }
  const events = await settle(slow(), { signal, limitMs: 1 });
  await expect(collect(events)).rejects.toThrow("late");
});

test("who waits long for the first event begins without it, and gets it when it comes", async () => {
  async function* queued(): AsyncGenerator<string> {
    await new Promise((resolve) => setTimeout(resolve, 30));
    yield* ["a", "b"];
  }
  const events = await settle(queued(), { signal, firstLimitMs: 1 });
  expect(await collect(events)).toEqual(["a", "b"]);
});

test("an abort ends the source even when nobody ever read from it", async () => {
  const controller = new AbortController();
  let hasEnded = false;
  async function* endless(): AsyncGenerator<string> {
    try {
      for (;;) yield "x";
    } finally {
      hasEnded = true;
    }
  }
  await settle(endless(), { signal: controller.signal });
  controller.abort();
  await Promise.resolve();
  expect(hasEnded).toBe(true);
});
