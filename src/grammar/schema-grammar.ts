/**
 * A JSON schema → a grammar of exactly the JSON texts that fit it, written in one way: on one line, `, `
 * and `: ` between, properties in the schema's order. So an answer costs no tokens for indentation, and
 * cannot wander off into white space.
 *
 * Where no other is allowed, a property has to be named in the schema: `additionalProperties` counts as
 * false when it is left out beside `properties`. `oneOf` is read as `anyOf`.
 *
 * @see JSON Schema 2020-12, and RFC 8259 for the text
 */
import { PlatformError } from "../base/errors.ts";
import { literalJson } from "../base/json-text.ts";
import { type Bounds, integerGrammar, numberGrammar } from "./number-grammar.ts";
import { regexGrammar } from "./regex-grammar.ts";
import { anyOf, type Expression, literal, type Rules, sequence } from "./rules.ts";
import {
  asSchema,
  checkKeywords,
  countAt,
  numberAt,
  refused,
  type Schema,
  type SchemaType,
  typesOf,
  unsupportedKeyword,
  wholeKeyword,
} from "./schema-keywords.ts";
import { stringFormats } from "./string-formats.ts";

const maxDepth = 64;
/** Every further character takes a rule of its own, and milliseconds where it is compiled. */
const maxStringLength = 256;
const maxItems = 512;

/**
 * Write the rules of a schema.
 *
 * @param field where it stands in the request, such as `response_format.json_schema.schema`
 * @returns what stands for it
 * @throws PlatformError `invalid_request`, `unsupported_parameter`, naming the place
 */
export function schemaGrammar(schema: unknown, field: string, rules: Rules): Expression {
  return new SchemaWriter(schema, field, rules).write();
}

/**
 * Write the rules of the schema of an object, and of each part that cannot be kept only what can: without the
 * keywords that narrow it, else any value of its type.
 *
 * @returns what stands for it
 */
export function looseObjectGrammar(schema: Schema, field: string, rules: Rules): Expression {
  return new SchemaWriter(schema, field, rules, { isLoose: true }).write();
}

/** Any JSON object at all. */
export function anyObject(rules: Rules): Expression {
  return new SchemaWriter({}, "", rules).anyObject();
}

class SchemaWriter {
  readonly #root: unknown;
  readonly #field: string;
  readonly #rules: Rules;
  /** Definition → its rule, so that a schema may refer to itself. */
  readonly #definitions = new Map<string, string>();
  /** Definitions that are being written and have not said anything yet. */
  readonly #open = new Set<string>();
  #depth = 0;
  readonly #isLoose: boolean;

  constructor(root: unknown, field: string, rules: Rules, { isLoose = false } = {}) {
    this.#root = root;
    this.#field = field;
    this.#rules = rules;
    this.#isLoose = isLoose;
  }

  write(): Expression {
    return this.#definition("#", this.#field);
  }

