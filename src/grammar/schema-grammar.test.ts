import { Ajv2020 } from "ajv/dist/2020.js";
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { PlatformError } from "../base/errors.ts";
import { literalJson } from "../base/json-text.ts";
import { Random } from "../engines/native/random.ts";
import type { AnswerForm } from "../generation/request.ts";
import { answerGrammar } from "./answer-grammar.ts";
import { GrammarCompiler } from "./xgrammar.ts";

const ajv = new Ajv2020({ strict: false, validateFormats: false });

/** Bytes, some longer tokens that cross what a grammar puts together, and a stop token. */
const byteTokens = Array.from({ length: 256 }, (_, byte) => byteLevel(byte));
const longTokens = ['":', '", "', "},", '{"', ": ", "true", "123", "aa", "null", '"]', '"}'].map(
  (text) => Array.from(Buffer.from(text), byteLevel).join(""),
);
const tokens = [...byteTokens, ...longTokens, ""];
const stop = tokens.length - 1;

function byteLevel(byte: number): string {
  const isPrintable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  if (isPrintable) return String.fromCharCode(byte);
  const rank = Array.from({ length: byte }, (_, other) => other).filter(
    (other) => !((other > 0x20 && other < 0x7f) || (other > 0xa0 && other !== 0xad)),
  ).length;
  return String.fromCharCode(0x100 + rank);
}

let compiler: GrammarCompiler;
beforeAll(async () => {
  compiler = await GrammarCompiler.create({
    tokens,
    vocabSize: tokens.length,
    stopTokenIds: [stop],
  });
});

const schemaForm = (schema: unknown): AnswerForm => ({ type: "json-schema", schema, field: "s" });

async function accepts(form: AnswerForm, text: string): Promise<boolean> {
  const matcher = await compiler.newMatcher(await compiler.compile(answerGrammar(form)), [stop]);
  const isBegun = [...Buffer.from(text)].every((byte) => matcher.acceptToken(byte));
  const isWhole = isBegun && matcher.acceptToken(stop);
  matcher.dispose();
  return isWhole;
}

