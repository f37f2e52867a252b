/** Rotary frequencies and tables against Transformers, up to the last position of the real models. */
import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../src/models/mllama/checkpoint.ts";
import { publishedForm } from "../src/models/mllama/gguf-weights.ts";
import { textFrequencies } from "../src/models/mllama/mllama-model.ts";
import { inverseFrequencies, type RopeParameters, rotationTables } from "../src/nn/rope.ts";
import { goldenCheckpoint, goldenTensor, manifest, readGolden } from "./support/golden.ts";
import { excess, tolerances } from "./support/tolerances.ts";

type RecordedRope = (typeof manifest.rope)[string];

function parametersOf({ headSize, ropeTheta, ropeScaling }: RecordedRope): RopeParameters {
  const number = (name: string): number => {
    const value = ropeScaling?.[name];
    if (typeof value !== "number") throw new Error(`${name} is missing`);
    return value;
  };
  return {
    headSize,
    theta: ropeTheta,
    scaling:
      ropeScaling === null
        ? undefined
        : {
            factor: number("factor"),
            lowFreqFactor: number("low_freq_factor"),
            highFreqFactor: number("high_freq_factor"),
            originalMaxPositions: number("original_max_position_embeddings"),
          },
  };
}

const recorded = Object.entries(manifest.rope);

test("the record has the real models' numbers, scaled ones of a tiny model and plain ones", () => {
  expect(recorded.map(([name]) => name)).toEqual(["tiny-d", "tiny-a", "plain"]);
  expect(manifest.rope["tiny-d"]).toMatchObject({ headSize: 128, ropeTheta: 500_000 });
});

describe.each(recorded)("%s", (_name, rope) => {
  const tensors = readGolden(rope.file);
  const frequencies = inverseFrequencies(parametersOf(rope));

  test("inverse frequencies are the reference's to the bit", () => {
    expect(frequencies).toHaveLength(rope.headSize / 2);
    expect(frequencies).toEqual(goldenTensor(tensors, "inv_freq").data);
  });

  test("cosines and sines are the reference's to one unit in the last place", () => {
    expect(rope.positions.at(-1)).toBe(131_071);
    const { cos, signedSin } = rotationTables(frequencies, rope.positions);
    const sin = signedSin.map((sine, index) =>
      index % rope.headSize < rope.headSize / 2 ? -sine : sine,
    );
    expect(excess(cos, goldenTensor(tensors, "cos").data, tolerances.cosine)).toBeLessThanOrEqual(
      1,
    );
    expect(excess(sin, goldenTensor(tensors, "sin").data, tolerances.cosine)).toBeLessThanOrEqual(
      1,
    );
  });
});

describe("a checkpoint's config ends in the recorded frequencies", () => {
  const models = new Set(manifest.cases.map(({ model }) => model));
  test.each([...models])("%s", async (model) => {
    const rope = manifest.rope[model === "tiny-c" ? "plain" : "tiny-a"];
    if (rope === undefined) throw new Error("no such record");
    const { config } = await openCheckpoint(goldenCheckpoint(model));
    expect(textFrequencies({ config, form: publishedForm })).toEqual(
      goldenTensor(readGolden(rope.file), "inv_freq").data,
    );
  });
});
