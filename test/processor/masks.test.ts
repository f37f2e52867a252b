/** Which rows see which tiles of which picture, against what Transformers' processor says. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type CrossPart, crossRows } from "../../src/models/mllama/cross-rows.ts";
import type { PictureStates } from "../../src/models/mllama/picture-states.ts";
import { visibleRanges } from "../../src/models/mllama/visible-pictures.ts";
import { manifest } from "../support/golden.ts";

type RecordedMask = {
  /** `x` for text, `I` for a picture's token. */
  readonly pattern: string;
  /** Of each picture. */
  readonly tiles: readonly number[];
  /** Rows that see each picture, `[start, end)`; an end of −1 is that of the prompt. */
  readonly ranges: readonly (readonly [number, number])[];
  /** Row r, picture m: how many tiles, from the first, the row may see. Absent without pictures. */
  readonly maskTiles?: readonly (readonly number[])[];
};

const masks = JSON.parse(
  readFileSync(new URL("../golden/processor/masks.json", import.meta.url), "utf8"),
) as readonly RecordedMask[];
const named = masks.map((mask) => [mask.pattern === "" ? "(empty)" : mask.pattern, mask] as const);

const MAX_TILES = 4;
/** Any number; a picture is seen by whole tiles. */
const TOKENS_PER_TILE = 17;
/** Rows of generated text, after the prompt. */
const NUM_GENERATED = 3;

function imagePositionsOf(pattern: string): number[] {
  return Array.from(pattern, (letter, position) => (letter === "I" ? [position] : [])).flat();
}

/** Rows from the prompt's last on, generated ones included, see what that one sees. */
function recordedRow({ pattern, maskTiles = [] }: RecordedMask, row: number): readonly number[] {
  const tiles = maskTiles[Math.min(row, pattern.length - 1)];
  if (tiles === undefined) throw new Error(`nothing is recorded for row ${row} of ${pattern}`);
  return tiles;
}

function statesOf(numTiles: number, profile: "ref" | "hf"): PictureStates {
  return {
    numVisibleTokens: numTiles * TOKENS_PER_TILE,
    numStoredTokens: (profile === "hf" ? MAX_TILES : numTiles) * TOKENS_PER_TILE,
    sizeBytes: 0,
    layer: () => {
      throw new Error("no numbers are needed to say what is seen");
    },
    [Symbol.dispose]: () => {},
  };
}

function partOf(
  { pattern, tiles }: RecordedMask,
  profile: "ref" | "hf",
  [start, end]: readonly [number, number],
): CrossPart {
  return {
    tokenIds: Array.from({ length: end - start }, () => 0),
    startPosition: start,
    pictures: tiles.map((numTiles) => statesOf(numTiles, profile)),
    imagePositions: imagePositionsOf(pattern),
  };
}

type SeenRow = { readonly tiles: readonly number[]; readonly mlpFactor: number };

/** By row of the pass, what our model lets it see of its part's pictures; `undefined`: it is skipped. */
function seenRows(
  parts: readonly CrossPart[],
  maskedRows: "zero" | "leak",
): (SeenRow | undefined)[] {
  const { rows, mlpFactors, segments } = crossRows(parts, maskedRows);
  const partOfRow = parts.flatMap((part) => part.tokenIds.map(() => part));
  const seen: (SeenRow | undefined)[] = partOfRow.map(() => undefined);
  for (const { firstRow, numRows, pictures } of segments) {
    for (let index = firstRow; index < firstRow + numRows; index++) {
      const row = rows[index] ?? Number.NaN;
      if (seen[row] !== undefined) throw new Error(`row ${row} is in two segments`);
      seen[row] = {
        tiles: (partOfRow[row]?.pictures ?? []).map((states) => {
          const views = pictures.filter((picture) => picture.states === states);
          if (views.length > 1) throw new Error(`row ${row} sees a picture twice`);
          return (views[0]?.numTokens ?? 0) / TOKENS_PER_TILE;
        }),
        mlpFactor: mlpFactors[index] ?? Number.NaN,
      };
    }
  }
  return seen;
}

