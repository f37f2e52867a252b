/** Sets of characters: ranges of code points, ascending, apart, without surrogates. */
import { anyOf, type Expression, escaped, literal } from "./rules.ts";

export type Range = readonly [first: number, last: number];
export type Characters = readonly Range[];

const lastCodePoint = 0x10ffff;

export const digits: Characters = [[0x30, 0x39]];
export const wordCharacters: Characters = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
/** Those of ASCII. */
export const spaces: Characters = [
  [0x09, 0x0d],
  [0x20, 0x20],
];
export const lineEnds: Characters = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
];

export function union(ranges: readonly Range[]): Characters {
  const joined: [number, number][] = [];
  for (const [first, last] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const before = joined.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else joined.push([first, last]);
  }
  return joined;
}

/** Every other character. */
export function complement(characters: Characters): Characters {
  const without: Range[] = [];
  let next = 0;
  for (const [first, last] of union([...characters, [0xd800, 0xdfff]])) {
    if (first > next) without.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= lastCodePoint) without.push([next, lastCodePoint]);
  return without;
}

function includes(characters: Characters, codePoint: number): boolean {
  return characters.some(([first, last]) => first <= codePoint && codePoint <= last);
}

const ascii: Range = [0, 0x7f];
/** Beyond ASCII characters are written one by one. */
const maxListed = 128;

/**
 * One of them, as itself.
 *
 * XGrammar 0.1.27 compares characters beyond ASCII wrongly inside brackets, but takes all of them where
 * brackets negate ASCII characters alone. So sets have either all characters beyond ASCII, or few.
 *
 * @returns `undefined` when there is none, or when there are too many to be listed
 */
export function oneOf(characters: Characters): Expression | undefined {
  const inside = intersection(characters, [ascii]);
  const beyond = intersection(characters, complement([ascii]));
  if (beyond.length === 0) return inside.length === 0 ? undefined : `[${written(inside)}]`;
  if (complement(beyond).every(([first]) => first <= ascii[1])) {
    const without = intersection(complement(inside), [ascii]);
    return without.length > 0 ? `[^${written(without)}]` : "([\\0-\\x7f] | [^\\0-\\x7f])";
  }
  if (sizeOf(beyond) > maxListed) return undefined;
  const listed = beyond.flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, index) =>
      literal(String.fromCodePoint(first + index)),
    ),
  );
  return anyOf([...(inside.length === 0 ? [] : [`[${written(inside)}]`]), ...listed]);
}

function intersection(a: Characters, b: Characters): Characters {
  return complement(union([...complement(a), ...complement(b)]));
}

function sizeOf(characters: Characters): number {
  return characters.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

/** Inside brackets. */
function written(characters: Characters): string {
  return characters
    .map(([first, last]) =>
      first === last ? escaped(first) : `${escaped(first)}-${escaped(last)}`,
    )
    .join("");
}

/** Characters that JSON text writes with a backslash, and how. */
const jsonEscapes: readonly (readonly [codePoint: number, text: string])[] = [
  [0x22, '\\"'],
  [0x5c, "\\\\"],
  [0x08, "\\b"],
  [0x0c, "\\f"],
  [0x0a, "\\n"],
  [0x0d, "\\r"],
  [0x09, "\\t"],
];

/** One of them, as the text of a JSON string writes it; `undefined` as with `oneOf`. */
export function oneOfInJson(characters: Characters): Expression | undefined {
  const asItself = complement(
    union([...complement(characters), [0, 0x1f], [0x22, 0x22], [0x5c, 0x5c]]),
  );
  const plain = oneOf(asItself);
  if (plain === undefined && asItself.length > 0) return undefined;
  const options = [
    plain,
    ...jsonEscapes.flatMap(([codePoint, text]) =>
      includes(characters, codePoint) ? [literal(text)] : [],
    ),
  ].filter((option) => option !== undefined);
  return options.length === 0 ? undefined : anyOf(options);
}
