import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aspectRatioId, chooseTileGrid, resizedSize, tileGrids } from "./tiles.ts";

const mllama = { tileSize: 560, maxTiles: 4 };
const side = fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 10_000_000 }));
const maxTiles = fc.integer({ min: 1, max: 16 });
const tileSize = fc.integer({ min: 1, max: 600 });

describe("chooseTileGrid", () => {
  test.each([
    { why: "a picture the size of a tile is one tile", width: 560, height: 560, grid: [1, 1] },
    { why: "a smaller picture is enlarged to one tile", width: 300, height: 300, grid: [1, 1] },
    { why: "one pixel too tall needs a second row", width: 560, height: 561, grid: [2, 1] },
    { why: "one pixel too wide needs a second column", width: 561, height: 560, grid: [1, 2] },
    { why: "two tiles wide stays two tiles wide", width: 1120, height: 560, grid: [1, 2] },
    { why: "a photograph fills the square", width: 1024, height: 768, grid: [2, 2] },
    { why: "a column of four", width: 560, height: 2240, grid: [4, 1] },
    { why: "a line is a row of four", width: 9_999_999, height: 1, grid: [1, 4] },
  ])("$why ($width × $height)", ({ width, height, grid: [rows, columns] }) => {
    expect(chooseTileGrid({ width, height }, mllama)).toEqual({ rows, columns });
  });

  test("never uses more tiles than it may", () => {
    fc.assert(
      fc.property(side, side, maxTiles, tileSize, (width, height, max, size) => {
        const grid = chooseTileGrid({ width, height }, { tileSize: size, maxTiles: max });
        expect(grid.rows * grid.columns).toBeLessThanOrEqual(max);
      }),
    );
  });
});

describe("resizedSize", () => {
  test.each([
    { why: "doubles round as the reference's do", width: 50, height: 45, to: [560, 503] },
    { why: "a picture that fits keeps its size", width: 561, height: 560, to: [561, 560] },
    { why: "a small one grows to a tile's side", width: 80, height: 100, to: [448, 560] },
    { why: "a large one shrinks into the canvas", width: 4032, height: 3024, to: [1120, 840] },
    { why: "nothing shrinks to no pixels", width: 9_999_999, height: 1, to: [2240, 1] },
  ])("$why ($width × $height)", ({ width, height, to: [newWidth, newHeight] }) => {
    const grid = chooseTileGrid({ width, height }, mllama);
    expect(resizedSize({ width, height }, grid, 560)).toEqual({
      width: newWidth,
      height: newHeight,
    });
  });

  test("always fits the canvas and has pixels (IM-15)", () => {
    fc.assert(
      fc.property(side, side, maxTiles, tileSize, (width, height, max, size) => {
        const grid = chooseTileGrid({ width, height }, { tileSize: size, maxTiles: max });
        const resized = resizedSize({ width, height }, grid, size);
        expect(resized.width).toBeGreaterThanOrEqual(1);
        expect(resized.height).toBeGreaterThanOrEqual(1);
        expect(resized.width).toBeLessThanOrEqual(grid.columns * size);
        expect(resized.height).toBeLessThanOrEqual(grid.rows * size);
      }),
    );
  });
});

describe("aspectRatioId", () => {
  test("numbers the eight grids of up to four tiles as the released models do", () => {
    const grids = tileGrids(4).map(({ rows, columns }) => [rows, columns]);
    expect(grids).toEqual([
      [1, 1],
      [1, 2],
      [1, 3],
      [1, 4],
      [2, 1],
      [2, 2],
      [3, 1],
      [4, 1],
    ]);
    expect(tileGrids(4).map((grid) => aspectRatioId(grid, 4))).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("a grid that cannot be is a bug, not an id", () => {
    expect(() => aspectRatioId({ rows: 3, columns: 2 }, 4)).toThrow("more than 4 tiles");
  });
});
