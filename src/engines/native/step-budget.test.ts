import { expect, test } from "vitest";
import { greedy, IMAGE_TOKEN, ScriptedRunner } from "../../../test/support/scripted-runner.ts";
import { tokenId } from "../../base/ids.ts";
import type { EngineLoadOptions } from "../engine.ts";
import { NativeEngine } from "./native-engine.ts";
import { stepBudget } from "./step-budget.ts";

const launch = (given: unknown, maxNumSeqs?: number): EngineLoadOptions => ({
  directory: "/checkpoint",
  profile: "ref",
  maxModelLen: undefined,
  maxNumSeqs,
  kvCacheDtype: undefined,
  numThreads: undefined,
  engineOptions: given === undefined ? {} : { max_num_batched_tokens: given },
});

test("it is 512 unless a launch says otherwise, and never fewer than the answers under way", () => {
  expect(stepBudget(launch(undefined), 16)).toBe(512);
  expect(stepBudget(launch(undefined, 1_000), 16)).toBe(1_000);
  expect(stepBudget(launch(2_048), 16)).toBe(2_048);
  expect(stepBudget(launch(4, 4), 16)).toBe(4);
});

test.each([
  [launch(8), /--max-num-batched-tokens is 8, and --max-num-seqs 16: each answer/],
  [launch(0), /is 0; it must be a whole number from 1 to 16384/],
  [launch(1.5), /must be a whole number/],
  [launch("many"), /is "many"; it must be/],
  [launch(20_000), /must be a whole number/],
])("what cannot be is refused with a sentence", (options, sentence) => {
  expect(() => stepBudget(options, 16)).toThrow(sentence);
});

test("no step takes more tokens than that, whatever is asked at once", async () => {
  const runner = new ScriptedRunner({ numBlocks: 400 });
  await using engine = new NativeEngine(runner, { maxNumSeqs: 4, maxBatchedTokens: 24 });
  const ask = async (length: number): Promise<number> => {
    const tokenIds = Array.from({ length }, (_, at) => tokenId(1 + ((at * 7 + length) % 60)));
    expect(tokenIds).not.toContain(IMAGE_TOKEN);
    let numTokens = 0;
    const { signal } = new AbortController();
    for await (const event of engine.generate(
      { tokenIds, pictures: [] },
      { sampling: greedy(6), signal },
    )) {
      if (event.type === "token") numTokens++;
    }
    return numTokens;
  };
  expect(await Promise.all([200, 3, 90, 41, 1, 150].map(ask))).toEqual([6, 6, 6, 6, 6, 6]);
  const sizes = runner.steps.map((step) => step.reduce((sum, count) => sum + count, 0));
  expect(Math.max(...sizes)).toBe(24);
});
