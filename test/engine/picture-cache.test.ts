/** What a picture's encoding leaves on disk: found after a restart, with the very same numbers. */
import { mkdtemp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { EngineLoadOptions } from "../../src/engines/engine.ts";
import { demoCheckpoint, goldenCheckpoint, goldenPicture } from "../support/golden.ts";
import {
  type Answer,
  ask,
  greedily,
  promptOf,
  startNativeEngine,
} from "../support/native-engine.ts";

const picture = goldenPicture({ width: 50, height: 52, seed: 3 });
const other = goldenPicture({ width: 150, height: 52, seed: 4 });

async function home() {
  const path = await mkdtemp(join(tmpdir(), "picture-cache-"));
  const pictures = join(path, "pictures");
  return {
    path,
    pictures,
    files: async (): Promise<string[]> => await readdir(pictures).catch(() => []),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** Pictures are written behind the answer: wait until no more than these are missing. */
async function written(cacheDirectory: string, numFiles: number): Promise<void> {
  await vi.waitFor(
    async () => {
      const files = await readdir(join(cacheDirectory, "pictures"));
      expect(files.filter((file) => file.endsWith(".picture"))).toHaveLength(numFiles);
      expect(files).toHaveLength(numFiles);
    },
    { timeout: 20_000 },
  );
}

/** Start an engine, ask about both pictures, end it when there are so many entries. */
async function answerIn(
  cacheDirectory: string | undefined,
  { numFiles, ...options }: Partial<EngineLoadOptions> & { readonly numFiles?: number } = {},
  log: string[] = [],
): Promise<Answer> {
  const tiny = goldenCheckpoint("tiny-a");
  await using engine = await startNativeEngine(
    tiny,
    { cacheDirectory, ...options },
    { onLog: (line) => log.push(line) },
  );
  const answer = await ask(engine, promptOf([1, 256, 256, 30, 31], [picture, other]), {
    ...greedily(12),
    logprobs: 2,
  });
  if (cacheDirectory !== undefined && numFiles !== undefined) {
    await written(cacheDirectory, numFiles);
  }
  return answer;
}

function demoDirectory(): string {
  const directory = demoCheckpoint();
  if (directory === undefined) throw new Error("demo/checkpoint is missing from this checkout");
  return directory;
}

const placesOf = ({ events }: Answer): unknown[] =>
  events.flatMap((event) => (event.type === "image" ? [event.cachedIn ?? "encoded"] : []));

for (const [profile, kvCacheDtype] of [
  ["ref", "f16"],
  ["hf", "f32"],
] as const) {
  test(`profile ${profile} with ${kvCacheDtype} states answers alike from the disk, to the last bit`, async () => {
    await using at = await home();
    const without = await answerIn(undefined, { profile, kvCacheDtype });
    const first = await answerIn(at.path, { profile, kvCacheDtype, numFiles: 2 });
    const again = await answerIn(at.path, { profile, kvCacheDtype });
    expect([placesOf(without), placesOf(first), placesOf(again)]).toEqual([
      ["encoded", "encoded"],
      ["encoded", "encoded"],
      ["disk", "disk"],
    ]);
    const told = ({ events }: Answer) => events.filter(({ type }) => type === "token");
    expect(told(first)).toEqual(told(without));
    expect(told(again)).toEqual(told(without));
  });
}

test("another profile, another dtype and another model have entries of their own", async () => {
  await using at = await home();
  const others: (Partial<EngineLoadOptions> & { numFiles: number })[] = [
    { profile: "ref", kvCacheDtype: "f32", numFiles: 2 },
    { profile: "hf", kvCacheDtype: "f32", numFiles: 4 },
    { profile: "ref", kvCacheDtype: "f16", numFiles: 6 },
    { directory: goldenCheckpoint("tiny-b"), kvCacheDtype: "f32", numFiles: 8 },
  ];
  for (const options of others) {
    expect(placesOf(await answerIn(at.path, options))).toEqual(["encoded", "encoded"]);
  }
});

test("quantizations of one model share what its tower left", async () => {
  await using at = await home();
  const demo = { directory: demoDirectory(), cacheDirectory: at.path };
  const askDemo = async (options: Partial<EngineLoadOptions>): Promise<unknown[]> => {
    await using engine = await startNativeEngine(demo.directory, { ...demo, ...options });
    const { imageTokenId, bosTokenId } = engine.model;
    const prompt = promptOf([bosTokenId, imageTokenId, 300], [picture]);
    const answer = await ask(engine, prompt, greedily(2));
    await written(at.path, 1);
    return placesOf(answer);
  };
  expect(await askDemo({ quantization: "q8_0" })).toEqual(["encoded"]);
  expect(await askDemo({ quantization: "q4_0" })).toEqual(["disk"]);
  expect(await askDemo({ quantization: "none" })).toEqual(["disk"]);
}, 120_000);

test("entries that are damaged or cut short are told, dropped and made anew", async () => {
  await using at = await home();
  const first = await answerIn(at.path, { numFiles: 2 });
  const [one = "", two = ""] = await at.files();
  await truncate(join(at.pictures, one), 100);
  await writeFile(join(at.pictures, two), "not a picture");
  const log: string[] = [];
  const again = await answerIn(at.path, { numFiles: 2 }, log);
  expect(placesOf(again)).toEqual(["encoded", "encoded"]);
  expect(again.tokenIds).toEqual(first.tokenIds);
  expect(log.filter((line) => line.includes("A kept picture was dropped"))).toHaveLength(2);
  expect(placesOf(await answerIn(at.path))).toEqual(["disk", "disk"]);
});

test("two servers share one cache while both write to it", async () => {
  await using at = await home();
  const one = (): Promise<Answer> => answerIn(at.path, { numFiles: 2 });
  const answers = await Promise.all([one(), one(), one()]);
  expect(new Set(answers.map(({ tokenIds }) => tokenIds.join())).size).toBe(1);
  expect(placesOf(await answerIn(at.path))).toEqual(["disk", "disk"]);
});

test("where nothing can be written, answers come all the same, with one warning", async () => {
  await using at = await home();
  await writeFile(at.pictures, "a file where the directory should be");
  const log: string[] = [];
  expect(placesOf(await answerIn(at.path, {}, log))).toEqual(["encoded", "encoded"]);
  expect(log.filter((line) => line.includes("cannot be kept"))).toHaveLength(1);
});

test("a budget of nothing keeps nothing on disk; one that is no amount is refused", async () => {
  await using at = await home();
  const engineOptions = { picture_cache_disk: "0", picture_cache_memory: "1MB" };
  await answerIn(at.path, { engineOptions });
  expect(await at.files()).toEqual([]);
  await expect(
    answerIn(at.path, { engineOptions: { picture_cache_memory: "much" } }),
  ).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining('--picture-cache-memory is "much"'),
  });
});
