/** `preprocessor_config.json`, parsed and named. */
import { z } from "zod";
import { PlatformError } from "../../base/errors.ts";
import type { ResizePrecision } from "../../image/resize.ts";

/** How pictures become tiles. */
export type ImageProcessorConfig = {
  /** Side of a tile, in pixels. */
  readonly tileSize: number;
  readonly maxTiles: number;
  /** Of red, green and blue, on a scale from 0 to 1. */
  readonly mean: RgbNumbers;
  readonly std: RgbNumbers;
  /** What a sample of 0 to 255 is multiplied by to reach 0 to 1. */
  readonly rescaleFactor: number;
  readonly resizePrecision: ResizePrecision;
};

type RgbNumbers = readonly [red: number, green: number, blue: number];

const fileName = "preprocessor_config.json";

const side = z.int().min(1).max(4096);
const rgb = z.tuple([z.number(), z.number(), z.number()]);
const positiveRgb = z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]);
const alwaysOn = z.literal(true).optional();

/** Nothing has a default: the reference class's own defaults (tiles of 224, mean 0.5) fit no checkpoint. */
const ProcessorFile = z.looseObject({
  size: z.looseObject({ height: side, width: side }),
  image_mean: rgb,
  image_std: positiveRgb,
  rescale_factor: z.number().positive(),
  max_image_tiles: z.int().min(1).max(16),
  /** Bilinear, in Pillow's numbering. */
  resample: z.literal(2).optional(),
  do_resize: alwaysOn,
  do_rescale: alwaysOn,
  do_normalize: alwaysOn,
  do_pad: alwaysOn,
});

/**
 * Read the image processor's settings from the parsed JSON of `preprocessor_config.json`.
 *
 * @throws PlatformError `corrupt_model_file`, naming the key that is missing or wrong
 * @see transformers 5.18.0, `image_processing_mllama.py`, `_validate_mllama_preprocess_arguments`
 */
export function parseImageProcessorConfig(
  json: unknown,
  resizePrecision: ResizePrecision = "pillow",
): ImageProcessorConfig {
  const { success, data, error } = ProcessorFile.safeParse(json);
  if (!success) throw corrupt(describeIssue(json, error));
  if (data.size.height !== data.size.width) {
    throw corrupt(
      `asks for tiles of ${data.size.width} × ${data.size.height} pixels, but tiles are square`,
    );
  }
  return {
    tileSize: data.size.height,
    maxTiles: data.max_image_tiles,
    mean: data.image_mean,
    std: data.image_std,
    rescaleFactor: data.rescale_factor,
    resizePrecision,
  };
}

function describeIssue(json: unknown, error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined || issue.path.length === 0) return "is not a JSON object";
  const key = issue.path.join(".");
  const value = valueAt(json, issue.path);
  if (value === undefined) return `lacks "${key}"`;
  const shown = (JSON.stringify(value) ?? "").slice(0, 80);
  return `has "${key}": ${shown}, which this model family does not allow (${issue.message})`;
}

function valueAt(json: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined,
    json,
  );
}

function corrupt(problem: string): PlatformError {
  return new PlatformError(
    "corrupt_model_file",
    `${fileName} ${problem}. Fetch the checkpoint again, or take the file from the model it was derived from.`,
  );
}
