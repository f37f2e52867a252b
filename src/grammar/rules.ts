/**
 * A grammar as it grows: named rules in xgrammar's EBNF, with a limit on how many.
 *
 * Repetition is written as recursion to the right, ending in whatever ends it: that is the form for which
 * the masks of nearly all tokens can be computed once, when the grammar is compiled.
 */
import { PlatformError } from "../base/errors.ts";

/** What a rule may say: a piece of EBNF that needs no brackets of its own. */
export type Expression = string;

/** Compiling takes some milliseconds a rule where the vocabulary has 128,000 tokens. */
const maxRules = 2_000;
/** Of the whole text. */
const maxLength = 512 * 1024;

export class Rules {
  readonly #bodies = new Map<string, Expression>();
  readonly #field: string;
  #length = 0;
  /** Rules that are left to others. */
  #spare = 0;

  /** @param field what the grammar is made from, for the sentence that refuses it */
  constructor(field: string) {
    this.#field = field;
  }

  /** A name that no rule has yet; its rule must follow. */
  reserve(): string {
    const name = `r${this.#bodies.size}`;
    this.define(name, "");
    return name;
  }

  define(name: string, body: Expression): void {
    this.#length += body.length;
    this.#bodies.set(name, body);
    if (this.#bodies.size + this.#spare <= maxRules && this.#length <= maxLength) return;
    throw new PlatformError(
      "invalid_request",
      `"${this.#field}" grows into a grammar of more than ${maxRules} rules or ${maxLength} characters. Ask for less: fewer properties, shorter repetitions.`,
      { details: { param: this.#field } },
    );
  }

  add(body: Expression): string {
    const name = this.reserve();
    this.define(name, body);
    return name;
  }

  /** A rule that many may refer to by its own name. */
  addOnce(name: string, body: () => Expression): string {
    if (!this.#bodies.has(name)) {
      this.define(name, "");
      this.define(name, body());
    }
    return name;
  }

  /**
   * Write rules that are taken back when they cannot be finished.
   *
   * @param options.spare so many more rules must be possible afterwards
   * @throws what `write` throws
   */
  attempt(write: () => Expression, { spare }: { readonly spare: number }): Expression {
    const before = new Set(this.#bodies.keys());
    const length = this.#length;
    const outer = this.#spare;
    this.#spare = Math.max(spare, outer);
    try {
      return write();
    } catch (error) {
      for (const name of this.#bodies.keys()) if (!before.has(name)) this.#bodies.delete(name);
      this.#length = length;
      throw error;
    } finally {
      this.#spare = outer;
    }
  }

  toText(root: Expression): string {
    const rules = [...this.#bodies].map(([name, body]) => `${name} ::= ${body}\n`);
    return `root ::= ${root}\n${rules.join("")}`;
  }
}

/** Exactly this text. */
export function literal(text: string): Expression {
  return `"${Array.from(text, (character) => escaped(character.codePointAt(0) ?? 0)).join("")}"`;
}

/** One of several; at least one. */
export function anyOf(options: readonly Expression[]): Expression {
  return options.length === 1 ? (options[0] ?? "") : `(${options.join(" | ")})`;
}

/** One after the other; nothing when empty. */
export function sequence(...parts: readonly Expression[]): Expression {
  const said = parts.filter((part) => part !== "" && part !== '""');
  return said.length === 0 ? '""' : said.join(" ");
}

/** A character, as it is written inside quotes and inside square brackets. */
export function escaped(codePoint: number): string {
  const isPlain =
    (codePoint >= 0x30 && codePoint <= 0x39) ||
    (codePoint >= 0x41 && codePoint <= 0x5a) ||
    (codePoint >= 0x61 && codePoint <= 0x7a) ||
    " _.,:;!?(){}<>=+*/#@%&~'".includes(String.fromCodePoint(codePoint));
  if (isPlain) return String.fromCodePoint(codePoint);
  return codePoint <= 0xffff
    ? `\\u${codePoint.toString(16).padStart(4, "0")}`
    : `\\U${codePoint.toString(16).padStart(8, "0")}`;
}
