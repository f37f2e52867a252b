/**
 * Special strings in text: found where they are meant, made harmless where they are not.
 *
 * A chat template mixes structure (`<|eot_id|>`) with what people wrote. People may write the same
 * characters; theirs must stay text. So before a template is rendered, every character of a body that
 * a special string begins with is exchanged for a stand-in that occurs nowhere else; after rendering,
 * text is cut at the special strings that are left, all of them the template's own, and then the
 * stand-ins are exchanged back. One character for one, so that a template may still trim and measure;
 * the first character alone, because without it no special string can come about, not even where two
 * bodies meet.
 */
import { PlatformError } from "../base/errors.ts";
import type { TextPiece } from "../generation/request.ts";

/** Exchanged characters: original → stand-in. */
export type Shield = readonly (readonly [original: string, standIn: string])[];

/** Private-use characters of the basic plane: one UTF-16 unit each, with no meaning of their own. */
const firstStandIn = 0xe000;
const lastStandIn = 0xf8ff;

/** Cut text at special strings: the leftmost, of these the longest. Empty pieces are left out. */
export function splitAtSpecials(text: string, specials: readonly string[]): TextPiece[] {
  if (specials.length === 0) return text === "" ? [] : [{ type: "text", text }];
  const longestFirst = specials.toSorted((a, b) => b.length - a.length);
  const pattern = new RegExp(`(${longestFirst.map(escapeRegExp).join("|")})`, "u");
  // With a group in the pattern every odd piece is a special string.
  return text
    .split(pattern)
    .map((piece, index): TextPiece => ({ type: index % 2 === 1 ? "special" : "text", text: piece }))
    .filter((piece) => piece.text !== "");
}

/**
 * Choose a stand-in for every character that a special string begins with.
 *
 * @param texts everything that the stand-ins must not occur in: bodies and template
 * @throws PlatformError `invalid_request` when the texts use every private-use character
 */
export function chooseShield(specials: readonly string[], texts: readonly string[]): Shield {
  const used = new Set(texts.flatMap((text) => text.match(/[\ue000-\uf8ff]/g) ?? []));
  let next = firstStandIn;
  return firstCharacters(specials).map((original) => {
    while (used.has(String.fromCharCode(next))) next += 1;
    if (next > lastStandIn) {
      throw new PlatformError(
        "invalid_request",
        `The messages contain all ${lastStandIn - firstStandIn + 1} private-use characters (U+E000 to U+F8FF). Leave one out.`,
      );
    }
    const standIn = String.fromCharCode(next);
    next += 1;
    return [original, standIn];
  });
}

/** Exchange originals for stand-ins. */
export function raiseShield(text: string, shield: Shield): string {
  return shield.reduce(
    (shielded, [original, standIn]) => shielded.replaceAll(original, standIn),
    text,
  );
}

/** Exchange stand-ins for originals. */
export function lowerShield(text: string, shield: Shield): string {
  return shield.reduce(
    (restored, [original, standIn]) => restored.replaceAll(standIn, original),
    text,
  );
}

function firstCharacters(specials: readonly string[]): string[] {
  return [...new Set(specials.map((text) => String.fromCodePoint(text.codePointAt(0) ?? 0)))];
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
