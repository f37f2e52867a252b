/** Any JSON value, written as a schema's values are: on one line, `, ` and `: ` between. */
import { type Bounds, numberGrammar } from "./number-grammar.ts";
import { anyOf, type Expression, type Rules } from "./rules.ts";
import type { SchemaType } from "./schema-keywords.ts";

/** A character between quotes, without a backslash. */
export const plainCharacter = '[^"\\\\\\0-\\x1f]';

const unbounded: Bounds = {
  minimum: undefined,
  maximum: undefined,
  excludesMinimum: false,
  excludesMaximum: false,
};

export function anyValue(rules: Rules): Expression {
  return rules.addOnce("value", () =>
    anyOf([
      anyString(rules),
      rules.addOnce("number", () => numberGrammar(unbounded) ?? ""),
      '"true"',
      '"false"',
      '"null"',
      rules.addOnce("array", () => '"[" (value (", " value)*)? "]"'),
      anyObject(rules),
    ]),
  );
}

export function anyObject(rules: Rules): Expression {
  return rules.addOnce("object", () => {
    const pair = `${anyString(rules)} ": " ${anyValue(rules)}`;
    return `"{" (${pair} (", " ${pair})*)? "}"`;
  });
}

/** Beside `string` it writes `stringrest`, the rest of one and its closing quote, and `escape`. */
export function anyString(rules: Rules): Expression {
  rules.addOnce("escape", () => '["\\\\/bfnrt] | "u" [0-9A-Fa-f]{4}');
  rules.addOnce(
    "stringrest",
    () => `"\\"" | ${plainCharacter} stringrest | "\\\\" escape stringrest`,
  );
  return rules.addOnce("string", () => '"\\"" stringrest');
}

/** Of each type; `anyValue` has to have written the rules that they name. */
const ofType: Readonly<Record<SchemaType, Expression>> = {
  string: "string",
  number: "number",
  integer: '("-"? ([0-9] | [1-9] [0-9]{1,14}))',
  boolean: '("true" | "false")',
  null: '"null"',
  array: "array",
  object: "object",
};

/** Any value of the types that a schema names; of all types when it names none, or others than there are. */
export function anyOfTypes(schema: unknown, rules: Rules): Expression {
  const named: unknown =
    typeof schema === "object" && schema !== null && "type" in schema ? schema.type : undefined;
  const types: readonly unknown[] = Array.isArray(named) ? named : [named];
  const value = anyValue(rules);
  const known = types.flatMap((type) =>
    typeof type === "string" && Object.hasOwn(ofType, type) ? [ofType[type as SchemaType]] : [],
  );
  return known.length === types.length ? anyOf(known) : value;
}
