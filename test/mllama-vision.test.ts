/** The vision tower, stage by stage, against Transformers; the shared rows against the plain way. */
import { describe, expect, test } from "vitest";
import type { Tensor } from "../src/ggml/tensor.ts";
import { encodeImage } from "../src/models/mllama/encode-image.ts";
import { type GoldenCase, goldenTensor, manifest, readGolden } from "./support/golden.ts";
import { openTinyModel } from "./support/tiny-model.ts";
import { excess, tolerances } from "./support/tolerances.ts";
import { readVision } from "./support/vision-probe.ts";

const profiles = ["ref", "hf"] as const;
const float32Models = ["tiny-a", "tiny-b", "tiny-c"];
const withPictures = manifest.cases.filter(({ pictures }) => pictures.length > 0);

describe("projected tokens agree with Transformers", () => {
  const cases = withPictures
    .filter(({ model }) => float32Models.includes(model))
    .flatMap((golden) =>
      profiles.map((profile) => [golden.model, golden.case, profile, golden] as const),
    );
  test.each(cases)("%s, %s, %s", async (model, _name, profile, golden) => {
    using open = await openTinyModel(model, profile);
    const tensors = readGolden(golden.profiles[profile].file);
    const tokensPerTile = open.model.config.vision.tokensPerTile;
    const name = tensors.has("vision.projected") ? "vision.projected" : "vision.projected.used";
    if (!tensors.has(name)) return expectLogitsOnly(golden, profile);
    const { data, shape } = goldenTensor(tensors, name);
    const [, numSlots = 0, , width = 0] = shape;
    for (const [index, tiles] of open.tiles(golden).entries()) {
      const probe = await readVision(open.model, tiles, ["projected"]);
      const ours = probe.get("projected") ?? new Float32Array();
      const numReal = tiles.numTiles * tokensPerTile * width;
      const start = index * numSlots * tokensPerTile * width;
      expect(
        excess(ours.subarray(0, numReal), data.subarray(start, start + numReal), tolerances.f32),
      ).toBeLessThanOrEqual(1);
    }
  });
});

/** `hf` files of most cases hold logits only; `mllama-text.test.ts` covers those. */
function expectLogitsOnly(golden: GoldenCase, profile: "ref" | "hf"): void {
  expect(readGolden(golden.profiles[profile].file).has("text.logits")).toBe(true);
}

describe("every stage of the tower agrees", () => {
  /** Our stage → the fixture's, and whether rows of pads follow each tile there. */
  const stages = [
    ["patches", "vision.patch", "tokens"],
    ["preTile", "vision.pre_tile", "tokens"],
    ["positions", "vision.position", "tokens"],
    ["preNorm", "vision.layernorm_pre", "tokens"],
    ["local.0", "vision.local.0", "padded"],
    ["local.1", "vision.local.1", "padded"],
    ["local.2", "vision.local.2", "padded"],
    ["local.3", "vision.local.3", "padded"],
    ["local.4", "vision.local.4", "padded"],
    ["postNorm", "vision.layernorm_post", "padded"],
    ["postTile", "vision.post_tile", "padded"],
    ["global.0", "vision.global.0", "padded"],
    ["global.1", "vision.global.1", "padded"],
    ["features", "vision.features", "tokens"],
  ] as const;
  const staged = withPictures.filter(
    ({ model, case: name }) =>
      model === "tiny-a" && ["one-tile", "two-rows", "four-tiles"].includes(name),
  );
  const ways = staged.flatMap((golden) =>
    [false, true].map((isPlain) => [golden.case, isPlain ? "plain" : "shared", golden] as const),
  );
  test.each(ways)("%s, %s rows", async (_name, way, golden) => {
    using open = await openTinyModel("tiny-a", "ref");
    const tensors = readGolden(golden.profiles.ref.file);
    const { tokensPerTile, numPadTokens } = open.model.config.vision;
    const [tiles] = open.tiles(golden);
    if (tiles === undefined) throw new Error("the case has no picture");
    const names = stages.map(([ours]) => ours);
    const probe = await readVision(open.model, tiles, names, way === "plain");
    for (const [ours, theirs, layout] of stages) {
      const actual = probe.get(ours) ?? new Float32Array();
      const { data, shape } = goldenTensor(tensors, theirs);
      const width = shape.at(-1) ?? 1;
      const perSlot = data.length / 4;
      const realPerSlot =
        layout === "padded" ? (perSlot / (tokensPerTile + numPadTokens)) * tokensPerTile : perSlot;
      for (let tile = 0; tile < tiles.numTiles; tile++) {
        const rows = data.subarray(tile * perSlot, tile * perSlot + realPerSlot);
        const ourRows = actual.subarray(tile * realPerSlot, (tile + 1) * realPerSlot);
        expect([ours, tile, width, excess(ourRows, rows, tolerances.f32) <= 1]).toEqual([
          ours,
          tile,
          width,
          true,
        ]);
      }
    }
  });
});

describe("sharing equal rows", () => {
  test.each(
    withPictures.filter(({ model }) => model === "tiny-a").map((g) => [g.case, g] as const),
  )("%s gives the plain way's numbers", async (_name, golden) => {
    using open = await openTinyModel("tiny-a", "hf");
    for (const tiles of open.tiles(golden)) {
      const shared = await readVision(open.model, tiles, ["projected"], false);
      const plain = await readVision(open.model, tiles, ["projected"], true);
      const [a, b] = [shared.get("projected"), plain.get("projected")];
      if (a === undefined || b === undefined) throw new Error("nothing was read");
      // The plain way also has the other unused tiles, equal to the one that stands for them.
      expect(excess(a, b.subarray(0, a.length), tolerances.f32)).toBeLessThanOrEqual(1);
    }
  });

  test("is left off when a checkpoint's tile tables are not zero", async () => {
    using zero = await openTinyModel("tiny-a", "ref");
    using other = await openTinyModel("tiny-a-nonzero-tables", "ref");
    expect(zero.model.weights.vision.hasZeroTileTables).toBe(true);
    expect(other.model.weights.vision.hasZeroTileTables).toBe(false);
  });
});

test("a picture's states can be freed, and then not used", async () => {
  using open = await openTinyModel("tiny-a", "ref");
  const golden = withPictures.find(({ model }) => model === "tiny-a");
  const [tiles] = golden === undefined ? [] : open.tiles(golden);
  if (tiles === undefined) throw new Error("no picture");
  const states = await encodeImage(open.model, tiles);
  const layer: { key: Tensor } = states.layer(1);
  states[Symbol.dispose]();
  using graph = open.model.backend.newGraph({ kind: "test", maxNodes: 8 });
  expect(() => graph.cast(layer.key, "f16")).toThrow(/disposed/);
});
