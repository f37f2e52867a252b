/** A prompt's beginning is paid for once, with a real model and its numbers. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { demoCheckpoint, demoPictures } from "../../src/config/package.ts";
import { goldenCheckpoint, goldenPicture } from "../support/golden.ts";
import { ask, greedily, promptOf, startNativeEngine } from "../support/native-engine.ts";

const now = (): number => performance.now();

test("a repeated beginning of 4,000 tokens costs at most a twentieth of what it cost first", async () => {
  await using engine = await startNativeEngine(demoCheckpoint());
  const ids = Array.from({ length: 4_000 }, (_, index) => 3 + ((index * 7) % 200));
  const time = async (last: number): Promise<number> => {
    const start = now();
    await ask(engine, promptOf([1, ...ids, last], []), greedily(1));
    return now() - start;
  };
  // Another beginning warms up.
  await ask(engine, promptOf([1, ...ids.toReversed()], []), greedily(1));
  const first = await time(5);
  const repeated = Math.min(await time(6), await time(7), await time(8));
  expect(repeated / first).toBeLessThan(0.05);
  const { reusedTokens = 0 } = await engine.stats();
  expect(reusedTokens).toBe(3 * 62 * 64);
}, 120_000);

test("with pictures, answers and their numbers are those of a model that sees it all for the first time", async () => {
  const tiny = goldenCheckpoint("tiny-a");
  const picture = goldenPicture({ width: 50, height: 52, seed: 9 });
  const words = Array.from({ length: 150 }, (_, index) => 20 + (index % 90));
  const prompts = [5, 6, 7].map((last) => promptOf([1, 256, ...words, last], [picture]));
  await using engine = await startNativeEngine(tiny);
  await ask(engine, prompts[0] ?? promptOf([1], []), greedily(20));
  for (const prompt of prompts) {
    const sampling = { ...greedily(20), logprobs: 0 };
    const reused = await ask(engine, prompt, sampling);
    await using fresh = await startNativeEngine(tiny);
    const alone = await ask(fresh, prompt, sampling);
    expect(reused.events.find(({ type }) => type === "reused")).toEqual({
      type: "reused",
      numTokens: 128,
    });
    expect(reused.tokenIds).toEqual(alone.tokenIds);
    const logprobs = ({ events }: typeof alone): number[] =>
      events.flatMap((event) => (event.type === "token" ? [event.logprob ?? Number.NaN] : []));
    logprobs(reused).forEach((logprob, index) => {
      expect(Math.abs(logprob - (logprobs(alone)[index] ?? Number.NaN))).toBeLessThan(1e-4);
    });
  }
}, 120_000);

test("another picture in the same place is never taken for the first", async () => {
  await using engine = await startNativeEngine(demoCheckpoint());
  const [one, other] = await Promise.all(
    ["number.png", "first.png"].map(async (name) => {
      const { data, info } = await sharp(await readFile(join(demoPictures(), name)))
        .removeAlpha()
        .raw()
        .toBuffer({ resolveWithObject: true });
      return {
        width: info.width,
        height: info.height,
        pixels: new Uint8Array(data),
        contentHash: name,
      };
    }),
  );
  if (one === undefined || other === undefined) throw new Error("no pictures");
  const { imageTokenId } = engine.model;
  const words = Array.from({ length: 130 }, (_, index) => 20 + (index % 50));
  await ask(engine, promptOf([1, imageTokenId, ...words], [one]), greedily(1));
  await ask(engine, promptOf([1, imageTokenId, ...words], [other]), greedily(1));
  expect((await engine.stats()).reusedTokens).toBe(0);
});
