/** The text model against Transformers: stages, logits, and 24 greedy tokens with the cache. */
import { describe, expect, test } from "vitest";
import { encodeImage } from "../src/models/mllama/encode-image.ts";
import type { PictureStates } from "../src/models/mllama/picture-states.ts";
import {
  type GoldenCase,
  type GoldenTensor,
  goldenTensor,
  manifest,
  readGolden,
} from "./support/golden.ts";
import {
  generateGreedily,
  readPictureStates,
  readRows,
  readText,
  type StageNumbers,
} from "./support/text-probe.ts";
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

describe("every stage of the text model agrees", () => {
  const isStaged = ({ profiles: files }: GoldenCase, profile: "ref" | "hf"): boolean =>
    readGolden(files[profile].file).has("text.embeddings");
  const staged = float32Cases.filter(([, , profile, golden]) => isStaged(golden, profile));

  test("cases with one picture, two and none have all stages, in both profiles", () => {
    expect(staged.map(([model, name, profile]) => [model, name, profile])).toEqual(
      ["one-tile", "text-only", "two-pictures"].flatMap((name) =>
        profiles.map((profile) => ["tiny-a", name, profile]),
      ),
    );
  });

  test.each(staged)("%s, %s, %s", async (model, _name, profile, golden) => {
    using open = await openTinyModel(model, profile);
    const pictures = await encodeAll(open, golden);
    const tensors = readGolden(golden.profiles[profile].file);
    const numRows = golden.promptIds.length;
    const ours = {
      numRows,
      stages: await readText(open, { golden, pictures }),
      norms: (await readRows(open, { golden, pictures }, numRows)).norms,
      crossStates: await crossStatesOf(open, pictures),
    };
    const { crossLayers, numLayers } = open.model.config.text;
    const names = [...tensors.keys()].filter(
      (name) => name.startsWith("text.") && name !== "text.logits",
    );
    // Without a picture the reference skips the cross layers.
    const perCrossLayer = pictures.length === 0 ? 0 : 6;
    expect(names).toHaveLength(
      2 + 3 * (numLayers - crossLayers.length) + perCrossLayer * crossLayers.length,
    );
    for (const name of names) {
      const theirs = goldenTensor(tensors, name);
      const [a, b] = compared(open, name, theirs, ours);
      expect([name, b.length > 0, excess(a, b, tolerances.f32) <= 1]).toEqual([name, true, true]);
    }
    for (const picture of pictures) picture[Symbol.dispose]();
  });
});

type OurStages = {
  readonly numRows: number;
  readonly stages: ReadonlyMap<string, StageNumbers>;
  readonly norms: readonly Float32Array[];
  /** By layer, then picture. */
  readonly crossStates: ReadonlyMap<number, readonly CrossState[]>;
};

type CrossState = { readonly key: Float32Array; readonly value: Float32Array };

async function crossStatesOf(
  open: OpenModel,
  pictures: readonly PictureStates[],
): Promise<Map<number, CrossState[]>> {
  const states = new Map<number, CrossState[]>();
  for (const layer of open.model.config.text.crossLayers) {
    const ofLayer: CrossState[] = [];
    for (const picture of pictures) ofLayer.push(await readPictureStates(open, picture, layer));
    states.set(layer, ofLayer);
  }
  return states;
}

/** Our numbers of a stage and the fixture's, brought to one layout. */
function compared(
  { model: { config } }: OpenModel,
  name: string,
  theirs: GoldenTensor,
  { numRows, stages, norms, crossStates }: OurStages,
): [Float32Array, Float32Array] {
  if (name === "text.norm") return [joined(norms), theirs.data];
  if (name === "text.embeddings") return [stageOf(stages, "embedding").data, theirs.data];
  const [, layer = "", stage] = /^text\.layer\.(\d+)(?:\.(\w+))?$/.exec(name) ?? [];
  const states = crossStates.get(Number(layer));
  switch (stage) {
    case undefined:
      return [stageOf(stages, `layer.${layer}`).data, theirs.data];
    case "k":
    case "v":
      if (states !== undefined) {
        const tokensPerPicture = config.vision.maxTiles * config.vision.tokensPerTile;
        return pictureTokens(theirs, states, { stage, tokensPerPicture });
      }
      return inRows(stageOf(stages, `layer.${layer}.${stage}`), theirs);
    case "q":
      return inRows(stageOf(stages, `layer.${layer}.q`), theirs);
    case "attention":
      return [wholePass(stageOf(stages, `layer.${layer}.attention`), numRows), theirs.data];
    case "row_mask":
      return [rowMask(stages, `layer.${layer}`, numRows), theirs.data];
    default:
      throw new Error(`${name} is compared with nothing`);
  }
}

