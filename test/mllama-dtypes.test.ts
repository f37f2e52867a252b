/** Checkpoints in bfloat16 and float16, in old and new names: greedy tokens, and numbers in limits. */
import { describe, expect, test } from "vitest";
import { encodeImage } from "../src/models/mllama/encode-image.ts";
import type { PictureStates } from "../src/models/mllama/picture-states.ts";
import { goldenTensor, manifest, readGolden } from "./support/golden.ts";
import { generateGreedily } from "./support/text-probe.ts";
import { openTinyModel } from "./support/tiny-model.ts";
import { distance, roundedLimits } from "./support/tolerances.ts";
import { readVision } from "./support/vision-probe.ts";

const limitsOf = {
  "tiny-a-bf16": roundedLimits.bf16,
  "tiny-a-nonzero-tables": roundedLimits.bf16,
  "tiny-a-v5-f16": roundedLimits.f16,
};

describe.each(Object.entries(limitsOf))("%s", (model, limits) => {
  const cases = manifest.cases
    .filter((golden) => golden.model === model)
    .flatMap((golden) =>
      (["ref", "hf"] as const).map((profile) => [golden.case, profile, golden] as const),
    );

  function expectNear(actual: Float32Array, expected: Float32Array): void {
    const { largest, meanSquare } = distance(actual, expected);
    expect(largest).toBeLessThanOrEqual(limits.largest);
    expect(meanSquare).toBeLessThanOrEqual(limits.meanSquare);
  }

  test("has cases", () => expect(cases).toHaveLength(8));

  test.each(cases)("%s, %s: 24 tokens and their logits", async (_name, profile, golden) => {
    using open = await openTinyModel(model, profile);
    const pictures: PictureStates[] = [];
    for (const tiles of open.tiles(golden)) pictures.push(await encodeImage(open.model, tiles));
    const { file, generatedIds } = golden.profiles[profile];

    const { ids, logits } = await generateGreedily(open, { golden, pictures, numTokens: 24 });

    expect(ids).toEqual(generatedIds);
    const tensors = readGolden(file);
    const few = tensors.get("steps.logits.few");
    const rows = few === undefined ? logits.map((_, step) => step) : manifest.fewSteps;
    const expected = (few ?? goldenTensor(tensors, "steps.logits")).data;
    const width = open.model.config.text.vocabSize;
    for (const [row, step] of rows.entries()) {
      expectNear(
        logits[step] ?? new Float32Array(),
        expected.subarray(row * width, (row + 1) * width),
      );
    }
    for (const picture of pictures) picture[Symbol.dispose]();
  });

  const seeing = cases.filter(
    ([, profile, { pictures }]) => profile === "ref" && pictures.length > 0,
  );
  test.each(seeing)("%s, %s: projected tokens", async (_name, profile, golden) => {
    using open = await openTinyModel(model, profile);
    const tensors = readGolden(golden.profiles[profile].file);
    const { data, shape } = goldenTensor(
      tensors,
      tensors.has("vision.projected") ? "vision.projected" : "vision.projected.used",
    );
    const [, numSlots = 0, tokensPerTile = 0, width = 0] = shape;
    for (const [index, tiles] of open.tiles(golden).entries()) {
      const projected = (await readVision(open.model, tiles, ["projected"])).get("projected");
      const numReal = tiles.numTiles * tokensPerTile * width;
      const start = index * numSlots * tokensPerTile * width;
      expectNear(
        (projected ?? new Float32Array()).subarray(0, numReal),
        data.subarray(start, start + numReal),
      );
    }
  });
});
