/**
 * A regular expression → a piece of grammar that matches what all of it matches.
 *
 * Read by us and never run: alternatives, groups, classes, repetitions. What needs more than that (looking
 * around, referring back, word boundaries) is refused with its place. An expression that is not anchored
 * is taken as if it were: whatever it then matches as a whole, it also finds.
 */
import { PlatformError } from "../base/errors.ts";
import {
  type Characters,
  complement,
  digits,
  lineEnds,
  oneOf,
  oneOfInJson,
  type Range,
  spaces,
  union,
  wordCharacters,
} from "./characters.ts";
import { anyOf, type Expression, sequence } from "./rules.ts";

export type RegexOptions = {
  /** Where the expression stands in the request. */
  readonly field: string;
  /** Whether what it matches is written inside a JSON string's quotes. */
  readonly inJson: boolean;
};

const maxLength = 4_096;
const maxDepth = 32;
/** Of one `{n,m}`. */
const maxRepetitions = 256;
/** Repetitions inside repetitions multiply. */
const maxCopies = 2_048;

/** @throws PlatformError `invalid_request`, `unsupported_parameter` */
export function regexGrammar(pattern: string, options: RegexOptions): Expression {
  if (pattern.length > maxLength) {
    throw new PlatformError(
      "invalid_request",
      `"${options.field}" has ${pattern.length} characters; at most ${maxLength} are accepted.`,
      { details: { param: options.field } },
    );
  }
  try {
    // Only to hear what is wrong with it, in words that people know; it is not run.
    new RegExp(pattern, "u");
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^.*\/u?: /, "") : "";
    throw new PlatformError(
      "invalid_request",
      `"${options.field}" is not a regular expression: ${reason}.`,
      { details: { param: options.field } },
    );
  }
  return new RegexReader(pattern, options).read();
}

class RegexReader {
  readonly #source: readonly string[];
  readonly #options: RegexOptions;
  #at = 0;
  #depth = 0;

  constructor(pattern: string, options: RegexOptions) {
    this.#source = Array.from(pattern);
    this.#options = options;
  }

  read(): Expression {
    const { text } = this.#alternatives();
    if (this.#at < this.#source.length) throw this.#refused("an unbalanced bracket");
    return text;
  }

  #peek(offset = 0): string | undefined {
    return this.#source[this.#at + offset];
  }

  #take(text: string): boolean {
    const isThere = Array.from(text).every((character, index) => this.#peek(index) === character);
    if (isThere) this.#at += Array.from(text).length;
    return isThere;
  }

