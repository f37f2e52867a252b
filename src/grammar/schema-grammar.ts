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
import { anyOfTypes, anyString, anyValue } from "./any-json.ts";
import { listGrammar } from "./list-grammar.ts";
import { numberSchemaGrammar } from "./number-schema.ts";
import { anyOf, type Expression, literal, type Rules } from "./rules.ts";
import {
  asSchema,
  checkKeywords,
  countAt,
  isOfType,
  listAt,
  refused,
  type Schema,
  type SchemaType,
  typesOf,
  unsupportedKeyword,
  wholeKeyword,
} from "./schema-keywords.ts";
import { stringSchemaGrammar } from "./string-schema.ts";

const maxDepth = 64;
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

  #schema(value: unknown, path: string): Expression {
    if (!this.#isLoose) return this.#kept(value, path);
    return (
      this.#attempt(() => this.#kept(value, path)) ??
      this.#attempt(() => this.#kept(withoutNarrowing(value), path)) ??
      anyOfTypes(value, this.#rules)
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

  #kept(value: unknown, path: string): Expression {
    const schema = asSchema(value, path);
    if (schema === true) return anyValue(this.#rules);
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
    const keyword = wholeKeyword(schema);
    switch (keyword) {
      case "$ref":
        return this.#reference(schema["$ref"], `${path}.$ref`);
      case "const":
        return oneOfValues([schema["const"]], path, typesNamed(schema, allowed));
      case "enum": {
        const values = listAt(schema, "enum", path, "value");
        return oneOfValues(values, path, typesNamed(schema, allowed));
      }
      case "anyOf":
      case "oneOf": {
        const options = listAt(schema, keyword, path, "schema");
        return anyOf(
          options.map((option, index) => this.#schema(option, `${path}.${keyword}[${index}]`)),
        );
      }
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
        return this.#rules.add(numberSchemaGrammar(type, schema, path));
      case "string":
        return stringSchemaGrammar(schema, path, this.#rules);
      case "array":
        return this.#array(schema, path);
      case "object":
        return this.#object(schema, path);
    }
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
    if (!hasMore && least > prefix.length) {
      throw refused(path, "has room for fewer items than its minItems.");
    }
    const item = hasMore ? this.#rules.add(this.#schema(items, `${path}.items`)) : undefined;
    return listGrammar({ prefix: prefix.slice(0, most), item, least, most }, this.#rules);
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
      isOpen === true
        ? anyValue(this.#rules)
        : this.#schema(isOpen, `${path}.additionalProperties`);
    return this.#rules.add(`${anyString(this.#rules)} ": " (${value})`);
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

/** The types of `const` and `enum`: those that are named beside them, else all. */
function typesNamed(
  schema: Schema,
  allowed: readonly SchemaType[],
): readonly SchemaType[] | undefined {
  return "type" in schema ? allowed : undefined;
}

function oneOfValues(
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

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