  anyObject(): Expression {
    return this.#rules.addOnce("object", () => {
      const pair = `${this.#anyString()} ": " ${this.#anyValue()}`;
      return `"{" (${pair} (", " ${pair})*)? "}"`;
    });
  }

  #schema(value: unknown, path: string): Expression {
    if (!this.#isLoose) return this.#kept(value, path);
    return (
      this.#attempt(() => this.#kept(value, path)) ??
      this.#attempt(() => this.#kept(withoutNarrowing(value), path)) ??
      this.#anyOfTypes(value)
    );
  }

  /** @returns `undefined`, and nothing is written, when it cannot be kept */
  #attempt(write: () => Expression): Expression | undefined {
    const depth = this.#depth;
    const definitions = new Map(this.#definitions);
    const open = new Set(this.#open);
    try {
      return this.#rules.attempt(write, { spare: 0 });
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      this.#depth = depth;
      restore(this.#definitions, definitions);
      this.#open.clear();
      for (const pointer of open) this.#open.add(pointer);
      return undefined;
    }
  }

  #anyOfTypes(value: unknown): Expression {
    const named: unknown =
      typeof value === "object" && value !== null && "type" in value ? value.type : undefined;
    const types: readonly unknown[] = Array.isArray(named) ? named : [named];
    this.#anyValue();
    const rules = types.map((type) => anyOfType[String(type)]);
    return rules.some((rule) => rule === undefined) ? "value" : anyOf(rules as Expression[]);
  }

  #kept(value: unknown, path: string): Expression {
    const schema = asSchema(value, path);
    if (schema === true) return this.#anyValue();
    if (schema === false) throw refused(path, "is false: nothing fits it.");
    this.#depth += 1;
    if (this.#depth > maxDepth) {
      throw refused(this.#field, `is nested more than ${maxDepth} levels deep.`);
    }
    const allowed = typesOf(schema, path);
    checkKeywords(schema, path, allowed);
    const text = this.#checked(schema, path, allowed);
    this.#depth -= 1;
    return schema["nullable"] === true ? anyOf([text, '"null"']) : text;
  }

  #checked(schema: Schema, path: string, allowed: readonly SchemaType[]): Expression {
    switch (wholeKeyword(schema)) {
      case "$ref":
        return this.#reference(schema["$ref"], `${path}.$ref`);
      case "const":
        return this.#oneOfValues([schema["const"]], path, "type" in schema ? allowed : undefined);
      case "enum": {
        const values = schema["enum"];
        if (!Array.isArray(values) || values.length === 0) {
          throw refused(`${path}.enum`, "must be a list of at least one value.");
        }
        return this.#oneOfValues(values, path, "type" in schema ? allowed : undefined);
      }
      case "anyOf":
        return this.#anyOfSchemas(schema["anyOf"], `${path}.anyOf`);
      case "oneOf":
        return this.#anyOfSchemas(schema["oneOf"], `${path}.oneOf`);
      case "allOf": {
        const all = schema["allOf"];
        if (!Array.isArray(all) || all.length !== 1) throw unsupportedKeyword(path, "allOf");
        return this.#schema(all[0], `${path}.allOf[0]`);
      }
      case undefined:
        return anyOf(allowed.map((type) => this.#ofType(type, schema, path)));
    }
  }

  #ofType(type: SchemaType, schema: Schema, path: string): Expression {
    switch (type) {
      case "null":
        return '"null"';
      case "boolean":
        return '("true" | "false")';
      case "integer":
      case "number":
        return this.#number(type, schema, path);
      case "string":
        return this.#string(schema, path);
      case "array":
        return this.#array(schema, path);
      case "object":
        return this.#object(schema, path);
    }
  }

  // ------------------------------------------------------------------------------------ values

  #anyValue(): Expression {
    return this.#rules.addOnce("value", () =>
      anyOf([
        this.#anyString(),
        this.#rules.addOnce("number", () => numberGrammar(unbounded) ?? ""),
        '"true"',
        '"false"',
        '"null"',
        this.#rules.addOnce("array", () => '"[" (value (", " value)*)? "]"'),
        this.anyObject(),
      ]),
    );
  }

  #anyString(): Expression {
    this.#rules.addOnce("escape", () => '["\\\\/bfnrt] | "u" [0-9A-Fa-f]{4}');
    this.#rules.addOnce(
      "stringrest",
      () => `"\\"" | ${plainCharacter} stringrest | "\\\\" escape stringrest`,
    );
    return this.#rules.addOnce("string", () => '"\\"" stringrest');
  }

  #oneOfValues(
    values: readonly unknown[],
    path: string,
    allowed: readonly SchemaType[] | undefined,
  ): Expression {
    const fitting = values.filter(
      (value) => allowed === undefined || allowed.some((type) => isOfType(value, type)),
    );
    if (fitting.length === 0) throw refused(path, "has no value of its own type.");
    return anyOf(fitting.map((value) => literal(literalJson(value))));
  }

  #anyOfSchemas(options: unknown, path: string): Expression {
    if (!Array.isArray(options) || options.length === 0) {
      throw refused(path, "must be a list of at least one schema.");
    }
    return anyOf(options.map((option, index) => this.#schema(option, `${path}[${index}]`)));
  }

  #number(type: "number" | "integer", schema: Schema, path: string): Expression {
    const minimum = numberAt(schema, "minimum", path);
    const maximum = numberAt(schema, "maximum", path);
    const above = numberAt(schema, "exclusiveMinimum", path);
    const below = numberAt(schema, "exclusiveMaximum", path);
    if (schema["multipleOf"] !== undefined && !(type === "integer" && schema["multipleOf"] === 1)) {
      throw unsupportedKeyword(path, "multipleOf");
    }
    const bounds: Bounds = {
      minimum: tighter(minimum, above, Math.max),
      maximum: tighter(maximum, below, Math.min),
      excludesMinimum: above !== undefined && above >= (minimum ?? above),
      excludesMaximum: below !== undefined && below <= (maximum ?? below),
    };
    if (type === "number") {
      for (const keyword of ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]) {
        const bound = schema[keyword];
        if (bound !== undefined && !Number.isSafeInteger(bound)) {
          throw refused(
            `${path}.${keyword}`,
            `is ${JSON.stringify(bound)}; numbers with a fraction can be held to whole bounds alone.`,
          );
        }
      }
    }
    const text = type === "integer" ? integerGrammar(bounds) : numberGrammar(bounds);
    if (text === undefined) throw refused(path, "has bounds that no number lies between.");
    return this.#rules.add(text);
  }

  #string(schema: Schema, path: string): Expression {
    const least = countAt(schema, "minLength", path, maxStringLength) ?? 0;
    const most = countAt(schema, "maxLength", path, maxStringLength);
    const { pattern, format } = schema;
    if (pattern !== undefined) return this.#pattern(schema, path);
    if (format !== undefined) {
      const known = typeof format === "string" ? stringFormats[format] : undefined;
      if (known === undefined) {
        throw refused(
          `${path}.format`,
          `must be one of ${Object.keys(stringFormats).join(", ")}. Leave it out, or write it as a pattern.`,
        );
      }
      if (least > 0 || most !== undefined) throw unsupportedKeyword(path, "format");
      return this.#inQuotes(regexGrammar(known, { field: `${path}.format`, inJson: true }));
    }
    if (least === 0 && most === undefined) return this.#anyString();
    return this.#stringOfLength(least, most, path);
  }

  #pattern(schema: Schema, path: string): Expression {
    const { pattern, format } = schema;
    if (typeof pattern !== "string") throw refused(`${path}.pattern`, "must be text.");
    for (const keyword of ["minLength", "maxLength"]) {
      // A pattern has a length of its own; both together are more than a grammar says.
      if (schema[keyword] !== undefined && schema[keyword] !== 0) {
        throw unsupportedKeyword(path, keyword);
      }
    }
    const known = typeof format === "string" ? stringFormats[format] : undefined;
    try {
      return this.#inQuotes(regexGrammar(pattern, { field: `${path}.pattern`, inJson: true }));
    } catch (error) {
      // Schemas made by libraries say the same thing twice: the format is the one that we know.
      if (known === undefined) throw error;
      return this.#inQuotes(regexGrammar(known, { field: `${path}.format`, inJson: true }));
    }
  }

  #inQuotes(text: Expression): Expression {
    return this.#rules.add(`"\\"" (${text}) "\\""`);
  }

  #stringOfLength(least: number, most: number | undefined, path: string): Expression {
    if (most !== undefined && least > most) {
      throw refused(path, "has a minLength that is more than its maxLength.");
    }
    this.#anyString();
    const one = (rest: string): string => `${plainCharacter} ${rest} | "\\\\" escape ${rest}`;
    let rest = most === undefined ? "stringrest" : this.#rules.add('"\\""');
    for (let length = (most ?? least) - 1; length >= 0; length--) {
      const mayEnd = length >= least ? '"\\"" | ' : "";
      rest = this.#rules.add(`${mayEnd}${one(rest)}`);
    }
    return this.#rules.add(`"\\"" ${rest}`);
  }

  // ------------------------------------------------------------------------------- containers

  #array(schema: Schema, path: string): Expression {
    const least = countAt(schema, "minItems", path, maxItems) ?? 0;
    const most = countAt(schema, "maxItems", path, maxItems);
    if (schema["uniqueItems"] === true) throw unsupportedKeyword(path, "uniqueItems");
    if (most !== undefined && least > most) {
      throw refused(path, "has minItems that are more than its maxItems.");
    }
    const prefix = this.#prefixItems(schema["prefixItems"], `${path}.prefixItems`);
    const { items = true } = schema;
    const hasMore = items !== false && (most === undefined || most > prefix.length);
    if (!hasMore && least > prefix.length)
      throw refused(path, "has room for fewer items than its minItems.");
    const item = hasMore ? this.#rules.add(this.#schema(items, `${path}.items`)) : "";
    const numPrefix = Math.min(prefix.length, most ?? prefix.length);
    /** What may follow `count` items. */
    let rest: string;
    if (!hasMore) rest = this.#rules.add('"]"');
    else if (most === undefined) {
      rest = this.#rules.reserve();
      this.#rules.define(rest, `"]" | ", " ${item} ${rest}`);
    } else {
      rest = this.#rules.add('"]"');
      for (let count = most - 1; count >= Math.max(numPrefix, 1); count--) {
        rest = this.#rules.add(`${count >= least ? '"]" | ' : ""}", " ${item} ${rest}`);
      }
    }
    if (most === undefined && hasMore) {
      for (let count = least - 1; count >= Math.max(numPrefix, 1); count--) {
        rest = this.#rules.add(`", " ${item} ${rest}`);
      }
    }
    for (let count = numPrefix - 1; count >= 1; count--) {
      rest = this.#rules.add(
        `${count >= least ? '"]" | ' : ""}", " ${prefix[count] ?? ""} ${rest}`,
      );
    }
    const first = numPrefix > 0 ? prefix[0] : hasMore ? item : undefined;
    const empty = least === 0 ? ['"]"'] : [];
    const full = first === undefined || most === 0 ? [] : [`${first} ${rest}`];
    return this.#rules.add(sequence('"["', anyOf([...empty, ...full])));
  }

  #prefixItems(value: unknown, path: string): Expression[] {
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw refused(path, "must be a list of schemas.");
    return value.map((item, index) => this.#rules.add(this.#schema(item, `${path}[${index}]`)));
  }

  #object(schema: Schema, path: string): Expression {
    const { properties: named = {}, required = [] } = schema;
    if (typeof named !== "object" || named === null || Array.isArray(named)) {
      throw refused(`${path}.properties`, "must be an object of schemas.");
    }
    if (!Array.isArray(required) || required.some((name) => typeof name !== "string")) {
      throw refused(`${path}.required`, "must be a list of names.");
    }
    const others = this.#otherProperties(schema, path);
    const properties = new Map(Object.entries(named));
    for (const name of required as string[]) {
      if (properties.has(name)) continue;
      if (others === undefined)
        throw refused(`${path}.required`, `names "${name}", which is no property.`);
      properties.set(name, schema["additionalProperties"] ?? true);
    }
    const pairs = [...properties].map(([name, value]) => ({
      text: `${literal(`${JSON.stringify(name)}: `)} ${this.#rules.add(this.#schema(value, `${path}.properties.${name}`))}`,
      isRequired: (required as string[]).includes(name),
    }));
    return this.#rules.add(`"{" ${this.#pairs(pairs, others)}`);
  }

  /** A pair of a name that is not listed; `undefined` when there may be none. */
  #otherProperties(schema: Schema, path: string): Expression | undefined {
    const { properties, additionalProperties } = schema;
    const isOpen = additionalProperties ?? properties === undefined;
    if (isOpen === false) return undefined;
    const value =
      isOpen === true ? this.#anyValue() : this.#schema(isOpen, `${path}.additionalProperties`);
    return this.#rules.add(`${this.#anyString()} ": " (${value})`);
  }

  /** The pairs in their order and the closing bracket, from the last backwards. */
  #pairs(
    pairs: readonly { readonly text: Expression; readonly isRequired: boolean }[],
    others: Expression | undefined,
  ): Expression {
    /** After a pair, and where none has come yet. */
    let after = this.#rules.reserve();
    this.#rules.define(after, others === undefined ? '"}"' : `"}" | ", " ${others} ${after}`);
    let before = this.#rules.add(others === undefined ? '"}"' : `"}" | ${others} ${after}`);
    for (const { text, isRequired } of pairs.toReversed()) {
      const first = `${text} ${after}`;
      const next = `", " ${text} ${after}`;
      const nextBefore = this.#rules.add(isRequired ? first : `${first} | ${before}`);
      after = this.#rules.add(isRequired ? next : `${next} | ${after}`);
      before = nextBefore;
    }
    return before;
  }

  // ------------------------------------------------------------------------------- references

  #reference(target: unknown, path: string): Expression {
    if (typeof target !== "string" || !(target === "#" || target.startsWith("#/"))) {
      throw refused(path, 'must be a place in the schema itself, such as "#/$defs/item".');
    }
    return this.#definition(target, path);
  }

  #definition(pointer: string, path: string): Expression {
    const known = this.#definitions.get(pointer);
    if (known !== undefined) {
      if (this.#open.has(pointer)) throw refused(path, "refers to itself and says nothing else.");
      return known;
    }
    const rule = this.#rules.reserve();
    this.#definitions.set(pointer, rule);
    const value = this.#at(pointer, path);
    const isReference = typeof value === "object" && value !== null && "$ref" in value;
    if (isReference) this.#open.add(pointer);
    const opened = [...this.#open];
    if (!isReference) this.#open.clear();
    this.#rules.define(rule, this.#schema(value, pointer === "#" ? this.#field : path));
    if (!isReference) for (const open of opened) this.#open.add(open);
    this.#open.delete(pointer);
    return rule;
  }

  #at(pointer: string, path: string): unknown {
    let value: unknown = this.#root;
    for (const part of pointer.split("/").slice(1)) {
      const key = decoded(part).replaceAll("~1", "/").replaceAll("~0", "~");
      const isThere = typeof value === "object" && value !== null && Object.hasOwn(value, key);
      if (!isThere)
        throw refused(path, `refers to ${JSON.stringify(pointer)}, which is not there.`);
      value = Reflect.get(value as object, key);
    }
    return value;
  }
}

