import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chooseShield, lowerShield, raiseShield, splitAtSpecials } from "./special-text.ts";

const specials = ["<|eot_id|>", "<|image|>", "<|image|><|image|>", "[INST]"];
const anyText = fc
  .array(fc.constantFrom(...specials, "<|", "|>", "<", "[", "é🙂", "a b", "\n"))
  .map((parts) => parts.join(""));

describe("splitAtSpecials", () => {
  test("finds special strings where they stand, the longest first", () => {
    expect(splitAtSpecials("a<|image|><|image|><|image|>[INST]b<|eot_", specials)).toEqual([
      { type: "text", text: "a" },
      { type: "special", text: "<|image|><|image|>" },
      { type: "special", text: "<|image|>" },
      { type: "special", text: "[INST]" },
      { type: "text", text: "b<|eot_" },
    ]);
  });

  test("with nothing special, text is one piece", () => {
    expect(splitAtSpecials("<|eot_id|>", [])).toEqual([{ type: "text", text: "<|eot_id|>" }]);
    expect(splitAtSpecials("", specials)).toEqual([]);
  });

  test("loses nothing", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(
          splitAtSpecials(text, specials)
            .map((piece) => piece.text)
            .join(""),
        ).toBe(text);
      }),
    );
  });
});

describe("the shield", () => {
  test("leaves nothing special in any text, nor where texts meet, and comes off without a trace", () => {
    fc.assert(
      fc.property(fc.array(anyText, { maxLength: 5 }), (texts) => {
        const shield = chooseShield(specials, texts);
        const joined = texts.map((text) => raiseShield(text, shield)).join("");
        expect(splitAtSpecials(joined, specials).every(({ type }) => type === "text")).toBe(true);
        expect(lowerShield(joined, shield)).toBe(texts.join(""));
        expect(joined).toHaveLength(texts.join("").length);
      }),
    );
  });

  test("uses no character that is in a text already", () => {
    const shield = chooseShield(specials, ["\ue000\ue001", "\ue003"]);
    expect(shield).toEqual([
      ["<", "\ue002"],
      ["[", "\ue004"],
    ]);
  });

  test("a text with every private-use character is refused", () => {
    const all = String.fromCharCode(...Array.from({ length: 6400 }, (_, i) => 0xe000 + i));
    expect(() => chooseShield(specials, [all])).toThrow("all 6400 private-use characters");
  });
});
