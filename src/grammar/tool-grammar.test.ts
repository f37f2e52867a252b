import { describe, expect, test } from "vitest";
import type { AnswerForm } from "../generation/request.ts";
import type { ToolFunction, ToolOffer } from "../generation/tools.ts";
import { toolGrammar } from "./tool-grammar.ts";
import { GrammarCompiler } from "./xgrammar.ts";

/** A token a character, so that a text is accepted or not letter by letter. */
const characters = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index));
const stop = characters.length;
const compiler = await GrammarCompiler.create({
  tokens: [...characters.map((one) => (one === " " ? "Ġ" : one)), ""],
  vocabSize: characters.length + 1,
  stopTokenIds: [stop],
});

/** Whether an answer of exactly this text can be given. */
async function accepts(grammar: string, answer: string): Promise<boolean> {
  const matcher = await compiler.newMatcher(await compiler.compile(grammar), [stop]);
  for (const character of answer) {
    if (!matcher.acceptToken(characters.indexOf(character))) return false;
  }
  return matcher.acceptToken(stop);
}

const weather: ToolFunction = {
  name: "get_weather",
  parameters: {
    type: "object",
    properties: { city: { type: "string" }, days: { type: "integer" } },
    required: ["city"],
  },
  isStrict: false,
  field: "tools[0].function",
};
const time: ToolFunction = { name: "get_time", isStrict: false, field: "tools[1].function" };
const offer = (fields: Partial<ToolOffer>): ToolOffer => ({
  functions: [weather, time],
  choice: { type: "required" },
  ...fields,
});

const rome = '{"name": "get_weather", "parameters": {"city": "Rome"}}';
const noon = '{"name": "get_time", "parameters": {"at": ["noon", 1]}}';

describe("an answer that must be a call", () => {
  const grammar = toolGrammar(offer({}));
  test.each([
    [rome, true],
    [noon, true],
    ['{"name": "get_time", "parameters": {}}', true],
    ["", false],
    ["It is warm.", false],
    ['{"name": "get_weather", "parameters": {"days": 1}}', false],
    ['{"name": "get_weather", "parameters": {"city": 1}}', false],
    ['{"name": "other", "parameters": {}}', false],
    [`${rome}; ${noon}`, false],
  ])("%s: %s", async (answer, fits) => {
    expect(await accepts(grammar, answer)).toBe(fits);
  });

  test("of one function is a call of that one", async () => {
    const named = toolGrammar(offer({ choice: { type: "named", name: "get_time" } }));
    expect(await accepts(named, noon)).toBe(true);
    expect(await accepts(named, rome)).toBe(false);
  });

  test("has several where several were asked for, up to eight", async () => {
    const several = toolGrammar(offer({ allowsSeveral: true }));
    const answer = (count: number): string => Array(count).fill(noon).join("; ");
    expect(await accepts(several, `${rome}; ${noon}`)).toBe(true);
    expect(await accepts(several, answer(8))).toBe(true);
    expect(await accepts(several, answer(9))).toBe(false);
    expect(await accepts(several, `${rome}; `)).toBe(false);
  });
});

describe("an answer that may be a call", () => {
  const grammar = toolGrammar(offer({ choice: { type: "auto" } }));
  test.each([
    [rome, true],
    ["", true],
    ["It is {warm} [there].", true],
    ["{warm", false],
    [" {warm", false],
    ["[warm", false],
    ['{"name": "get_weather", "parameters": {}}', false],
  ])("%s: %s", async (answer, fits) => {
    expect(await accepts(grammar, answer)).toBe(fits);
  });

  test("has the form that was asked for otherwise", async () => {
    const form: AnswerForm = { type: "choices", field: "guided_choice", options: ["yes", "no"] };
    const formed = toolGrammar(offer({ choice: { type: "auto" } }), form);
    expect(await accepts(formed, "yes")).toBe(true);
    expect(await accepts(formed, rome)).toBe(true);
    expect(await accepts(formed, "maybe")).toBe(false);
    const own: AnswerForm = { type: "grammar", field: "guided_grammar", text: 'root ::= "x"' };
    expect(() => toolGrammar(offer({ choice: { type: "auto" } }), own)).toThrow(
      expect.objectContaining({ details: { param: "guided_grammar" } }),
    );
  });
});

