/** A schema's verdict as one sentence with the field, the value and what would do. */
import type { z } from "zod";
import { PlatformError } from "../base/errors.ts";

type Issue = z.core.$ZodIssue;

/**
 * @throws PlatformError `invalid_request`, with the field in `details.param`
 */
export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [first] = result.error.issues;
  if (first === undefined) throw new Error("a schema refused without a reason");
  const issue = deepest(first);
  const param = fieldName(issue.path);
  const message =
    param === ""
      ? `The body ${demand(issue, value)}.`
      : `"${param}" ${demand(issue, at(value, issue.path))}.`;
  throw new PlatformError("invalid_request", message, {
    details: { param: param === "" ? undefined : param },
  });
}

/** Of a union, the branch that got furthest is the one the caller meant. */
function deepest(issue: Issue): Issue {
  if (issue.code !== "invalid_union") return issue;
  const [furthest] = issue.errors
    .flatMap((branch) => branch.slice(0, 1))
    .map((nested) => deepest({ ...nested, path: [...issue.path, ...nested.path] }))
    // A branch whose type fitted got further than one whose type did not.
    .filter((nested) => nested.path.length > issue.path.length || nested.code !== "invalid_type")
    .toSorted((a, b) => distance(b, issue) - distance(a, issue) || lastIndex(b) - lastIndex(a));
  return furthest ?? issue;
}

/** How far a branch got: one that minds only how much there is has found nothing else wrong, all the way. */
function distance({ code, path }: Issue, union: Issue): number {
  const isAboutSize = code === "too_big" || code === "too_small";
  return isAboutSize && path.length === union.path.length ? Infinity : path.length;
}

function lastIndex({ path }: Issue): number {
  const last = path.at(-1);
  return typeof last === "number" ? last : -1;
}

function demand(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      return value === undefined
        ? `is missing; it must be ${typeName(issue.expected)}`
        : `must be ${typeName(issue.expected)}, but is ${show(value)}`;
    case "too_small":
      return `must ${bound(issue.origin, issue.inclusive === false ? "more than" : "at least", issue.minimum)}, but ${measure(issue.origin, value)}`;
    case "too_big":
      return `must ${bound(issue.origin, issue.inclusive === false ? "less than" : "at most", issue.maximum)}, but ${measure(issue.origin, value)}`;
    case "not_multiple_of":
      return `must be a whole number, but is ${show(value)}`;
    case "invalid_value":
      return `must be ${issue.values.map((allowed) => JSON.stringify(allowed)).join(" or ")}, but is ${show(value)}`;
    case "invalid_union":
      return unionDemand(issue, value);
    case "invalid_format":
    case "invalid_key":
    case "invalid_element":
    case "unrecognized_keys":
    case "custom":
      return `is not usable: ${show(value)}`;
    default:
      return issue satisfies never;
  }
}

function unionDemand(issue: Extract<Issue, { code: "invalid_union" }>, value: unknown): string {
  // A union told apart by one field tells which values that field may have.
  if ("options" in issue && issue.options !== undefined) {
    return `must be ${issue.options.map((option) => JSON.stringify(option)).join(" or ")}, but is ${show(value)}`;
  }
  const expected = issue.errors.flatMap((branch) =>
    branch.flatMap((nested) => (nested.code === "invalid_type" ? [typeName(nested.expected)] : [])),
  );
  const types = expected.length > 0 ? expected.join(" or ") : "one of the documented forms";
  return value === undefined
    ? `is missing; it must be ${types}`
    : `must be ${types}, but is ${show(value)}`;
}

function bound(origin: string, comparison: string, limit: number | bigint): string {
  if (origin === "string") return `have ${comparison} ${limit} characters`;
  if (origin === "array") return `have ${comparison} ${limit} items`;
  return `be ${comparison} ${limit}`;
}

function measure(origin: string, value: unknown): string {
  if (typeof value === "string" && origin === "string") return `has ${value.length}`;
  if (Array.isArray(value)) return `has ${value.length}`;
  return `is ${show(value)}`;
}

const typeNames: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a finite number",
  string: "text",
  boolean: "true or false",
  array: "a list",
  object: "an object",
};

function typeName(expected: string): string {
  return typeNames[expected] ?? expected;
}

/** The value itself when it is short and no text of the person's, else its kind. */
function show(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "number" || typeof value === "boolean" || value === null) return `${value}`;
  if (typeof value === "string") {
    return value.length <= 40 ? JSON.stringify(value) : `text of ${value.length} characters`;
  }
  return Array.isArray(value) ? "a list" : "an object";
}

function fieldName(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined,
    value,
  );
}
