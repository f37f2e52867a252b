import { expect, test } from "vitest";
import { ScriptedRunner, scriptedPicture } from "../../../test/support/scripted-runner.ts";
import { VisionCache } from "./vision-cache.ts";

/** Every picture's states count 1,000 bytes. */
function cacheOf(numPictures: number, runner = new ScriptedRunner()) {
  const cache = new VisionCache(
    async (picture) => ({
      states: await runner.encodeImage(picture, { pause: async () => {} }),
      origin: "encoded",
    }),
    numPictures * 1_000,
  );
  return { cache, runner };
}

test("a picture is encoded once, also when asked for twice at the same time", async () => {
  const { cache, runner } = cacheOf(4);
  const [first, second] = await Promise.all([
    cache.acquire(scriptedPicture(1)),
    cache.acquire(scriptedPicture(1)),
  ]);
  expect(first.states).toBe(second.states);
  expect([first.origin, second.origin]).toEqual(["encoded", "memory"]);
  expect(second.encodeMs).toBe(0);
  expect(runner.encoded).toHaveLength(1);
});

test("the least recently used unheld picture goes first", async () => {
  const { cache, runner } = cacheOf(2);
  const one = await cache.acquire(scriptedPicture(1));
  (await cache.acquire(scriptedPicture(2)))[Symbol.dispose]();
  one[Symbol.dispose]();
  // Used again: now 2 is the oldest.
  (await cache.acquire(scriptedPicture(1)))[Symbol.dispose]();
  (await cache.acquire(scriptedPicture(3)))[Symbol.dispose]();
  expect(runner.encoded.map(({ isDisposed }) => isDisposed)).toEqual([false, true, false]);
  expect((await cache.acquire(scriptedPicture(1))).origin).toBe("memory");
  expect((await cache.acquire(scriptedPicture(2))).origin).toBe("encoded");
});

test("what somebody holds is never dropped, however full it is", async () => {
  const { cache, runner } = cacheOf(1);
  const held = await Promise.all([1, 2, 3].map((shade) => cache.acquire(scriptedPicture(shade))));
  expect(runner.encoded.some(({ isDisposed }) => isDisposed)).toBe(false);
  for (const states of held) states[Symbol.dispose]();
  // Letting go twice lets go once.
  held[0]?.[Symbol.dispose]();
  const last = await cache.acquire(scriptedPicture(4));
  expect(cache.numPictures).toBe(1);
  expect(runner.encoded.map(({ isDisposed }) => isDisposed)).toEqual([true, true, true, false]);
  last[Symbol.dispose]();
});

test("a failed encoding is forgotten", async () => {
  let fails = true;
  const runner = new ScriptedRunner({
    onEncode: () => {
      if (fails) throw new Error("no");
    },
  });
  const { cache } = cacheOf(2, runner);
  await expect(cache.acquire(scriptedPicture(1))).rejects.toThrow("no");
  expect(cache.numPictures).toBe(0);
  fails = false;
  expect((await cache.acquire(scriptedPicture(1))).origin).toBe("encoded");
});
