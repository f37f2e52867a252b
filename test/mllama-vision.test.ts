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
    ["projected", "vision.projected", "tokens"],
  ] as const;
  const staged = withPictures
    .filter(({ model }) => float32Models.includes(model))
    .flatMap((golden) =>
      profiles.map((profile) => ({
        golden,
        profile,
        tensors: readGolden(golden.profiles[profile].file),
      })),
    )
    .filter(({ tensors }) => tensors.has("vision.projected"));
  const ways = staged.flatMap((one) =>
    (["plain", "shared"] as const).map((way) => [one.golden.case, one.profile, way, one] as const),
  );

  test("stages are recorded in both profiles", () => {
    expect(staged.map(({ golden, profile }) => `${golden.case} ${profile}`)).toEqual([
      "one-tile ref",
      "one-tile hf",
      "two-rows ref",
      "four-tiles ref",
      "two-pictures ref",
      "two-pictures hf",
    ]);
  });

  test.each(ways)("%s, %s, %s rows", async (_name, profile, way, { golden, tensors }) => {
    using open = await openTinyModel("tiny-a", profile);
    const { tokensPerTile, numPadTokens, maxTiles } = open.model.config.vision;
    const recorded = stages.filter(([, theirs]) => tensors.has(theirs));
    const names = [...tensors.keys()].filter((name) => name.startsWith("vision."));
    expect(recorded).toHaveLength(names.length);
    for (const [picture, tiles] of open.tiles(golden).entries()) {
      const ours = recorded.map(([name]) => name);
      const probe = await readVision(open.model, tiles, ours, way === "plain");
      // Where rows are shared, one unused slot stands for all.
      const numSlots = way === "plain" ? maxTiles : Math.min(tiles.numTiles + 1, maxTiles);
      for (const [name, theirs, layout] of recorded) {
        const actual = probe.get(name) ?? new Float32Array();
        const { data } = goldenTensor(tensors, theirs);
        const perSlot = data.length / (golden.pictures.length * maxTiles);
        const realPerSlot =
          layout === "padded"
            ? (perSlot / (tokensPerTile + numPadTokens)) * tokensPerTile
            : perSlot;
        for (let slot = 0; slot < maxTiles; slot++) {
          const start = (picture * maxTiles + slot) * perSlot;
          const rows = data.subarray(start, start + realPerSlot);
          const ourSlot = Math.min(slot, numSlots - 1);
          const ourRows = actual.subarray(ourSlot * realPerSlot, (ourSlot + 1) * realPerSlot);
          expect([name, slot, excess(ourRows, rows, tolerances.f32) <= 1]).toEqual([
            name,
            slot,
            true,
          ]);
        }
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
