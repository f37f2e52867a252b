import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Detokenizer } from "./detokenize.ts";

const anyText = fc.string({ unit: "binary", maxLength: 40 }).map((text) => text.toWellFormed());
const cuts = fc.array(fc.nat(200), { maxLength: 12 });

function pieces(bytes: Uint8Array, at: readonly number[]): string[] {
  const ends = [...new Set(at.map((cut) => Math.min(cut, bytes.length))), bytes.length].toSorted(
    (a, b) => a - b,
  );
  const detokenizer = new Detokenizer();
  let start = 0;
  const out = ends.map((end) => {
    const piece = detokenizer.push(bytes.subarray(start, end));
    start = end;
    return piece;
  });
  return [...out, detokenizer.end()];
}

test("bytes cut anywhere decode to the same text, and no piece ends in half a character (PT-09)", () => {
  fc.assert(
    fc.property(anyText, cuts, (text, at) => {
      const got = pieces(new TextEncoder().encode(text), at);
      expect(got.join("")).toBe(text);
      expect(got.every((piece) => piece.isWellFormed())).toBe(true);
    }),
  );
});

test("any bytes cut anywhere decode as they would at once", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), cuts, (bytes, at) => {
      const atOnce = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
      expect(pieces(bytes, at).join("")).toBe(atOnce);
    }),
  );
});

test("a byte-order mark is text", () => {
  expect(pieces(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41), [1]).join("")).toBe("\ufeffA");
});

test("half a character at the end is one replacement character", () => {
  const detokenizer = new Detokenizer();
  expect(detokenizer.push(Uint8Array.of(0x61, 0xe0, 0xb8))).toBe("a");
  expect(detokenizer.end()).toBe("\ufffd");
});
