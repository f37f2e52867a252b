/** A schema of numbers: its bounds, and what of them a grammar can keep. */
import { type Bounds, integerGrammar, numberGrammar } from "./number-grammar.ts";
import type { Expression } from "./rules.ts";
import { numberAt, refused, type Schema, unsupportedKeyword } from "./schema-keywords.ts";

/** @throws PlatformError `invalid_request`, `unsupported_parameter`, naming the keyword */
export function numberSchemaGrammar(
  type: "number" | "integer",
  schema: Schema,
  path: string,
): Expression {
  const bounds = boundsOf(schema, path);
  const { multipleOf } = schema;
  if (multipleOf !== undefined && !(type === "integer" && multipleOf === 1)) {
    throw unsupportedKeyword(path, "multipleOf");
  }
  if (type === "number") requireWholeBounds(schema, path);
  const text = type === "integer" ? integerGrammar(bounds) : numberGrammar(bounds);
  if (text === undefined) throw refused(path, "has bounds that no number lies between.");
  return text;
}

function boundsOf(schema: Schema, path: string): Bounds {
  const minimum = numberAt(schema, "minimum", path);
  const maximum = numberAt(schema, "maximum", path);
  const above = numberAt(schema, "exclusiveMinimum", path);
  const below = numberAt(schema, "exclusiveMaximum", path);
  return {
    minimum: tighter(minimum, above, Math.max),
    maximum: tighter(maximum, below, Math.min),
    excludesMinimum: above !== undefined && above >= (minimum ?? above),
    excludesMaximum: below !== undefined && below <= (maximum ?? below),
  };
}

function tighter(
  a: number | undefined,
  b: number | undefined,
  choose: (a: number, b: number) => number,
): number | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : choose(a, b);
}

function requireWholeBounds(schema: Schema, path: string): void {
  for (const keyword of ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]) {
    const bound = schema[keyword];
    if (bound === undefined || Number.isSafeInteger(bound)) continue;
    throw refused(
      `${path}.${keyword}`,
      `is ${JSON.stringify(bound)}; numbers with a fraction can be held to whole bounds alone.`,
    );
  }
}
