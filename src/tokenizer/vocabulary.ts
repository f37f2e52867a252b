/**
 * The rows of a vocabulary as bytes.
 *
 * Byte-level vocabularies spell every byte as one printable character; here the spelling is undone,
 * once, when the tokenizer is opened. No text is made: a token may be half a character.
 */
import { type TokenId, tokenId } from "../base/ids.ts";

export type Vocabulary = {
  /** Ids of the tokenizer are below it; a model's output head may have more rows. */
  readonly size: number;
  /**
   * A token's own bytes; for a special token those of its text.
   *
   * Empty for an id without a token: heads are padded to round numbers, and such rows can be chosen.
   */
  readonly bytesOf: (id: TokenId) => Uint8Array;
  /** Whether a token is structure, not text: begin of text, end of turn, picture. */
  readonly isSpecial: (id: TokenId) => boolean;
  /** The token that is recognised by this text, such as `<|image|>`. */
  readonly idOf: (specialText: string) => TokenId | undefined;
};

/** A vocabulary in the few arrays in which it crosses from a thread to another. */
export type VocabularyTable = {
  /** All tokens' bytes, one after the other, in the order of their ids. */
  readonly bytes: Uint8Array;
  /** `[size]`: where each token's bytes end. */
  readonly ends: Uint32Array;
  readonly addedTokens: readonly AddedToken[];
};

/** A string that is recognised as a whole, beside the vocabulary proper. */
export type AddedToken = {
  readonly id: number;
  readonly text: string;
  /** Structure, not shown in an answer's text. */
  readonly isSpecial: boolean;
};

export function readVocabulary({ bytes, ends, addedTokens }: VocabularyTable): Vocabulary {
  const specialIds = new Set(addedTokens.flatMap(({ id, isSpecial }) => (isSpecial ? [id] : [])));
  const ids = new Map(addedTokens.map(({ id, text }) => [text, tokenId(id)]));
  const none = new Uint8Array(0);
  return {
    size: ends.length,
    bytesOf: (id) => {
      const end = ends[id];
      return end === undefined ? none : bytes.subarray(id === 0 ? 0 : ends[id - 1], end);
    },
    isSpecial: (id) => specialIds.has(id),
    idOf: (specialText) => ids.get(specialText),
  };
}

/** @param tokens the bytes of the token with that id */
export function writeVocabulary(
  tokens: ReadonlyMap<number, Uint8Array>,
  addedTokens: readonly AddedToken[],
): VocabularyTable {
  let size = 0;
  for (const id of tokens.keys()) size = Math.max(size, id + 1);
  const ends = new Uint32Array(size);
  let numBytes = 0;
  for (let id = 0; id < size; id++) {
    numBytes += tokens.get(id)?.length ?? 0;
    ends[id] = numBytes;
  }
  const bytes = new Uint8Array(numBytes);
  for (const [id, token] of tokens) bytes.set(token, (ends[id] ?? 0) - token.length);
  return { bytes, ends, addedTokens };
}

/**
 * The byte that each character of a byte-level vocabulary stands for.
 *
 * Printable Latin-1 stands for itself; the other 68 bytes are, in order, the characters from U+0100.
 *
 * @see GPT-2, `encoder.py`, `bytes_to_unicode`
 */
export const byteOfCharacter: ReadonlyMap<string, number> = new Map(byteLevelAlphabet());

/** The bytes of a byte-level token, or `undefined` when it is spelt with other characters. */
export function byteLevelBytes(token: string): Uint8Array | undefined {
  const bytes = Array.from(token, (character) => byteOfCharacter.get(character));
  return bytes.every((byte) => byte !== undefined) ? Uint8Array.from(bytes) : undefined;
}

const characterOfByte: readonly string[] = byteLevelAlphabet().map(([character]) => character);

/** Bytes in the spelling of a byte-level vocabulary. */
export function byteLevelText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => characterOfByte[byte]).join("");
}

function byteLevelAlphabet(): [string, number][] {
  const isPrintable = (byte: number): boolean =>
    (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  let nextSpare = 0x100;
  return Array.from({ length: 256 }, (_, byte) => [
    String.fromCharCode(isPrintable(byte) ? byte : nextSpare++),
    byte,
  ]);
}
