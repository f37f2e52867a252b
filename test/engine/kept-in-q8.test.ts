/** Keys and values in eight bits: the demo model's answers stay, its numbers move little, and what is shared is what is computed. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { demoCheckpoint, demoPictures } from "../../src/config/package.ts";
import type { Picture } from "../../src/generation/engine-prompt.ts";
import { type DemoCase, demoCases } from "../support/demo-golden.ts";
import { goldenCheckpoint } from "../support/golden.ts";
import { ask, greedily, promptOf, startNativeEngine } from "../support/native-engine.ts";

type Answer = Awaited<ReturnType<typeof ask>>;

async function pictureNamed(name: string): Promise<Picture> {
  const { data, info } = await sharp(await readFile(join(demoPictures(), name)))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  return { width, height, pixels: new Uint8Array(data), contentHash: name };
}

const logprobs = ({ events }: Answer): number[] =>
  events.flatMap((event) => (event.type === "token" ? [event.logprob ?? Number.NaN] : []));

const furthest = (one: Answer, other: Answer): number =>
  Math.max(
    ...logprobs(one).map((value, index) =>
      Math.abs(value - (logprobs(other)[index] ?? Number.NaN)),
    ),
  );

/** Differences of log-probabilities, at most; a wrong block or scale gives more than 1. */
const FROM_F32 = 0.2;
const FROM_FIRST = 0.1;

const sampling = { ...greedily(1), logprobs: 0 };

const start = async (kvCacheDtype: "f32" | "q8_0") =>
  await startNativeEngine(demoCheckpoint(), { kvCacheDtype, maxModelLen: 1_024 });

const picturesOf = async ({ picture }: DemoCase): Promise<Picture[]> =>
  picture === null ? [] : [await pictureNamed(picture)];

test("recorded questions get the reference's answers, and log-probabilities near those of f32", async () => {
  await using exact = await start("f32");
  await using kept = await start("q8_0");
  for (const one of demoCases) {
    const prompt = promptOf(one.promptIds, await picturesOf(one));
    const { generatedIds } = one.profiles.ref;
    const asLong = { ...sampling, maxTokens: generatedIds.length };
    const answer = await ask(kept, prompt, asLong);
    expect(answer.tokenIds.length).toBeGreaterThan(0);
    expect(answer.tokenIds).toEqual(generatedIds.slice(0, answer.tokenIds.length));
    expect(furthest(answer, await ask(exact, prompt, asLong))).toBeLessThan(FROM_F32);
  }
});

test("a shared beginning gives what a first reading gives, and a first reading always the same", async () => {
  await using kept = await start("q8_0");
  const words = Array.from({ length: 150 }, (_, index) => 20 + ((index * 7) % 200));
  for (const one of demoCases) {
    const [bos = 0, ...question] = one.promptIds;
    const pictures = await picturesOf(one);
    // The picture twice, so that one group of pictures is followed by another.
    const prompt = promptOf([bos, ...question, ...words, ...question], [...pictures, ...pictures]);
    const first = await ask(kept, prompt, sampling);
    await using fresh = await start("q8_0");
    const alone = await ask(fresh, prompt, sampling);
    expect(logprobs(alone)).toEqual(logprobs(first));
    const again = await ask(kept, prompt, sampling);
    const reused = again.events.flatMap((event) =>
      event.type === "reused" ? [event.numTokens] : [],
    );
    expect(reused[0]).toBeGreaterThanOrEqual(128);
    expect(again.tokenIds).toEqual(first.tokenIds);
    expect(furthest(again, first)).toBeLessThan(FROM_FIRST);
  }
});

test("heads that are no whole blocks are refused with a sentence", async () => {
  await expect(
    startNativeEngine(goldenCheckpoint("tiny-a"), { kvCacheDtype: "q8_0" }),
  ).rejects.toThrow(
    /--kv-cache-dtype q8_0 comes in blocks of 32 numbers, and the heads of this model have 8\. Leave it out/,
  );
});