/** An answer of a model that draws any allowed token, and hurries to an end. */
async function babble(form: AnswerForm, draw: () => number): Promise<string> {
  const matcher = await compiler.newMatcher(await compiler.compile(answerGrammar(form)), [stop]);
  const bytes: number[] = [];
  for (let count = 0; count < 5_000; count++) {
    const mask = await matcher.getNextTokenBitmask();
    // Bytes beyond ASCII could be put together to what is no text at all, which no tokenizer would do.
    const allowed = tokens.flatMap((_, id) =>
      (id < 0x80 || id > 0xff) && (((mask[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 1 ? [id] : [],
    );
    const ending = allowed.filter(
      (id) => id === stop || id === 0x2e || id === 0x22 || id === 0x7d || id === 0x5d,
    );
    const from = ending.length > 0 && draw() < 0.4 ? ending : allowed;
    const id = from[Math.floor(draw() * from.length)];
    if (id === undefined) throw new Error("no token is allowed");
    if (id === stop) return Buffer.from(bytes).toString();
    matcher.acceptToken(id);
    bytes.push(...bytesOf(id));
  }
  throw new Error("no end");
}

function bytesOf(id: number): number[] {
  return id < 256
    ? [id]
    : Array.from(tokens[id] ?? "", (character) => byteTokens.indexOf(character));
}

const schemas: Readonly<
  Record<string, { readonly schema: object; fits: unknown[]; not: unknown[] }>
> = {
  "an object with optional properties": {
    schema: {
      type: "object",
      properties: {
        color: { enum: ["red", "blue"] },
        count: { type: "integer", minimum: 1, maximum: 12 },
        note: { type: "string" },
      },
      required: ["count"],
      additionalProperties: false,
    },
    fits: [{ count: 7 }, { color: "red", count: 12, note: 'say "hi"\n\t☃ 😀' }],
    not: [{}, { count: 13 }, { count: 0 }, { color: "green", count: 1 }, { count: 1, other: 2 }],
  },
  "strings of a length": {
    schema: { type: "string", minLength: 2, maxLength: 4 },
    fits: ["ab", "a\n☃😀"],
    not: ["a", "abcde"],
  },
  "a pattern that meets quotes": {
    schema: { type: "string", pattern: '^[^x]{2}["\\\\]?.$' },
    fits: ['""\\.', "ab☃", "\t\n!"],
    not: ["x", "xxx"],
  },
  "numbers between bounds": {
    schema: {
      type: "array",
      items: { type: "number", minimum: -2, exclusiveMaximum: 3 },
      minItems: 1,
      maxItems: 3,
    },
    fits: [[-2, 0, 2.999], [-0.5], [1]],
    not: [[], [3], [-2.5], [0, 0, 0, 0]],
  },
  "whole numbers below": {
    schema: { type: "integer", exclusiveMaximum: 100 },
    fits: [99, 0, -1, -123_456],
    not: [100, 1.5, 4_000],
  },
  "positive numbers": {
    schema: { type: "number", exclusiveMinimum: 0, maximum: 1 },
    fits: [1, 0.001],
    not: [0, -1, 1.5],
  },
  "any of several, and null": {
    schema: {
      anyOf: [{ type: ["string", "null"] }, { type: "boolean" }, { const: { a: [1, "x"] } }],
    },
    fits: ["", null, true, { a: [1, "x"] }],
    not: [1, {}, []],
  },
  "a schema that refers to itself": {
    schema: {
      $defs: {
        node: {
          type: "object",
          properties: { value: { type: "integer" }, next: { $ref: "#/$defs/node" } },
          required: ["value"],
        },
      },
      $ref: "#/$defs/node",
    },
    fits: [{ value: 1 }, { value: 1, next: { value: 2, next: { value: 3 } } }],
    not: [{ next: { value: 1 } }, { value: "1" }],
  },
  "items in their places": {
    schema: {
      type: "array",
      prefixItems: [{ type: "integer" }, { type: "string" }],
      items: { type: "boolean" },
      minItems: 1,
      maxItems: 4,
    },
    fits: [[1], [1, "a"], [1, "a", true, false]],
    not: [[], ["a"], [1, "a", "b"], [1, "a", true, true, true]],
  },
  "names that are not listed": {
    schema: {
      type: "object",
      properties: { id: { type: "integer" } },
      required: ["id", "more"],
      additionalProperties: { type: "string" },
    },
    fits: [
      { id: 1, more: "a" },
      { id: 1, more: "a", "b c": "d" },
    ],
    not: [{ id: 1 }, { id: 1, more: 2 }],
  },
  "anything at all": { schema: {}, fits: [{ a: [1, null, { b: "c" }] }, "x", 0.25], not: [] },
  formats: {
    schema: {
      type: "array",
      prefixItems: ["date-time", "email", "uuid", "ipv4"].map((format) => ({
        type: "string",
        format,
      })),
      minItems: 4,
      items: false,
    },
    fits: [
      [
        "2026-11-25T12:00:00Z",
        "a.b@example.org",
        "123e4567-e89b-42d3-a456-426614174000",
        "10.0.0.255",
      ],
    ],
    not: [["2026-13-25T12:00:00Z", "a@b.cd", "123e4567-e89b-42d3-a456-426614174000", "10.0.0.1"]],
  },
};

describe.each(Object.entries(schemas))("%s", (_name, { schema, fits, not }) => {
  const validate = ajv.compile(schema);

  test("what fits may be said, what does not may not", async () => {
    for (const value of fits) {
      expect(validate(value), JSON.stringify(value)).toBe(true);
      expect(await accepts(schemaForm(schema), literalJson(value)), JSON.stringify(value)).toBe(
        true,
      );
    }
    for (const value of not) {
      expect(await accepts(schemaForm(schema), literalJson(value)), JSON.stringify(value)).toBe(
        false,
      );
    }
  });

  test("whatever is drawn from what is allowed is JSON that fits", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const random = new Random(seed);
        const text = await babble(schemaForm(schema), () => random.next());
        expect(validate(JSON.parse(text)), text).toBe(true);
      }),
      { numRuns: 15 },
    );
  });
});

describe("bounds of whole numbers", () => {
  test("hold for every number", async () => {
    const bound = fc.integer({ min: -1_200, max: 1_200 });
    await fc.assert(
      fc.asyncProperty(bound, fc.nat(1_500), fc.array(bound), async (minimum, span, values) => {
        const maximum = minimum + span;
        const form = schemaForm({ type: "integer", minimum, maximum });
        for (const value of [...values, minimum, maximum, minimum - 1, maximum + 1]) {
          const isInside = value >= minimum && value <= maximum;
          expect(await accepts(form, `${value}`), `${value} in ${minimum}…${maximum}`).toBe(
            isInside,
          );
        }
      }),
      { numRuns: 40 },
    );
  });
});

