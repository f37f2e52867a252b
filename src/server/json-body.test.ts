import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseJsonBody } from "./json-body.ts";

const parseText = (text: string): unknown => parseJsonBody(Buffer.from(text));

describe("a JSON body", () => {
  test("of any object is what JSON.parse says", () => {
    const value = fc.dictionary(
      fc.string().filter((key) => key !== "__proto__" && key.isWellFormed()),
      fc.jsonValue({ maxDepth: 5, noUnicodeString: false }),
    );
    fc.assert(
      fc.property(value, (object) => {
        const text = JSON.stringify(object);
        fc.pre(text.isWellFormed() && !text.includes("__proto__") && !/\\ud[89a-f]/i.test(text));
        expect(parseText(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test("may hold brackets and escaped quotes in its strings", () => {
    const text = JSON.stringify({ a: `"${"[{".repeat(500)}\\"` });
    expect(parseText(text)).toEqual(JSON.parse(text));
  });

  test("may hold a picture as the numbers of its bytes, and no other list as long", () => {
    const bytes = Array.from({ length: 20_000 }, (_, index) => index % 256);
    for (const body of [{ images: [bytes] }, { image: { type: "Buffer", data: bytes } }]) {
      expect(parseText(JSON.stringify(body))).toEqual(body);
    }
    for (const body of [{ images: bytes }, { messages: [bytes] }, { data: [...bytes, 256] }]) {
      expect(() => parseText(JSON.stringify(body))).toThrow(/members; the most is 10000/);
    }
  });

  test("takes the last of a key that comes twice (PA-09)", () => {
    expect(parseText('{"a": 1, "a": 2}')).toEqual({ a: 2 });
  });

  test.each([
    { why: "empty (PA-15)", text: "", says: /is empty/ },
    { why: "null (PA-15)", text: "null", says: /is null/ },
    { why: "a list (PA-15)", text: "[]", says: /is a list/ },
    { why: "a number (PA-15)", text: "42", says: /is a number/ },
    { why: "NaN", text: '{"temperature": NaN}', says: /JSON has no NaN/ },
    { why: "cut short", text: '{"model": "x', says: /not valid JSON/ },
    {
      why: "nested too deep (PA-08)",
      text: `{"a":${"[".repeat(100_000)}`,
      says: /deeper than 64 levels/,
    },
    { why: "a list too long", text: `{"a":[${"0,".repeat(20_000)}0]}`, says: /20001 members/ },
    { why: "poisoned (PA-10)", text: '{"a": {"__proto__": {"b": 1}}}', says: /"__proto__"/ },
    { why: "half a character (PT-08)", text: String.raw`{"a": "\ud800"}`, says: /surrogate/ },
  ])("that is $why is refused", ({ text, says }) => {
    expect(() => parseText(text)).toThrow(
      expect.objectContaining({ code: "invalid_request", message: expect.stringMatching(says) }),
    );
  });

  test("that is no UTF-8 is refused (PA-11)", () => {
    const body = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    expect(() => parseJsonBody(body)).toThrow(/UTF-8/);
  });

  test("never shows the person's text in an error", () => {
    expect(() => parseText('{"prompt": "my secret" oops}')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("secret") }),
    );
  });
});
