/** Runs a parsed chat template; what the library does not do as Python does, it does here. */
import { type Environment, Interpreter } from "@huggingface/jinja";

/**
 * What a loop over a string does. In Python it goes over the letters, in which no template finds anything:
 * such loops look for pictures in content that is a list elsewhere.
 */
export type StringLoops = "fail" | "skip";

type Statement = { readonly type: string };
type Loop = Statement & { readonly iterable: Statement & { readonly lhs?: Statement } };
type Filter = Statement & { readonly operand: Statement; readonly filter: Statement };
type Value = { readonly type: string; readonly value: unknown };

/** Its declarations are lost on the way: their own imports leave out the ending. */
const LibraryInterpreter = Interpreter as new (
  environment: Environment,
) => {
  run(program: unknown): Value;
  evaluate(statement: Statement | undefined, environment: Environment): Value;
};

/** The library's own refuses loops over strings, and trims what JavaScript calls white space. */
export class TemplateInterpreter extends LibraryInterpreter {
  readonly #loops: StringLoops;
  /** What loops go over, where it was worked out already, by the node that stands for it. */
  readonly #known = new WeakMap<Statement, Value>();

  constructor(environment: Environment, loops: StringLoops) {
    super(environment);
    this.#loops = loops;
  }

  override evaluate(statement: Statement | undefined, environment: Environment): Value {
    const known = statement === undefined ? undefined : this.#known.get(statement);
    if (known !== undefined) return known;
    if (isTrim(statement)) return this.#trim(statement, environment);
    if (statement?.type !== "For" || this.#loops === "fail") {
      return super.evaluate(statement, environment);
    }
    const { iterable } = statement as Loop;
    const source = iterable.type === "SelectExpression" ? iterable.lhs : iterable;
    const value = super.evaluate(source, environment);
    const node: Statement = { type: "Known" };
    this.#known.set(
      node,
      value.type === "StringValue" ? super.evaluate(noItems, environment) : value,
    );
    const once: Loop = {
      ...(statement as Loop),
      iterable: source === iterable ? node : { ...iterable, lhs: node },
    };
    return super.evaluate(once, environment);
  }

  #trim(statement: Filter, environment: Environment): Value {
    const value = this.evaluate(statement.operand, environment);
    if (typeof value.value === "string") {
      const text = { type: "StringLiteral", value: trimmed(value.value) };
      return super.evaluate(text, environment);
    }
    const operand: Statement = { type: "Known" };
    this.#known.set(operand, value);
    const filter: Filter = { ...statement, operand };
    return super.evaluate(filter, environment);
  }
}

function isTrim(statement: Statement | undefined): statement is Filter {
  if (statement?.type !== "FilterExpression") return false;
  const { filter } = statement as Filter;
  return filter.type === "Identifier" && "value" in filter && filter.value === "trim";
}

/** What Python's `str.isspace` says yes to: not the byte-order mark, but some separators that JavaScript keeps. */
const whiteSpace: ReadonlySet<string> = new Set(
  "\t\n\v\f\r\u001c\u001d\u001e\u001f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000",
);

function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && whiteSpace.has(text.charAt(start))) start++;
  while (end > start && whiteSpace.has(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

const noItems = { type: "ArrayLiteral", value: [] };
