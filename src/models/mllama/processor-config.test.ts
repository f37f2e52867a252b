import { describe, expect, test } from "vitest";
import { PlatformError } from "../../base/errors.ts";
import { parseImageProcessorConfig } from "./processor-config.ts";

const file = {
  do_convert_rgb: true,
  do_normalize: true,
  do_pad: true,
  do_rescale: true,
  do_resize: true,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_processor_type: "MllamaImageProcessor",
  image_std: [0.26862954, 0.26130258, 0.27577711],
  max_image_tiles: 4,
  resample: 2,
  rescale_factor: 0.00392156862745098,
  size: { height: 560, width: 560 },
};

function problem(json: unknown): string {
  try {
    parseImageProcessorConfig(json);
  } catch (error) {
    if (error instanceof PlatformError && error.code === "corrupt_model_file") return error.message;
    throw error;
  }
  return "accepted";
}

describe("parseImageProcessorConfig (MF-21)", () => {
  test("reads the released models' file", () => {
    expect(parseImageProcessorConfig(file)).toEqual({
      tileSize: 560,
      maxTiles: 4,
      mean: file.image_mean,
      std: file.image_std,
      rescaleFactor: 0.00392156862745098,
      resizePrecision: "pillow",
    });
  });

  test.each(["size", "image_mean", "image_std", "rescale_factor", "max_image_tiles"])(
    "has no default for %s",
    (key) => {
      const { [key]: _, ...rest } = file as Record<string, unknown>;
      expect(problem(rest)).toContain(`lacks "${key}"`);
    },
  );

  test.each([
    { change: { size: { height: 560, width: 448 } }, says: "448 × 560" },
    { change: { size: { shortest_edge: 560 } }, says: 'lacks "size.height"' },
    { change: { size: { height: 0, width: 0 } }, says: '"size.height": 0' },
    { change: { do_resize: false }, says: '"do_resize": false' },
    { change: { do_pad: false }, says: '"do_pad": false' },
    { change: { resample: 3 }, says: '"resample": 3' },
    { change: { max_image_tiles: 0 }, says: '"max_image_tiles": 0' },
    { change: { image_std: [0.2, 0, 0.2] }, says: '"image_std.1": 0' },
    { change: { image_mean: [0.5, 0.5] }, says: '"image_mean"' },
  ])("refuses $change", ({ change, says }) => {
    expect(problem({ ...file, ...change })).toContain(says);
  });

  test.each([null, [], "text", 7])("refuses %j, which is no object", (json) => {
    expect(problem(json)).not.toBe("accepted");
  });
});
