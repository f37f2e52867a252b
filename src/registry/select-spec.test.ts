import { describe, expect, test } from "vitest";
import { selectQuantization, splitSize } from "./select-spec.ts";

test.each([
  { name: "llama-3.2-vision", split: { name: "llama-3.2-vision" } },
  { name: "llama-3.2-vision:11b", split: { name: "llama-3.2-vision", size: "11" } },
  { name: "llama-3.2-vision:90B", split: { name: "llama-3.2-vision", size: "90" } },
  { name: "mine:1_8", split: { name: "mine", size: "1_8" } },
  { name: "mine:latest", split: { name: "mine:latest" } },
])("$name", ({ name, split }) => {
  expect(splitSize(name)).toEqual(split);
});

describe("a quantization", () => {
  const choices = ["none", "q8_0", "q4_k"];

  test("is none unless something else was asked for", () => {
    expect(selectQuantization("x", undefined, choices)).toBe("none");
    expect(selectQuantization("x", "Q4_K", choices)).toBe("q4_k");
  });

  test.each(["", "$quantization", `\${quantization}`])(
    "that a shell left as %j is answered with the choices",
    (quantization) => {
      expect(() => selectQuantization("llama-3.2-vision", quantization, choices)).toThrow(
        /--quantization has no value, .* choose one of: none, q8_0, q4_k\./,
      );
    },
  );

  test("that does not exist is answered with the choices and the nearest", () => {
    expect(() => selectQuantization("x", "q4k", choices)).toThrow(
      'x is not there in the quantization "q4k"; choose one of: none, q8_0, q4_k. Did you mean q4_k?',
    );
  });
});