test.each([
  ["[à-ÿa]+☃", ["éa☃"], ["ab☃"]],
  ["[a-c]+x?", ["ax", "abc"], ["x", "ad"]],
  ["(?:ab|c){2}\\d", ["abc1", "cc2"], ["ab1", "abab"]],
  ["^(?<word>\\w+) \\S$", ["ab_1 ☃"], ["ab  "]],
  [".*", ["", 'say "it"'], ["two\nlines"]],
  ["a{0,2}b{2,}?", ["bb", "aabbb"], ["aaabb", "b"]],
])("the expression %s", async (pattern, fits, not) => {
  const form: AnswerForm = { type: "regex", pattern, field: "r" };
  for (const text of fits) expect(await accepts(form, text), text).toBe(true);
  for (const text of not) expect(await accepts(form, text), text).toBe(false);
});

test("choices are these texts and no others", async () => {
  const form: AnswerForm = { type: "choices", options: ["yes", 'n"o', "日本"], field: "c" };
  expect(await accepts(form, 'n"o')).toBe(true);
  expect(await accepts(form, "日本")).toBe(true);
  expect(await accepts(form, "ye")).toBe(false);
});

describe("is refused with its place", () => {
  const deep = (levels: number): object => {
    let schema = {};
    for (let level = 0; level < levels; level++) schema = { type: "array", items: schema };
    return schema;
  };
  test.each([
    [
      { type: "object", properties: { a: { not: {} } } },
      "unsupported_parameter",
      "s.properties.a.not",
    ],
    [{ type: "integer", multipleOf: 5 }, "unsupported_parameter", "s.multipleOf"],
    [{ type: "array", uniqueItems: true }, "unsupported_parameter", "s.uniqueItems"],
    [{ allOf: [{}, {}] }, "unsupported_parameter", "s.allOf"],
    [{ type: "string", pattern: "[α-龥]" }, "unsupported_parameter", "s.pattern"],
    [{ type: "object", patternProperties: {} }, "unsupported_parameter", "s.patternProperties"],
    [{ type: "string", pattern: "(" }, "invalid_request", "s.pattern"],
    [{ type: "string", pattern: "(?=a)b" }, "unsupported_parameter", "s.pattern"],
    [{ type: "string", pattern: "(a{200}){200}" }, "unsupported_parameter", "s.pattern"],
    [{ type: "string", maxLength: 1e9 }, "invalid_request", "s.maxLength"],
    [{ type: "strin" }, "invalid_request", "s.type"],
    [{ $ref: "http://example.org/schema" }, "invalid_request", "s.$ref"],
    [{ $ref: "#/$defs/none" }, "invalid_request", "s.$ref"],
    [{ $defs: { a: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" }, "invalid_request", "s.$ref.$ref"],
    [{ $ref: "#" }, "invalid_request", "s.$ref"],
    [false, "invalid_request", "s"],
    ["text", "invalid_request", "s"],
    [{ enum: [] }, "invalid_request", "s.enum"],
    [{ type: "integer", minimum: 5, maximum: 4 }, "invalid_request", "s"],
    [{ type: "object", properties: { a: {} }, required: ["b"] }, "invalid_request", "s.required"],
  ])("%j", (schema, code, param) => {
    expectRefused(schema, code, param);
  });

  test.each([
    ["100 levels deep", deep(100), "s"],
    ["10,000 levels deep (TO-04)", deep(10_000), "s"],
    ["that refers to itself (TO-04)", { $ref: "#" }, "s.$ref"],
    ["that lies in a file (TO-05)", { $ref: "file:///etc/passwd" }, "s.$ref"],
  ])("a schema %s", (_what, schema, param) => {
    expectRefused(schema, "invalid_request", param);
  });

  function expectRefused(schema: unknown, code: string, param: string): void {
    let error: unknown;
    try {
      answerGrammar(schemaForm(schema));
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(PlatformError);
    expect(error).toMatchObject({ code, details: { param } });
  }
});

test("TO-03: a pattern that would take a backtracking matcher for ever is a small grammar", async () => {
  const form: AnswerForm = { type: "regex", pattern: "(a+)+$", field: "r" };
  expect(await accepts(form, "a".repeat(200))).toBe(true);
  expect(await accepts(form, `${"a".repeat(200)}b`)).toBe(false);
});
