/** The text model against Transformers: stages, logits, and 24 greedy tokens with the cache. */
import { describe, expect, test } from "vitest";
import { encodeImage } from "../src/models/mllama/encode-image.ts";
import type { PictureStates } from "../src/models/mllama/picture-states.ts";
import { type GoldenCase, goldenTensor, manifest, readGolden } from "./support/golden.ts";
import { generateGreedily, readText } from "./support/text-probe.ts";
import { type OpenModel, openTinyModel } from "./support/tiny-model.ts";
import { excess, tolerances } from "./support/tolerances.ts";

const profiles = ["ref", "hf"] as const;
const float32Models = ["tiny-a", "tiny-b", "tiny-c"];
const float32Cases = manifest.cases
  .filter(({ model }) => float32Models.includes(model))
  .flatMap((golden) =>
    profiles.map((profile) => [golden.model, golden.case, profile, golden] as const),
  );

async function encodeAll(open: OpenModel, golden: GoldenCase): Promise<PictureStates[]> {
  const states: PictureStates[] = [];
  for (const tiles of open.tiles(golden)) states.push(await encodeImage(open.model, tiles));
  return states;
}

describe("24 greedy tokens and their logits", () => {
  test.each(float32Cases)("%s, %s, %s", async (model, _name, profile, golden) => {
    using open = await openTinyModel(model, profile);
    const pictures = await encodeAll(open, golden);
    const { file, generatedIds } = golden.profiles[profile];
    const { ids, logits } = await generateGreedily(open, { golden, pictures, numTokens: 24 });
    expect(ids).toEqual(generatedIds);

    const tensors = readGolden(file);
    const few = tensors.get("steps.logits.few");
    const rows = few === undefined ? logits.map((_, step) => step) : manifest.fewSteps;
    const expected = (few ?? goldenTensor(tensors, "steps.logits")).data;
    const width = open.model.config.text.vocabSize;
    for (const [row, step] of rows.entries()) {
      const ours = logits[step] ?? new Float32Array();
      expect([
        step,
        excess(ours, expected.subarray(row * width, (row + 1) * width), tolerances.f32) <= 1,
      ]).toEqual([step, true]);
    }
    for (const picture of pictures) picture[Symbol.dispose]();
  });
});

describe("every layer of the text model agrees", () => {
  const staged = float32Cases.filter(
    ([model, name]) =>
      model === "tiny-a" && ["one-tile", "two-pictures", "text-only"].includes(name),
  );
  test.each(staged)("%s, %s, %s", async (model, _name, profile, golden) => {
    using open = await openTinyModel(model, profile);
    const pictures = await encodeAll(open, golden);
    const tensors = readGolden(golden.profiles[profile].file);
    const stages = await readText(open, { golden, pictures });
    const compared = [...tensors.keys()].filter((name) =>
      /^text\.(layer\.\d+|embeddings)$/.test(name),
    );
    expect(compared.length).toBeGreaterThan(4);
    for (const name of compared) {
      const ours = stages.get(name.replace("text.", "").replace("embeddings", "embedding"));
      const { data } = goldenTensor(tensors, name);
      expect([name, excess(ours ?? new Float32Array(), data, tolerances.f32) <= 1]).toEqual([
        name,
        true,
      ]);
    }
  });
});

test("a prompt cut anywhere gives the numbers of the whole", async () => {
  using open = await openTinyModel("tiny-a", "ref");
  const golden = manifest.cases.find(
    ({ model, case: name }) => model === "tiny-a" && name === "two-pictures",
  );
  if (golden === undefined) throw new Error("the case is missing");
  const pictures = await encodeAll(open, golden);
  const whole = await generateGreedily(open, { golden, pictures, numTokens: 1 });
  for (let cut = 1; cut < golden.promptIds.length; cut++) {
    const parts = await generateGreedily(open, { golden, pictures, numTokens: 1, cut });
    const [a, b] = [parts.logits[0], whole.logits[0]];
    if (a === undefined || b === undefined) throw new Error("no logits");
    expect([cut, excess(a, b, tolerances.f32) <= 1]).toEqual([cut, true]);
  }
});
