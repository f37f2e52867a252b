/** Runs a parsed chat template; what the library does not do as Python does, it does here. */
import { type Environment, Interpreter } from "@huggingface/jinja";

/**
 * What a loop over a string does. In Python it goes over the letters, in which no template finds anything:
 * such loops look for pictures in content that is a list elsewhere.
 */
export type StringLoops = "fail" | "skip";

type Statement = { readonly type: string };
type Loop = Statement & { readonly iterable: Statement & { readonly lhs?: Statement } };
type Value = { readonly type: string; readonly value: unknown };

/** Its declarations are lost on the way: their own imports leave out the ending. */
const LibraryInterpreter = Interpreter as new (
  environment: Environment,
) => {
  run(program: unknown): Value;
  evaluate(statement: Statement | undefined, environment: Environment): Value;
};

/** The library's own refuses loops over strings. */
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
}

const noItems = { type: "ArrayLiteral", value: [] };