/** Rules that `anyValue` writes, by the type that they stand for. */
const anyOfType: Readonly<Record<string, Expression>> = {
  string: "string",
  number: "number",
  integer: '("-"? ([0-9] | [1-9] [0-9]{1,14}))',
  boolean: '("true" | "false")',
  null: '"null"',
  array: "array",
  object: "object",
};

/** Keywords that say of what kind a value is, and not how it is narrowed. */
const outlines: ReadonlySet<string> = new Set([
  "type",
  "properties",
  "required",
  "additionalProperties",
  "items",
  "enum",
  "const",
  "anyOf",
  "oneOf",
  "allOf",
  "$ref",
  "nullable",
]);

function withoutNarrowing(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([keyword]) => outlines.has(keyword)));
}

function restore<Key, Value>(map: Map<Key, Value>, before: ReadonlyMap<Key, Value>): void {
  map.clear();
  for (const [key, value] of before) map.set(key, value);
}

/** Inside quotes, without a backslash. */
const plainCharacter = '[^"\\\\\\0-\\x1f]';

const unbounded: Bounds = {
  minimum: undefined,
  maximum: undefined,
  excludesMinimum: false,
  excludesMaximum: false,
};

function tighter(
  a: number | undefined,
  b: number | undefined,
  choose: (a: number, b: number) => number,
): number | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : choose(a, b);
}

function isOfType(value: unknown, type: SchemaType): boolean {
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

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
