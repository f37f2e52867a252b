/** The demo model's worker stays small, and as small as it was, over thousands of requests. */
import { expect, test } from "vitest";
import type { RgbImage } from "../../src/base/rgb-image.ts";
import { demoCheckpoint, goldenPicture } from "../support/golden.ts";
import { ask, greedily, promptOf, startNativeEngine } from "../support/native-engine.ts";

const MEGABYTE = 1e6;
const NUM_REQUESTS = 4_000;
const AT_ONCE = 4;
/**
 * V8 gives memory back late: over 6,000 requests the resident size went up and down by 20 MB and
 * showed no trend once V8's heap had found its size. A picture has 15 to 250 kB of pixels; one kept in
 * five would be seen.
 */
const WAVES = 24 * MEGABYTE;
/** More than are ever in use at once, asked about again and again; every tile grid is among them. */
const pictures: readonly RgbImage[] = [
  [60, 70],
  [72, 72],
  [140, 70],
  [70, 140],
  [144, 144],
  [300, 280],
  [216, 70],
  [70, 280],
].flatMap(([width = 0, height = 0]) =>
  Array.from({ length: 12 }, (_, seed) => goldenPicture({ width, height, seed })),
);

test("thousands of requests with pictures", { timeout: 300_000 }, async () => {
  const directory = demoCheckpoint();
  if (directory === undefined) throw new Error("demo/checkpoint is missing from this checkout");
  await using engine = await startNativeEngine(directory);
  const { imageTokenId, bosTokenId } = engine.model;
  const sizes: number[] = [];
  let next = 0;
  const askOn = async (): Promise<void> => {
    while (next < NUM_REQUESTS) {
      const picture = pictures[next % pictures.length];
      if (picture === undefined) throw new Error("no picture");
      const question = 300 + (next++ % 500);
      const prompt = promptOf([bosTokenId, imageTokenId, question], [picture]);
      const { tokenIds } = await ask(engine, prompt, greedily(4));
      expect(tokenIds.length).toBeGreaterThan(0);
      if (next % 20 === 0) sizes.push((await engine.stats()).residentBytes);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, askOn));

  expect((await engine.stats()).cachedPictures).toBe(pictures.length);
  expect((await engine.stats()).kvBlocksUsed).toBe(0);
  expect(Math.max(...sizes)).toBeLessThan(300 * MEGABYTE);
  const window = Math.floor(sizes.length / 5);
  const early = median(sizes.slice(2 * window, 3 * window));
  const late = median(sizes.slice(-window));
  expect(late - early).toBeLessThan(WAVES);
});

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