/** What a profile makes of a recorded row: the two differ where a row may see no picture. */
function expectedRow(mask: RecordedMask, profile: "ref" | "hf", row: number): SeenRow | undefined {
  if (mask.tiles.length === 0) return undefined;
  const tiles = recordedRow(mask, row);
  if (tiles.some((numTiles) => numTiles > 0)) return { tiles, mlpFactor: 1 };
  return profile === "ref" ? undefined : { tiles: tiles.map(() => MAX_TILES), mlpFactor: 0 };
}

function expectedRows(
  mask: RecordedMask,
  profile: "ref" | "hf",
  [start, end]: readonly [number, number],
): (SeenRow | undefined)[] {
  return Array.from({ length: end - start }, (_, index) =>
    expectedRow(mask, profile, start + index),
  );
}

test("the record has every kind of prompt", () => {
  expect(masks).toHaveLength(60);
  expect(new Set(masks.map(({ tiles }) => Math.min(tiles.length, 4)))).toEqual(
    new Set([0, 1, 2, 3, 4]),
  );
  const rows = masks.flatMap(({ maskTiles = [] }) => maskTiles);
  expect(rows.some((tiles) => tiles.every((numTiles) => numTiles === 0))).toBe(true);
  expect(rows.some((tiles) => tiles.filter((numTiles) => numTiles > 0).length > 2)).toBe(true);
});

describe("each picture is seen by the rows that the processor says", () => {
  test.each(named)("%s", (_name, { pattern, ranges }) => {
    const ours = visibleRanges(imagePositionsOf(pattern), { start: 0, end: pattern.length });
    const rowsOf = (picture: number): readonly [number, number] => {
      const seeing = ours.filter(({ pictures }) => pictures.includes(picture));
      return [seeing[0]?.start ?? Number.NaN, seeing.at(-1)?.end ?? Number.NaN];
    };
    expect(ranges.map((_range, picture) => rowsOf(picture))).toEqual(
      ranges.map(([start, end]) => [start, end === -1 ? pattern.length : end]),
    );
  });
});

describe.each([
  ["ref", "zero"],
  ["hf", "leak"],
] as const)("rows and tiles, profile %s", (profile, maskedRows) => {
  test.each(named)("%s", (_name, mask) => {
    const end = mask.pattern.length + NUM_GENERATED;
    const seen = seenRows([partOf(mask, profile, [0, end])], maskedRows);
    expect(seen).toEqual(expectedRows(mask, profile, [0, end]));
  });

  test("a piece of a prompt sees what the whole does, wherever it is cut", () => {
    for (const mask of masks) {
      const { length } = mask.pattern;
      const cuts = Array.from({ length: length + 1 }, (_, cut) => cut);
      const pieces = cuts.flatMap((cut) => [
        [0, cut] as const,
        [cut, length + NUM_GENERATED] as const,
      ]);
      expect([
        mask.pattern,
        pieces.map((piece) => seenRows([partOf(mask, profile, piece)], maskedRows)),
      ]).toEqual([mask.pattern, pieces.map((piece) => expectedRows(mask, profile, piece))]);
    }
  });

  test("all prompts in one pass see their own pictures", () => {
    const whole = (mask: RecordedMask): readonly [number, number] => [0, mask.pattern.length];
    const seen = seenRows(
      masks.map((mask) => partOf(mask, profile, whole(mask))),
      maskedRows,
    );
    expect(seen).toEqual(masks.flatMap((mask) => expectedRows(mask, profile, whole(mask))));
  });
});

test("the cases of the golden models have the masks that our rules give", () => {
  for (const { case: name, promptIds, pictures, maskTiles } of manifest.cases) {
    expect([name, maskTiles.length]).toEqual([name, pictures.length === 0 ? 0 : promptIds.length]);
    // Its id comes after those that can be said.
    const imageToken = Math.max(...promptIds);
    const mask: RecordedMask = {
      pattern: promptIds
        .map((id) => (pictures.length > 0 && id === imageToken ? "I" : "x"))
        .join(""),
      tiles: pictures.map(({ tiles }) => tiles),
      ranges: [],
      maskTiles,
    };
    const whole = [0, promptIds.length] as const;
    expect([name, seenRows([partOf(mask, "ref", whole)], "zero")]).toEqual([
      name,
      expectedRows(mask, "ref", whole),
    ]);
  }
});
