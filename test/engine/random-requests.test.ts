/**
 * Requests of every kind, half of them given up at a random moment: nothing of them stays.
 *
 * `ATALAYA_NUM_REQUESTS=10000` runs more of them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { PlatformError } from "../../src/base/errors.ts";
import { goldenCheckpoint, goldenPicture } from "../support/golden.ts";
import { greedily, promptOf, startNativeEngine } from "../support/native-engine.ts";

const numRequests = Number(process.env["ATALAYA_NUM_REQUESTS"] ?? 1_500);
const atOnce = 24;

function randomSource(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

test(`${numRequests} random requests, half of them cancelled`, { timeout: 900_000 }, async () => {
  const below = randomSource(7);
  const pictures = Array.from({ length: 12 }, (_, seed) =>
    goldenPicture({ width: 20 + 9 * (seed % 5), height: 20 + 7 * (seed % 4), seed }),
  );
  await using engine = await startNativeEngine(goldenCheckpoint("tiny-a"), {
    maxModelLen: 512,
    maxNumSeqs: 8,
  });
  const outcomes = new Map<string, number>();
  const count = (outcome: string): void => {
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  };

  async function askOne(): Promise<void> {
    const shown = Array.from({ length: below(3) }, () => pictures[below(pictures.length)]);
    const seen = shown.filter((picture) => picture !== undefined);
    // Few beginnings, so that blocks are shared; some prompts fill several blocks, some are refused.
    const beginning = below(4);
    const words = Array.from({ length: below(200) }, (_, index) => 20 + ((beginning + index) % 90));
    const prompt = promptOf([1, ...seen.map(() => 256), ...words, 20 + below(90)], seen);
    const stop = new AbortController();
    if (below(2) === 0) setTimeout(() => stop.abort(), below(60));
    const sampling = {
      ...greedily(1 + below(40)),
      temperature: below(2),
      seed: below(1_000),
      logprobs: below(3) === 0 ? below(5) : undefined,
    };
    try {
      let last = "";
      for await (const event of engine.generate(prompt, { sampling, signal: stop.signal })) {
        last = event.type;
        if (below(60) === 0) break;
      }
      count(stop.signal.aborted ? "cancelled" : last);
    } catch (error) {
      if (!stop.signal.aborted && !(error instanceof PlatformError)) throw error;
      count(stop.signal.aborted ? "cancelled" : error instanceof PlatformError ? error.code : "");
    }
  }

  const sizes: number[] = [];
  let asked = 0;
  const askOn = async (): Promise<void> => {
    while (asked < numRequests) {
      asked++;
      if (asked % 100 === 0) sizes.push((await engine.stats()).residentBytes);
      await askOne();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, askOn));

  for (let wait = 0; wait < 200 && (await engine.stats()).numRunning > 0; wait++) await sleep(10);
  const stats = await engine.stats();
  expect(stats).toMatchObject({ numRunning: 0, numWaiting: 0, kvBlocksUsed: 0 });
  expect(stats.cachedPictures).toBeLessThanOrEqual(pictures.length);
  expect(outcomes.get("finish") ?? 0).toBeGreaterThan(numRequests / 5);
  expect(outcomes.get("cancelled") ?? 0).toBeGreaterThan(numRequests / 20);
  expect([...outcomes.keys()].filter((key) => key === "worker_failed")).toEqual([]);
  const [early, late] = [sizes.slice(0, Math.ceil(sizes.length / 2)), sizes.slice(-3)];
  expect(Math.max(...late) - Math.max(...early)).toBeLessThan(40e6);
});
