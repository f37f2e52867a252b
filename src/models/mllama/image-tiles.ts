import type { RgbImage } from "../../base/rgb-image.ts";
import { resizeBilinear } from "../../image/resize.ts";
import { normalisationTables } from "./normalise.ts";
import type { ImageProcessorConfig } from "./processor-config.ts";
import {
  aspectRatioId,
  chooseTileGrid,
  type ImageSize,
  resizedSize,
  type TileGrid,
} from "./tiles.ts";

/** How a picture is fitted into tiles. */
export type TilePlan = {
  readonly grid: TileGrid;
  /** The picture's size on the canvas; the rest of the canvas is black. */
  readonly resized: ImageSize;
  readonly aspectRatioId: number;
  /** `grid.rows * grid.columns`; slots up to the model's most are exact zeros and are not here. */
  readonly numTiles: number;
};

/** A picture as the vision tower takes it. */
export type ImageTiles = TilePlan & {
  /** In pixels. */
  readonly tileSize: number;
  /** `[numTiles, 3, tileSize, tileSize]`, normalised; tiles row by row. */
  readonly pixelValues: Float32Array;
};

/** Choose a picture's grid of tiles, and its size there. */
export function planTiles(
  image: ImageSize & { readonly maxTiles?: number },
  { tileSize, maxTiles }: Pick<ImageProcessorConfig, "tileSize" | "maxTiles">,
): TilePlan {
  const grid = chooseTileGrid(image, {
    tileSize,
    maxTiles: Math.min(maxTiles, image.maxTiles ?? maxTiles),
  });
  return {
    grid,
    resized: resizedSize(image, grid, tileSize),
    aspectRatioId: aspectRatioId(grid, maxTiles),
    numTiles: grid.rows * grid.columns,
  };
}

/**
 * Fit a picture into a grid of tiles: choose the grid, resize, pad, normalise, cut.
 *
 * Padding is black before normalisation, so it is not 0 in `pixelValues`.
 *
 * @see transformers 5.18.0, `image_processing_mllama.py`, `MllamaImageProcessor._preprocess`
 */
export function prepareTiles(
  image: RgbImage & { readonly maxTiles?: number },
  config: ImageProcessorConfig,
): ImageTiles {
  const { tileSize } = config;
  const plan = planTiles(image, config);
  const { grid, resized, numTiles } = plan;
  const picture = resizeBilinear(image, resized, config.resizePrecision);
  const tables = normalisationTables(config);
  const pixelValues = new Float32Array(numTiles * 3 * tileSize * tileSize);
  for (let tile = 0; tile < numTiles; tile++) {
    const top = Math.floor(tile / grid.columns) * tileSize;
    const left = (tile % grid.columns) * tileSize;
    for (const [channel, table] of tables.entries()) {
      const planeSize = tileSize * tileSize;
      const start = (tile * 3 + channel) * planeSize;
      const plane = pixelValues.subarray(start, start + planeSize);
      fillPlane(plane, { picture, table, channel, top, left, tileSize });
    }
  }
  return { ...plan, tileSize, pixelValues };
}

/** One channel of one tile, whose corner lies at `left`, `top` of the canvas. */
function fillPlane(
  plane: Float32Array,
  from: {
    readonly picture: RgbImage;
    readonly table: Float32Array;
    readonly channel: number;
    readonly top: number;
    readonly left: number;
    readonly tileSize: number;
  },
): void {
  const { picture, table, channel, top, left, tileSize } = from;
  plane.fill(table[0] ?? 0);
  const numRows = Math.min(picture.height - top, tileSize);
  const numColumns = Math.min(picture.width - left, tileSize);
  for (let y = 0; y < numRows; y++) {
    let sample = ((top + y) * picture.width + left) * 3 + channel;
    const row = y * tileSize;
    for (let x = 0; x < numColumns; x++) {
      plane[row + x] = table[picture.pixels[sample] ?? 0] ?? 0;
      sample += 3;
    }
  }
}
