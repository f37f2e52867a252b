/** Our pictures against the reference's image processors, byte by byte and number by number. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { overWhite } from "../../src/image/alpha.ts";
import { type ResizePrecision, resizeBilinear } from "../../src/image/resize.ts";
import { prepareTiles } from "../../src/models/mllama/image-tiles.ts";
import { normalisationTables } from "../../src/models/mllama/normalise.ts";
import type { ImageProcessorConfig } from "../../src/models/mllama/processor-config.ts";
import { aspectRatioId, chooseTileGrid, resizedSize } from "../../src/models/mllama/tiles.ts";
import { goldenPicture, readGolden } from "../support/golden.ts";

const Size = z.object({ width: z.number(), height: z.number() });
const Resized = z.object({ sha256: z.string() });
const Manifest = z.object({
  resize: z.array(
    z.object({
      name: z.string(),
      from: Size.extend({ seed: z.number() }),
      to: Size,
      pillow: Resized,
      torchvision: Resized,
    }),
  ),
  pixelValues: z.array(
    Size.extend({
      name: z.string(),
      seed: z.number(),
      aspectRatioId: z.number(),
      aspectRatioMask: z.array(z.number()),
      tiles: z.number(),
    }),
  ),
  alphaOnWhite: z.object({
    sha256: z.string(),
    examples: z.array(z.tuple([z.number(), z.number(), z.number()])),
  }),
});

const manifest = Manifest.parse(readJson("manifest.json"));
const canvasRow = z.tuple([
  z.number(),
  z.number(),
  z.number(),
  z.number(),
  z.number(),
  z.number(),
  z.number(),
]);
const precisions: readonly ResizePrecision[] = ["pillow", "torchvision"];

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(new URL(`../golden/processor/${file}`, import.meta.url), "utf8"));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function processor(resizePrecision: ResizePrecision): ImageProcessorConfig {
  return {
    tileSize: 28,
    maxTiles: 4,
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
    rescaleFactor: 0.00392156862745098,
    resizePrecision,
  };
}

describe.each(precisions)("as the %s backend", (precision) => {
  test.each(manifest.resize)("resizes $name to the same bytes", ({ from, to, ...expected }) => {
    const resized = resizeBilinear(goldenPicture(from), to, precision);
    expect(resized).toMatchObject(to);
    expect(sha256(resized.pixels)).toBe(expected[precision].sha256);
  });

  test("normalises every sample value to the same float32", () => {
    const golden = readGolden("../processor/normalise.safetensors").get(precision);
    const tables = normalisationTables(processor(precision));
    expect(tables.flatMap((table) => [...table])).toEqual([...(golden?.data ?? [])]);
  });

  test.each(manifest.pixelValues)("prepares $name to the same tiles", (picture) => {
    const golden = readGolden("../processor/pixel-values.safetensors");
    const tiles = prepareTiles(goldenPicture(picture), processor(precision));
    const { shape, data } = golden.get(`${picture.name}.${precision}`) ?? { shape: [], data: [] };
    expect([tiles.numTiles, 3, tiles.tileSize, tiles.tileSize]).toEqual(shape);
    expect(tiles.aspectRatioId).toBe(picture.aspectRatioId);
    expect(sha256(new Uint8Array(tiles.pixelValues.buffer))).toBe(
      sha256(new Uint8Array(new Float32Array(data).buffer)),
    );
  });
});

test("decides every canvas as the reference does", () => {
  const rows = z.array(canvasRow).parse(readJson("canvas.json"));
  expect(rows.length).toBeGreaterThan(200);
  const ours = rows.map(([tileSize, width, height]) => {
    const grid = chooseTileGrid({ width, height }, { tileSize, maxTiles: 4 });
    const resized = resizedSize({ width, height }, grid, tileSize);
    expect(aspectRatioId(grid, 4)).toBeGreaterThan(0);
    return [tileSize, width, height, grid.rows, grid.columns, resized.width, resized.height];
  });
  expect(ours).toEqual(rows);
});

test("lays every pair of alpha and sample over white as Pillow does", () => {
  const table = Uint8Array.from({ length: 65_536 }, (_, i) => overWhite(i & 255, i >> 8));
  for (const [alpha, sample, expected] of manifest.alphaOnWhite.examples) {
    expect(overWhite(sample, alpha)).toBe(expected);
  }
  expect(sha256(table)).toBe(manifest.alphaOnWhite.sha256);
});
