import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseUniqueJson } from "./unique-json.ts";

test("reads what JSON.parse reads, when no key is there twice", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 2), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      expect(parseUniqueJson(text)).toEqual(JSON.parse(text));
    }),
  );
});

test("any text is read as JSON.parse reads it, or refused as JSON.parse would", () => {
  const scraps = fc.constantFrom("{", "}", "[", "]", ",", ":", '"', "a", "\\", '"a"', "1", " ");
  const text = fc.oneof(
    fc.string(),
    fc.array(scraps).map((list) => list.join("")),
  );
  fc.assert(
    fc.property(text, (candidate) => {
      let parsed: unknown;
      try {
        parsed = parseUniqueJson(candidate);
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError);
        return;
      }
      expect(parsed).toEqual(JSON.parse(candidate));
    }),
    { numRuns: 2000 },
  );
});

test.each([
  '{"a":1,"a":2}',
  '{"a":1,"\\u0061":1}',
  '[{"x":{"b":[],"c":[{}],"b":0}}]',
  '{"":1,"":1}',
  '{"__proto__":1,"__proto__":2}',
  '{"\\\\":1,"\\\\":1}',
])("refuses a key that is there twice: %s", (text) => {
  expect(() => JSON.parse(text)).not.toThrow();
  expect(() => parseUniqueJson(text)).toThrow("is named twice");
});

test.each(['[{"a":1},{"a":1}]', '{"a":{"a":["a","a"]}}', '{"a":"a","b":"\\",\\"a\\":"}'])(
  "the same text elsewhere is no second key: %s",
  (text) => {
    expect(parseUniqueJson(text)).toEqual(JSON.parse(text));
  },
);

test("refuses deep nesting before anything recurses into it", () => {
  expect(parseUniqueJson(`${"[".repeat(32)}${"]".repeat(32)}`)).toBeInstanceOf(Array);
  expect(() => parseUniqueJson(`${"[".repeat(33)}${"]".repeat(33)}`)).toThrow("more than 32 deep");
  expect(() => parseUniqueJson("[".repeat(1e6))).toThrow("more than 32 deep");
});
