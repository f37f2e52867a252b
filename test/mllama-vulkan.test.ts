/**
 * The model on a Vulkan device against Transformers: greedy tokens and their logits, whole and divided between
 * devices. CI has Mesa's lavapipe, which computes on the processor.
 */
import { describe, expect, test, vi } from "vitest";
import { encodeImage } from "../src/models/mllama/encode-image.ts";
import type { PictureStates } from "../src/models/mllama/picture-states.ts";
import { allOn } from "../src/models/mllama/placement.ts";
import { goldenTensor, manifest, readGolden } from "./support/golden.ts";
import { generateGreedily } from "./support/text-probe.ts";
import { openTinyModel, type PlaceModel } from "./support/tiny-model.ts";
import { excess, tolerances } from "./support/tolerances.ts";
import { lackOfVulkan } from "./support/vulkan.ts";

// lavapipe compiles each shader when it is first used, some for seconds.
vi.setConfig({ testTimeout: 300_000 });
// Products in float32, so that the limits of the processor hold; by default a device multiplies in half
// precision where it can, which moves these logits by up to 0.01.
process.env["GGML_VK_DISABLE_F16"] = "1";

const lacks = lackOfVulkan();
const title = lacks === undefined ? "on Vulkan" : `on Vulkan (skipped: there is no ${lacks})`;

const placements: Readonly<Record<string, PlaceModel>> = {
  "the whole model": (numLayers) => allOn("vulkan0", numLayers),
  "the last half of the layers": (numLayers) => ({
    ...allOn("vulkan0", numLayers),
    layers: Array.from({ length: numLayers }, (_, i) => (i < numLayers / 2 ? "cpu" : "vulkan0")),
    tower: "cpu",
  }),
};

const chosen = ["text-only", "one-tile", "two-pictures", "four-tiles"];
const cases = manifest.cases
  .filter((golden) => ["tiny-a", "tiny-b", "tiny-c"].includes(golden.model))
  .filter((golden) => golden.model !== "tiny-a" || chosen.includes(golden.case))
  .flatMap((golden) =>
    (["ref", "hf"] as const).map(
      (profile) => [golden.model, golden.case, profile, golden] as const,
    ),
  );

describe.skipIf(lacks !== undefined).each(Object.entries(placements))(
  `${title}: %s`,
  (_, place) => {
    test.each(cases)("%s, %s, %s", async (model, _name, profile, golden) => {
      using open = await openTinyModel(model, profile, "f32", place);
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
        const ours = logits[step] ?? new Float32Array();
        const theirs = expected.subarray(row * width, (row + 1) * width);
        expect([step, excess(ours, theirs, tolerances.f32) <= 1]).toEqual([step, true]);
      }
      for (const picture of pictures) picture[Symbol.dispose]();
    });
  },
);
