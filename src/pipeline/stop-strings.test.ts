import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StopStrings } from "./stop-strings.ts";

const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 30 });
const stops = fc.array(
  fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 4 }),
  { maxLength: 4 },
);

/** The rule, word for word: grow the text by one character until a stop string is complete. */
function expected(
  text: string,
  stopTexts: readonly string[],
): { text: string; stop: string | undefined } {
  for (let end = 1; end <= text.length; end++) {
    const complete = stopTexts.filter((stop) => text.slice(0, end).endsWith(stop));
    const longest = Math.max(0, ...complete.map((stop) => stop.length));
    if (longest > 0) {
      return { text: text.slice(0, end - longest), stop: text.slice(end - longest, end) };
    }
  }
  return { text, stop: undefined };
}

function streamed(pieces: readonly string[], stopTexts: readonly string[]) {
  const matcher = new StopStrings(stopTexts);
  let text = "";
  for (const piece of pieces) {
    const next = matcher.push(piece);
    text += next.text;
    if (next.stop !== undefined) return { text, stop: next.stop };
  }
  return { text: text + matcher.end(), stop: undefined };
}

describe("StopStrings", () => {
  test("however the text is cut, it ends where the first complete stop string begins", () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), stops, (pieces, stopTexts) => {
        expect(streamed(pieces, stopTexts)).toEqual(expected(pieces.join(""), stopTexts));
      }),
      { numRuns: 2_000 },
    );
  });

  test("holds back no more than the beginning of a stop string", () => {
    const matcher = new StopStrings(["END", "ENOUGH"]);
    expect(matcher.push("The E")).toEqual({ text: "The ", stop: undefined });
    expect(matcher.push("N")).toEqual({ text: "", stop: undefined });
    expect(matcher.push("E")).toEqual({ text: "EN", stop: undefined });
    expect(matcher.end()).toBe("E");
  });

  test("a stop string that spans pieces is cut out exactly (PT-11)", () => {
    expect(streamed(["one\n", "\ntwo"], ["\n\n"])).toEqual({ text: "one", stop: "\n\n" });
  });
});
