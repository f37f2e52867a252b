/** A sequence whose KV cells do not follow each other answers as one whose cells do. */
import { describe, expect, test } from "vitest";
import { type BlockId, blockId, tokenId } from "../../src/base/ids.ts";
import { loadMllamaRunner } from "../../src/engines/native/mllama-runner.ts";
import type { CrossStates, ModelRunner } from "../../src/engines/native/model-runner.ts";
import {
  type GoldenCase,
  goldenCheckpoint,
  goldenTensor,
  manifest,
  readGolden,
} from "../support/golden.ts";
import { goldenPrompt } from "../support/native-engine.ts";
import { excess, tolerances } from "../support/tolerances.ts";

const NUM_TOKENS = 24;
const MAX_LENGTH = 512;

const orders = {
  consecutive: [0, 1, 2, 3, 4, 5, 6, 7],
  /** As when blocks were given back in another order than they were taken. */
  scattered: [6, 1, 5, 0, 7, 2, 4, 3],
  withGaps: [0, 1, 4, 5, 9, 10, 13, 14],
} as const;

function caseNamed(wanted: string): GoldenCase {
  const found = manifest.cases.find((one) => one.model === "tiny-a" && one.case === wanted);
  if (found === undefined) throw new Error(`no case ${wanted}`);
  return found;
}

const longText = caseNamed("long-text");
/** Two pictures, and then so much text that it takes several blocks. */
const picturesAndText: GoldenCase = (() => {
  const golden = caseNamed("two-pictures");
  return { ...golden, promptIds: [...golden.promptIds, ...longText.promptIds.slice(1, 280)] };
})();

async function openRunner(kvCacheDtype: "f32" | "f16"): Promise<ModelRunner> {
  return await loadMllamaRunner(
    {
      directory: goldenCheckpoint("tiny-a"),
      profile: "ref",
      maxModelLen: MAX_LENGTH,
      maxNumSeqs: undefined,
      kvCacheDtype,
      numThreads: 1,
    },
    { onProgress: () => {} },
  );
}

/** The prompt in pieces of `pieceLength`, then token by token; the logits of each generated one. */
async function generate(
  runner: ModelRunner,
  golden: GoldenCase,
  { blocks, pieceLength }: { readonly blocks: readonly number[]; readonly pieceLength: number },
): Promise<{ ids: number[]; logits: Float32Array[] }> {
  const prompt = goldenPrompt(golden);
  const pictures: CrossStates[] = [];
  for (const picture of prompt.pictures)
    pictures.push(await runner.encodeImage(picture, { pause: async () => {} }));
  const imagePositions = golden.promptIds.flatMap((id, position) =>
    id === runner.model.imageTokenId ? [position] : [],
  );
  const blockIds: BlockId[] = blocks.map(blockId);
  const ids: number[] = [...golden.promptIds];
  const logits: Float32Array[] = [];
  let start = 0;
  while (logits.length < NUM_TOKENS) {
    const end = Math.min(ids.length, start + pieceLength);
    const [row] = await runner.step([
      {
        tokenIds: ids.slice(start, end).map(tokenId),
        startPosition: start,
        blockIds,
        pictures,
        imagePositions,
        numLogits: end === ids.length ? 1 : 0,
      },
    ]);
    start = end;
    if (row === undefined) continue;
    logits.push(row);
    ids.push(row.reduce((best, value, id) => (value > (row[best] ?? 0) ? id : best), 0));
  }
  for (const picture of pictures) picture[Symbol.dispose]();
  return { ids: ids.slice(golden.promptIds.length), logits };
}

describe.each(["f32", "f16"] as const)("cells in %s", (dtype) => {
  test.each([
    ["text", longText],
    ["two pictures and text", picturesAndText],
  ] as const)("%s: the same numbers wherever the cells lie", async (_name, golden) => {
    await using runner = await openRunner(dtype);
    const numBlocks = Math.ceil((golden.promptIds.length + NUM_TOKENS) / runner.blockSize);
    expect(numBlocks).toBeGreaterThan(4);
    expect(numBlocks).toBeLessThanOrEqual(orders.consecutive.length);
    const expected = await generate(runner, golden, {
      blocks: orders.consecutive,
      pieceLength: 100,
    });
    for (const blocks of [orders.scattered, orders.withGaps]) {
      expect(Math.max(...blocks)).toBeLessThan(runner.numBlocks);
      const scattered = await generate(runner, golden, { blocks, pieceLength: 100 });
      expect(scattered.ids).toEqual(expected.ids);
      for (const [step, row] of scattered.logits.entries()) {
        expect([step, blocks, row]).toEqual([step, blocks, expected.logits[step]]);
      }
    }
  });
});

test("scattered cells give the reference's tokens and logits", async () => {
  await using runner = await openRunner("f32");
  const { ids, logits } = await generate(runner, longText, {
    blocks: orders.scattered,
    pieceLength: 512,
  });
  const { file, generatedIds } = longText.profiles.ref;
  expect(ids).toEqual(generatedIds);
  const { data } = goldenTensor(readGolden(file), "steps.logits.few");
  const width = runner.model.vocabSize;
  for (const [row, step] of manifest.fewSteps.entries()) {
    const theirs = data.subarray(row * width, (row + 1) * width);
    expect([step, excess(logits[step] ?? new Float32Array(), theirs, tolerances.f32) <= 1]).toEqual(
      [step, true],
    );
  }
});
