import { expect, test } from "vitest";
import { tokenId } from "../base/ids.ts";
import { byteLevelBytes, byteOfCharacter, readVocabulary, writeVocabulary } from "./vocabulary.ts";

test("the byte alphabet has every byte once", () => {
  expect(byteOfCharacter.size).toBe(256);
  expect(new Set(byteOfCharacter.values()).size).toBe(256);
  expect(byteLevelBytes("Ġthe")).toEqual(Uint8Array.from([0x20, 0x74, 0x68, 0x65]));
  expect(byteLevelBytes("Ċ")).toEqual(Uint8Array.of(0x0a));
  expect(byteLevelBytes("à¤")).toEqual(Uint8Array.of(0xe0, 0xa4));
  expect(byteLevelBytes("\u3042")).toBeUndefined();
});

test("a vocabulary gives back each token's bytes, and none for ids without a token", () => {
  const tokens = new Map([
    [2, Uint8Array.of(1, 2)],
    [0, Uint8Array.of(9)],
    [5, new TextEncoder().encode("<|image|>")],
  ]);
  const vocabulary = readVocabulary(
    writeVocabulary(tokens, [{ id: 5, text: "<|image|>", isSpecial: true }]),
  );
  expect(vocabulary.size).toBe(6);
  expect(vocabulary.bytesOf(tokenId(0))).toEqual(Uint8Array.of(9));
  expect(vocabulary.bytesOf(tokenId(2))).toEqual(Uint8Array.of(1, 2));
  expect(new TextDecoder().decode(vocabulary.bytesOf(tokenId(5)))).toBe("<|image|>");
  for (const id of [1, 3, 4, 6, 128_255]) expect(vocabulary.bytesOf(tokenId(id))).toHaveLength(0);
  expect(vocabulary.isSpecial(tokenId(5))).toBe(true);
  expect(vocabulary.isSpecial(tokenId(2))).toBe(false);
  expect(vocabulary.idOf("<|image|>")).toBe(5);
  expect(vocabulary.idOf("<|eot_id|>")).toBeUndefined();
});