  #alternatives(): Piece {
    this.#depth += 1;
    if (this.#depth > maxDepth) throw this.#refused(`groups more than ${maxDepth} deep`);
    const options = [this.#sequence()];
    while (this.#take("|")) options.push(this.#sequence());
    this.#depth -= 1;
    const copies = options.reduce((sum, option) => sum + option.copies, 0);
    const [only] = options;
    if (options.length === 1 && only !== undefined) return only;
    return { text: anyOf(options.map(({ text }) => text)), copies };
  }

  #sequence(): Piece {
    const parts: Piece[] = [];
    for (;;) {
      const next = this.#peek();
      if (next === undefined || next === "|" || next === ")") break;
      if (this.#anchor(parts.length === 0)) continue;
      parts.push(this.#repeated(this.#atom()));
    }
    const copies = parts.reduce((sum, part) => sum + part.copies, 0);
    if (copies > maxCopies) throw this.#refused(`more than ${maxCopies} repetitions together`);
    return { text: sequence(...parts.map(({ text }) => text)), copies };
  }

  /** `^` in front and `$` behind say what holds anyway; anywhere else nothing would match. */
  #anchor(isFirst: boolean): boolean {
    if (this.#peek() === "^") {
      if (!isFirst || this.#depth > 1) throw this.#refused('"^" in the middle');
      this.#at += 1;
      return true;
    }
    if (this.#peek() !== "$") return false;
    const after = this.#peek(1);
    if (after !== undefined && after !== "|" && after !== ")") {
      throw this.#refused('"$" in the middle');
    }
    if (this.#depth > 1) throw this.#refused('"$" in the middle');
    this.#at += 1;
    return true;
  }

  #atom(): Piece {
    if (this.#peek() === "(") return this.#group();
    const characters = this.#peek() === "[" ? this.#characterClass() : this.#single();
    const text = this.#options.inJson ? oneOfInJson(characters) : oneOf(characters);
    if (text === undefined)
      throw this.#refused("a class of no character, or of too many beyond ASCII");
    return { text, copies: 1 };
  }

  #group(): Piece {
    this.#at += 1;
    if (this.#take("?")) {
      if (this.#peek() === "<" && this.#peek(1) !== "=" && this.#peek(1) !== "!") {
        while (this.#peek() !== ">") this.#at += 1;
        this.#at += 1;
      } else if (!this.#take(":")) {
        throw this.#refused("looking ahead or behind");
      }
    }
    const { text, copies } = this.#alternatives();
    if (!this.#take(")")) throw this.#refused("an unbalanced bracket");
    return { text: `(${text})`, copies };
  }

  #repeated(piece: Piece): Piece {
    const [least, most] = this.#quantifier();
    if (least === 1 && most === 1) return piece;
    const times = Math.max(least, most ?? 0, 1);
    if (times > maxRepetitions) {
      throw this.#refused(`more than ${maxRepetitions} repetitions`);
    }
    const copies = piece.copies * times;
    if (copies > maxCopies) throw this.#refused(`more than ${maxCopies} repetitions together`);
    if (most === 0) return { text: '""', copies: 0 };
    return { text: `${piece.text}${quantifier(least, most)}`, copies };
  }

  /** How often at least, and at most; a lazy one means the same. */
  #quantifier(): readonly [least: number, most: number | undefined] {
    let counts: readonly [number, number | undefined] | undefined;
    if (this.#take("*")) counts = [0, undefined];
    else if (this.#take("+")) counts = [1, undefined];
    else if (this.#take("?")) counts = [0, 1];
    else if (this.#take("{")) counts = this.#counts();
    if (counts === undefined) return [1, 1];
    this.#take("?");
    return counts;
  }

  #counts(): readonly [number, number | undefined] {
    let text = "";
    while (this.#peek() !== "}") {
      text += this.#peek() ?? "";
      this.#at += 1;
    }
    this.#at += 1;
    const [least = "0", most] = text.split(",");
    if (most === undefined) return [Number(least), Number(least)];
    return [Number(least), most === "" ? undefined : Number(most)];
  }

  #characterClass(): Characters {
    this.#at += 1;
    const isNegated = this.#take("^");
    const ranges: Range[] = [];
    while (this.#peek() !== "]") {
      const first = this.#inClass();
      const [start] = first;
      if (this.#peek() === "-" && this.#peek(1) !== "]" && isOne(first) && start !== undefined) {
        this.#at += 1;
        const [end] = this.#inClass();
        if (end !== undefined) ranges.push([start[0], end[1]]);
      } else {
        ranges.push(...first);
      }
    }
    this.#at += 1;
    return isNegated ? complement(union(ranges)) : union(ranges);
  }

  #inClass(): Characters {
    if (this.#peek() === "\\") return this.#escape();
    return this.#plain();
  }

  #single(): Characters {
    if (this.#take(".")) return complement(lineEnds);
    if (this.#peek() === "\\") return this.#escape();
    return this.#plain();
  }

  #plain(): Characters {
    const codePoint = this.#peek()?.codePointAt(0);
    if (codePoint === undefined) throw this.#refused("an end in the middle");
    this.#at += 1;
    return [[codePoint, codePoint]];
  }

  #escape(): Characters {
    const letter = this.#peek(1) ?? "";
    const named = classes[letter];
    if (named !== undefined) {
      this.#at += 2;
      return named;
    }
    if (letter === "x" || letter === "u") return this.#numbered();
    if (/[1-9bBkpPc]/.test(letter)) throw this.#refused(`"\\${letter}"`);
    this.#at += 1;
    return this.#plain();
  }

  /** `\xAB`, `\uABCD`, `\u{1ABCD}` */
  #numbered(): Characters {
    const rest = this.#source.slice(this.#at, this.#at + 12).join("");
    const match = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]+)\})/.exec(rest);
    if (match === null) throw this.#refused("a character by a number that is none");
    this.#at += match[0].length;
    const codePoint = Number.parseInt(match[1] ?? match[2] ?? match[3] ?? "", 16);
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) throw this.#refused("half a character");
    return [[codePoint, codePoint]];
  }

  #refused(what: string): PlatformError {
    const { field } = this.#options;
    return new PlatformError(
      "unsupported_parameter",
      `"${field}" has ${what} at character ${this.#at + 1}, which cannot be made into a grammar. Write it with alternatives, classes and repetitions.`,
      { details: { param: field } },
    );
  }
}

type Piece = {
  readonly text: Expression;
  /** How many atoms it is when it is written out. */
  readonly copies: number;
};

const classes: Readonly<Record<string, Characters>> = {
  d: digits,
  D: complement(digits),
  w: wordCharacters,
  W: complement(wordCharacters),
  s: spaces,
  S: complement(spaces),
  t: [[0x09, 0x09]],
  n: [[0x0a, 0x0a]],
  v: [[0x0b, 0x0b]],
  f: [[0x0c, 0x0c]],
  r: [[0x0d, 0x0d]],
  0: [[0, 0]],
};

function isOne(characters: Characters): boolean {
  const [range] = characters;
  return characters.length === 1 && range !== undefined && range[0] === range[1];
}

function quantifier(least: number, most: number | undefined): string {
  if (least === 0 && most === undefined) return "*";
  if (least === 1 && most === undefined) return "+";
  if (least === 0 && most === 1) return "?";
  if (least === most) return `{${least}}`;
  return `{${least},${most ?? ""}}`;
}
