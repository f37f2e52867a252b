import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ToolCallReader } from "./tool-calls.ts";

const names = ["get_weather", "get_time"];

/** What the reader makes of a whole answer, cut into pieces of these lengths. */
function read(
  answer: string,
  cuts: readonly number[] = [answer.length],
): { text: string; calls: [string, string][] } {
  const reader = new ToolCallReader(names);
  let text = "";
  let at = 0;
  for (const length of [...cuts, answer.length]) {
    text += reader.push(answer.slice(at, at + length));
    at += length;
  }
  const end = reader.end();
  return {
    text: text + end.text,
    calls: end.calls.map((call) => [call.name, call.arguments]),
  };
}

const call = '{"name": "get_weather", "parameters": {"city": "Łódź", "days": 2}}';
const args = '{"city": "Łódź", "days": 2}';

describe("an answer is calls", () => {
  test.each([
    ["one", call, 1],
    ["with white space around", ` \n${call}\n`, 1],
    ["two with a semicolon", `${call}; ${call}`, 2],
    ["two on lines", `${call}\n${call}`, 2],
    ["a list", `[${call}, ${call}]`, 2],
    ["`arguments`", call.replace("parameters", "arguments"), 1],
    ["the other way round", `{"parameters": ${args}, "name": "get_weather"}`, 1],
    ["with its type", call.replace('"name"', '"type": "function", "name"'), 1],
  ])("%s", (_what, answer, count) => {
    expect(read(answer)).toEqual({ text: "", calls: Array(count).fill(["get_weather", args]) });
  });

  test("whose arguments hold quotes, brackets and escapes, as they were written", () => {
    const written = '{"a": "}]\\"{[\\\\", "b": [{"c": 12345678901234567890}], "d": {}}';
    expect(read(`{"name": "get_time", "parameters": ${written}}`)).toEqual({
      text: "",
      calls: [["get_time", written]],
    });
  });

  test("each with an id of its own", () => {
    const reader = new ToolCallReader(names);
    reader.push(`${call};${call}`);
    const ids = reader.end().calls.map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^call_[0-9a-f]{24}$/);
  });
});

describe("whatever else it looks like, it is text", () => {
  test.each([
    "",
    "  ",
    "A red circle.",
    "__import__('os').system('touch canary')",
    "[__import__('os').system('touch canary')]",
    '{"name": "__import__(\'os\').system", "parameters": {}}',
    '{"name": "get_weather", "parameters": {"city": "Pa',
    '{"name": "get_weather", "parameters": {"city": "Paris"}',
    `${call}; {"name": "get_ti`,
    `[${call}`,
    `${call} and more`,
    `Sure: ${call}`,
    '{"name": "get_weather"}',
    '{"name": "get_weather", "parameters": "Paris"}',
    '{"name": "get_weather", "parameters": [1]}',
    '{"name": "get_weather", "parameters": {,}}',
    '{"name": "get_weather", "parameters": {}, "arguments": {}}',
    '{"name": "get_weather", "name": "get_time", "parameters": {}}',
    '{"name": "get_weather", "description": "d", "parameters": {}}',
    '{"type": "object", "name": "get_weather", "parameters": {}}',
    '{"answer": 42}',
    "[]",
    "{}",
    "[1, 2]",
    `[${call}]]`,
    `{"name": "get_weather", "parameters": ${"[".repeat(70)}${"]".repeat(70)}}`,
  ])("%j", (answer) => {
    expect(read(answer)).toEqual({ text: answer, calls: [] });
    expect(read(answer, Array(answer.length).fill(1))).toEqual({ text: answer, calls: [] });
  });
});

test("text goes through at once when it cannot be a call", () => {
  const reader = new ToolCallReader(names);
  expect(reader.push(" A")).toBe(" A");
  expect(reader.push('{"name"')).toBe('{"name"');
  const other = new ToolCallReader(names);
  expect(other.push('{"na')).toBe("");
  expect(other.push('me": "get_')).toBe("");
  expect(other.push('forecast", ')).toBe('{"name": "get_forecast", ');
});

test("no more is held back than may be", () => {
  const reader = new ToolCallReader(names);
  let released = reader.push('{"name": "get_time", "parameters": {"a": "');
  for (let count = 0; count < 300; count++) released += reader.push("x".repeat(1_000));
  expect(released.length).toBeGreaterThan(256 * 1024);
  expect(reader.push("y")).toBe("y");
});

test("however it is cut, the outcome is the same", () => {
  const piece = fc.constantFrom(
    call,
    "; ",
    "\n",
    "[",
    "]",
    ",",
    " x",
    '{"name": "get_time", ',
    "}",
    '"',
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 6 }),
      fc.array(fc.nat({ max: 12 }), { maxLength: 40 }),
      (pieces, cuts) => {
        const answer = pieces.join("");
        const whole = read(answer);
        expect(read(answer, cuts)).toEqual(whole);
        if (whole.calls.length === 0) expect(whole.text).toBe(answer);
      },
    ),
  );
});

test.each([
  [`<|python_tag|>${"[".repeat(1_000_000)}`],
  ["[".repeat(1_000_000)],
  [`{"name": "get_time", "parameters": {"a": ${"[".repeat(1_000_000)}`],
  [`{"name": "get_time", "parameters": {"a": "${"\\".repeat(1_000_000)}`],
  [" ".repeat(1_000_000)],
  [";".repeat(1_000_000)],
  [`${'{"name": "get_time", "parameters": {}};'.repeat(25_000)}`],
])("TO-10: a megabyte of nonsense is read in a moment: %.40s", (answer) => {
  const start = performance.now();
  const pieces = Array(Math.ceil(answer.length / 4)).fill(4);
  expect(read(answer, pieces)).toEqual({ text: answer, calls: [] });
  // A tenth of a second on a quiet machine; the bound is against quadratic time on a busy one.
  expect(performance.now() - start).toBeLessThan(3_000);
});
