/** What the keywords of a JSON schema may say, and which of them a grammar cannot keep. */
import { PlatformError } from "../base/errors.ts";

export type Schema = Readonly<Record<string, unknown>>;

export type SchemaType = "string" | "number" | "integer" | "boolean" | "null" | "array" | "object";

const types: readonly SchemaType[] = [
  "string",
  "number",
  "integer",
  "boolean",
  "null",
  "array",
  "object",
];

/** Say something about a value without narrowing it. */
const annotations: ReadonlySet<string> = new Set([
  "$schema",
  "$id",
  "$comment",
  "$defs",
  "$anchor",
  "definitions",
  "title",
  "description",
  "default",
  "example",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
  "discriminator",
  "contentEncoding",
  "contentMediaType",
  "nullable",
]);

/** Keywords that narrow a value of one type. */
const ofType: Readonly<Record<SchemaType, readonly string[]>> = {
  string: ["minLength", "maxLength", "pattern", "format"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"],
  boolean: [],
  null: [],
  array: ["items", "prefixItems", "minItems", "maxItems", "uniqueItems"],
  object: ["properties", "required", "additionalProperties"],
};

/** They say all there is to say; beside them stand annotations alone. */
const whole = ["$ref", "const", "enum", "anyOf", "oneOf", "allOf"] as const;

/** Where a schema is refused. */
export function refused(path: string, sentence: string): PlatformError {
  return new PlatformError("invalid_request", `"${path}" ${sentence}`, {
    details: { param: path },
  });
}

function unsupported(path: string, keyword: string): PlatformError {
  const param = `${path}.${keyword}`;
  return new PlatformError(
    "unsupported_parameter",
    `"${param}" is a keyword that answers cannot be held to. Leave it out and check the answer for it.`,
    { details: { param } },
  );
}

export function asSchema(value: unknown, path: string): Schema | boolean {
  if (typeof value === "boolean") return value;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Schema;
  }
  throw refused(path, "must be a JSON schema: an object, true or false.");
}

/** The types that a schema allows: those it names, else those its keywords are about, else all. */
export function typesOf(schema: Schema, path: string): readonly SchemaType[] {
  const { type } = schema;
  if (type !== undefined) {
    const named: readonly unknown[] = Array.isArray(type) ? type : [type];
    const wrong = named.find((name) => !types.some((known) => known === name));
    if (named.length === 0 || wrong !== undefined) {
      throw refused(`${path}.type`, `must be one of ${types.join(", ")}, or a list of them.`);
    }
    return types.filter((known) => named.includes(known));
  }
  const about = types.filter(
    (known) => known !== "integer" && ofType[known].some((keyword) => keyword in schema),
  );
  return about.length > 0 ? about : types.filter((known) => known !== "integer");
}

/** The keyword that says all, of which there can be one. */
export function wholeKeyword(schema: Schema): (typeof whole)[number] | undefined {
  return whole.find((keyword) => keyword in schema);
}

/**
 * @param typesAllowed those the schema allows
 * @throws PlatformError `unsupported_parameter`, naming the first keyword that cannot be kept
 */
export function checkKeywords(
  schema: Schema,
  path: string,
  typesAllowed: readonly SchemaType[],
): void {
  const keyword = wholeKeyword(schema);
  const kept = new Set([
    "type",
    ...(keyword === undefined ? typesAllowed.flatMap((type) => ofType[type]) : [keyword]),
  ]);
  for (const name of Object.keys(schema)) {
    if (kept.has(name) || annotations.has(name) || name.startsWith("x-")) continue;
    // About values of a type that is not allowed here: it narrows nothing.
    const isIdle = keyword === undefined && types.some((type) => ofType[type].includes(name));
    if (!isIdle) throw unsupported(path, name);
  }
}

export { unsupported as unsupportedKeyword };

/** A number that a keyword holds. */
export function numberAt(schema: Schema, keyword: string, path: string): number | undefined {
  const value = schema[keyword];
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw refused(`${path}.${keyword}`, "must be a number.");
}

/** A count that a keyword holds: how many characters or items. */
export function countAt(
  schema: Schema,
  keyword: string,
  path: string,
  most: number,
): number | undefined {
  const value = numberAt(schema, keyword, path);
  if (value === undefined) return undefined;
  if (!Number.isInteger(value) || value < 0) {
    throw refused(`${path}.${keyword}`, "must be a whole number of 0 or more.");
  }
  if (value > most) {
    throw refused(`${path}.${keyword}`, `is ${value}; answers can be held to ${most} at most.`);
  }
  return value;
}

/** The values or schemas that a keyword lists, one or more. */
export function listAt(
  schema: Schema,
  keyword: string,
  path: string,
  what: "schema" | "value",
): readonly unknown[] {
  const list = schema[keyword];
  if (Array.isArray(list) && list.length > 0) return list;
  throw refused(`${path}.${keyword}`, `must be a list of at least one ${what}.`);
}

export function isOfType(value: unknown, type: SchemaType): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "number":
    case "string":
    case "boolean":
      return typeof value === type;
  }
}