describe("a schema that a grammar cannot keep", () => {
  const odd = {
    type: "object",
    properties: {
      a: { type: "integer", multipleOf: 3 },
      b: { type: "string", maxLength: 1_000 },
      c: { enum: ["x", "y"] },
      d: {
        type: "object",
        properties: { e: { type: "boolean" } },
        required: ["e"],
        minProperties: 1,
      },
      f: { type: "array", items: { not: {} }, contains: {} },
    },
    required: ["c"],
    dependentRequired: { a: ["b"] },
  };

  test.each([
    ['{"c": "x"}', true],
    ['{"a": 4, "b": "text", "c": "y"}', true],
    ['{"c": "x", "d": {"e": true}, "f": [1, {"g": null}]}', true],
    ["{}", false],
    ['{"c": "z"}', false],
    ['{"a": 1.5, "c": "x"}', false],
    ['{"b": 1, "c": "x"}', false],
    ['{"c": "x", "d": {}}', false],
    ['{"c": "x", "other": 1}', false],
  ])("keeps what can be kept: %s %s", async (args, fits) => {
    const grammar = toolGrammar(offer({ functions: [{ ...time, parameters: odd }, weather] }));
    expect(await accepts(grammar, `{"name": "get_time", "parameters": ${args}}`)).toBe(fits);
    expect(await accepts(grammar, rome)).toBe(true);
  });

  test.each([
    ["only itself", { $ref: "#" }, "{}"],
    [
      "nothing that is there",
      { type: "object", properties: { a: { $ref: "#/$defs/no" } } },
      '{"a": [1]}',
    ],
    ["no type that there is", { type: "thing" }, '{"a": 1}'],
    [
      "a pattern that is none",
      { properties: { a: { type: "string", pattern: "(" } } },
      '{"a": "x"}',
    ],
    ["nothing", {}, '{"any": {"thing": 1}}'],
  ])("says %s, and leaves an object", async (_what, parameters, args) => {
    const grammar = toolGrammar(offer({ functions: [{ ...time, parameters }] }));
    const answer = (text: string): string => `{"name": "get_time", "parameters": ${text}}`;
    expect(await accepts(grammar, answer(args))).toBe(true);
    expect(await accepts(grammar, answer("5"))).toBe(false);
  });

  test("refers to a part that is kept in part", async () => {
    const tree = {
      type: "object",
      properties: { tree: { $ref: "#/$defs/node" } },
      required: ["tree"],
      $defs: {
        node: {
          type: "object",
          properties: { name: { type: "string", maxLength: 999 }, next: { $ref: "#/$defs/node" } },
          required: ["name"],
        },
      },
    };
    const grammar = toolGrammar(offer({ functions: [{ ...time, parameters: tree }] }));
    const answer = (text: string): string =>
      `{"name": "get_time", "parameters": {"tree": ${text}}}`;
    expect(await accepts(grammar, answer('{"name": "a", "next": {"name": "b"}}'))).toBe(true);
    expect(await accepts(grammar, answer('{"name": "a", "next": {}}'))).toBe(false);
  });

  test("is refused with its place when it is strict", () => {
    expect(() =>
      toolGrammar(offer({ functions: [{ ...time, parameters: odd, isStrict: true }] })),
    ).toThrow(
      expect.objectContaining({
        code: "unsupported_parameter",
        details: { param: "tools[1].function.parameters.dependentRequired" },
      }),
    );
  });

  test("or that is too large leaves room for the others", async () => {
    const large = {
      type: "object",
      properties: Object.fromEntries(
        Array.from({ length: 60 }, (_, index) => [`p${index}`, { type: "string", maxLength: 40 }]),
      ),
    };
    const functions = Array.from({ length: 128 }, (_, index) => ({
      ...time,
      name: `f${index}`,
      parameters: index < 3 ? large : weather.parameters,
    }));
    const grammar = toolGrammar(offer({ functions }));
    expect(grammar).toContain("f127");
    expect(grammar.split("\n").length).toBeLessThan(2_010);
  });
});