function stageOf(stages: ReadonlyMap<string, StageNumbers>, name: string): StageNumbers {
  const numbers = stages.get(name);
  if (numbers === undefined) throw new Error(`our model has no stage ${name}`);
  return numbers;
}

function joined(rows: readonly Float32Array[]): Float32Array {
  return Float32Array.from(rows.flatMap((row) => [...row]));
}

/** `[heads, tokens, size]` → `[tokens, heads, size]`. */
function byToken({ data, shape }: GoldenTensor): Float32Array[] {
  const [numHeads = 0, numTokens = 0, size = 0] = shape;
  return Array.from({ length: numTokens }, (_, token) =>
    joined(
      Array.from({ length: numHeads }, (__, head) => {
        const start = (head * numTokens + token) * size;
        return data.subarray(start, start + size);
      }),
    ),
  );
}

/** Rows that take no part are left out of the fixture's too; `row_mask` says whether they are the right ones. */
function inRows({ data, rows }: StageNumbers, theirs: GoldenTensor): [Float32Array, Float32Array] {
  const tokens = byToken(theirs);
  return [
    data,
    joined(rows === undefined ? tokens : tokens.filter((_, row) => rows.includes(row))),
  ];
}

/** Zeros where a row takes no part. */
function wholePass({ data, rows, shape }: StageNumbers, numRows: number): Float32Array {
  if (rows === undefined) return data;
  const [, width = 0] = shape;
  const whole = new Float32Array(numRows * width);
  for (const [index, row] of rows.entries()) {
    whole.set(data.subarray(index * width, (index + 1) * width), row * width);
  }
  return whole;
}

/** A row may see a picture when it takes part and its feed-forward update is kept. */
function rowMask(
  stages: ReadonlyMap<string, StageNumbers>,
  layer: string,
  numRows: number,
): Float32Array {
  const mask = stages.get(`${layer}.row_mask`);
  if (mask !== undefined) return wholePass(mask, numRows);
  const { rows, shape } = stageOf(stages, `${layer}.attention`);
  const [numTakingPart = 0] = shape;
  return wholePass(
    { data: new Float32Array(numTakingPart).fill(1), rows, shape: [numTakingPart, 1] },
    numRows,
  );
}

/** Keys or values of all pictures: as many tokens of each as are kept of it. */
function pictureTokens(
  theirs: GoldenTensor,
  states: readonly CrossState[],
  { stage, tokensPerPicture }: { readonly stage: "k" | "v"; readonly tokensPerPicture: number },
): [Float32Array, Float32Array] {
  const tokens = byToken(theirs);
  expect(tokens).toHaveLength(states.length * tokensPerPicture);
  const width = tokens[0]?.length ?? 0;
  const ours = states.map(({ key, value }) => (stage === "k" ? key : value));
  return [
    joined(ours),
    joined(
      ours.flatMap((rows, picture) => {
        const start = picture * tokensPerPicture;
        return tokens.slice(start, start + rows.length / width);
      }),
    ),
  ];
}

describe("logits of every recorded prompt row agree", () => {
  test.each(float32Cases)("%s, %s, %s", async (model, _name, profile, golden) => {
    using open = await openTinyModel(model, profile);
    const pictures = await encodeAll(open, golden);
    const { data, shape } = goldenTensor(readGolden(golden.profiles[profile].file), "text.logits");
    const [numRows = 0, width = 0] = shape;
    expect([1, golden.promptIds.length]).toContain(numRows);
    expect(width).toBe(open.model.config.text.vocabSize);
    const { logits } = await readRows(open, { golden, pictures }, numRows);
    expect(logits).toHaveLength(numRows);
    for (const [row, ours] of logits.entries()) {
      const theirs = data.subarray(row * width, (row + 1) * width);
      expect([row, excess(ours, theirs, tolerances.f32) <= 1]).toEqual([row, true]);
    }
    for (const picture of pictures) picture[Symbol.dispose]();
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
