/**
 * Which grid of square tiles a picture is fitted into, how large it becomes there, and the grid's id.
 *
 * All arithmetic is in doubles, in the reference's order of operations: its rounding is part of the
 * result (45 × 50 pixels in tiles of 560 become 503 pixels high, not the exact 504).
 */

/** In pixels. */
export type ImageSize = { readonly width: number; readonly height: number };

/** How many tiles down and across. Named, because the reference itself mixes up the order. */
export type TileGrid = { readonly rows: number; readonly columns: number };

/**
 * Choose the grid of square tiles a picture is fitted into, without distorting it.
 *
 * Among grids that do not shrink the picture, the one that enlarges it least; if all shrink it, the
 * one that shrinks it least; on a tie, the one with fewest tiles, and of these the first.
 *
 * @see transformers 5.18.0, `image_processing_mllama.py`, `get_optimal_tiled_canvas`
 */
export function chooseTileGrid(
  image: ImageSize,
  { tileSize, maxTiles }: { readonly tileSize: number; readonly maxTiles: number },
): TileGrid {
  const candidates = tileGrids(maxTiles).map((grid) => ({
    grid,
    numTiles: grid.rows * grid.columns,
    scale: Math.min((grid.rows * tileSize) / image.height, (grid.columns * tileSize) / image.width),
  }));
  const enlarging = candidates.filter(({ scale }) => scale >= 1);
  const scale =
    enlarging.length > 0
      ? Math.min(...enlarging.map((candidate) => candidate.scale))
      : Math.max(...candidates.map((candidate) => candidate.scale));
  return candidates
    .filter((candidate) => candidate.scale === scale)
    .reduce((best, candidate) => (candidate.numTiles < best.numTiles ? candidate : best)).grid;
}

/**
 * The size a picture is given on the canvas of its grid: enlarged until one side is a tile's at least,
 * shrunk until it fits, else left alone. Never less than one pixel.
 *
 * @see transformers 5.18.0, `image_processing_mllama.py`, `get_image_size_fit_to_canvas`
 */
export function resizedSize(image: ImageSize, grid: TileGrid, tileSize: number): ImageSize {
  const targetWidth = clamp(image.width, tileSize, grid.columns * tileSize);
  const targetHeight = clamp(image.height, tileSize, grid.rows * tileSize);
  const heightFactor = targetHeight / image.height;
  const widthFactor = targetWidth / image.width;
  if (widthFactor < heightFactor) {
    const height = Math.floor(image.height * widthFactor) || 1;
    return { width: targetWidth, height: Math.min(height, targetHeight) };
  }
  const width = Math.floor(image.width * heightFactor) || 1;
  return { width: Math.min(width, targetWidth), height: targetHeight };
}

/** The number the model gives a grid, from 1; 0 stands for "no picture". */
export function aspectRatioId(grid: TileGrid, maxTiles: number): number {
  const index = tileGrids(maxTiles).findIndex(
    ({ rows, columns }) => rows === grid.rows && columns === grid.columns,
  );
  if (index < 0) {
    throw new Error(`a grid of ${grid.rows} × ${grid.columns} is more than ${maxTiles} tiles`);
  }
  return index + 1;
}

/** Every grid of at most `maxTiles` tiles, in the order that gives them their aspect-ratio ids. */
export function tileGrids(maxTiles: number): TileGrid[] {
  const sides = Array.from({ length: maxTiles }, (_, index) => index + 1);
  return sides.flatMap((rows) =>
    sides.filter((columns) => rows * columns <= maxTiles).map((columns) => ({ rows, columns })),
  );
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
