import { expect, test } from "vitest";
import { IMAGE_TOKEN, scriptedPicture } from "../../../test/support/scripted-runner.ts";
import { tokenId } from "../../base/ids.ts";
import type { EnginePrompt } from "../../generation/engine-prompt.ts";
import { BlockKeys } from "./block-keys.ts";

function keysOf(prompt: EnginePrompt, count: number): readonly string[] {
  const imagePositions = prompt.tokenIds.flatMap((id, at) => (id === IMAGE_TOKEN ? [at] : []));
  const keys = new BlockKeys({
    blockSize: 2,
    prompt,
    imagePositions,
    tokensFrom: (start, length) => prompt.tokenIds.slice(start, start + length),
  });
  return keys.first(count);
}

const prompt = (ids: readonly number[], ...shades: readonly number[]): EnginePrompt => ({
  tokenIds: ids.map(tokenId),
  pictures: shades.map(scriptedPicture),
});

test("equal beginnings have equal keys, and nothing after a difference has", () => {
  const one = keysOf(prompt([1, 2, 3, 4, 5, 6]), 3);
  const other = keysOf(prompt([1, 2, 3, 9, 5, 6]), 3);
  expect(other[0]).toBe(one[0]);
  expect(other[1]).not.toBe(one[1]);
  expect(other[2]).not.toBe(one[2]);
  expect(keysOf(prompt([3, 4, 1, 2]), 2)).not.toContain(one[0]);
});

test("a picture counts from its image token on, and as what it is", () => {
  const ids = [1, 2, IMAGE_TOKEN, 4, 5, 6];
  const [one, other] = [keysOf(prompt(ids, 7), 3), keysOf(prompt(ids, 8), 3)];
  expect(other[0]).toBe(one[0]);
  expect(other[1]).not.toBe(one[1]);
  expect(other[2]).not.toBe(one[2]);
  expect(keysOf(prompt(ids, 7), 3)).toEqual(one);
  const inOneTile = { ...prompt(ids), pictures: [{ ...scriptedPicture(7), maxTiles: 1 }] };
  expect(keysOf(inOneTile, 3)[1]).not.toBe(one[1]);
});

test("two pictures in the other order are another beginning", () => {
  const ids = [IMAGE_TOKEN, IMAGE_TOKEN, 3, 4];
  expect(keysOf(prompt(ids, 7, 8), 1)).not.toEqual(keysOf(prompt(ids, 8, 7), 1));
});
