/** "Did you mean …?": which of the words that exist is closest to one that does not. */
import { closest, distance } from "fastest-levenshtein";

/** Of a word's letters, the part that may differ before a guess is no help any more. */
const MAX_DIFFERENCE = 0.5;

/** A longer word is no slip of a hand, and comparing it takes time. */
const MAX_LENGTH = 100;

/** @returns `undefined` when nothing is near enough to be what was meant */
export function nearestWord(word: string, words: readonly string[]): string | undefined {
  if (word.length > MAX_LENGTH) return undefined;
  const plain = word.toLowerCase();
  const byPlain = new Map(words.map((known) => [known.toLowerCase(), known]));
  if (byPlain.size === 0) return undefined;
  const found = closest(plain, [...byPlain.keys()]);
  const isNear =
    distance(plain, found) <= Math.max(plain.length, found.length) * MAX_DIFFERENCE ||
    (plain.length >= 4 && (found.includes(plain) || plain.includes(found)));
  return isNear ? byPlain.get(found) : undefined;
}

/** @returns ` Did you mean x?`, to be put behind a sentence, or nothing */
export function didYouMean(word: string, words: readonly string[]): string {
  const found = nearestWord(word, words);
  return found === undefined ? "" : ` Did you mean ${found}?`;
}
