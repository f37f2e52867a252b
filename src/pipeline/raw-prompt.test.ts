import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { completeRawPrompt } from "./raw-prompt.ts";

const markers = { begin: "<|begin_of_text|>", image: "<|image|>" };
const Golden = z.object({
  plainPrompts: z.array(z.object({ prompt: z.string(), text: z.string() })),
});
const golden = Golden.parse(
  JSON.parse(
    readFileSync(new URL("../../test/golden/template/templates.json", import.meta.url), "utf8"),
  ),
);

describe("completeRawPrompt", () => {
  test.each(golden.plainPrompts)("begins $prompt as the reference does", ({ prompt, text }) => {
    const numImages = prompt.split(markers.image).length - 1;
    expect(completeRawPrompt(prompt, { numImages, bos: "auto", markers })).toBe(text);
  });

  test.each([
    { text: "Hi", numImages: 2, bos: "auto", to: "<|image|><|image|><|begin_of_text|>Hi" },
    { text: "Hi", numImages: 1, bos: "never", to: "<|image|>Hi" },
    { text: "<|begin_of_text|>Hi", numImages: 1, bos: "auto", to: "<|image|><|begin_of_text|>Hi" },
    { text: "a<|image|>", numImages: 1, bos: "never", to: "a<|image|>" },
    { text: "", numImages: 0, bos: "never", to: "" },
  ] as const)("$text with $numImages pictures, bos $bos", ({ text, numImages, bos, to }) => {
    expect(completeRawPrompt(text, { numImages, bos, markers })).toBe(to);
  });

  test.each([
    { text: "<|image|><|image|>", numImages: 1, says: "2 <|image|> markers and 1 picture;" },
    { text: "<|image|>", numImages: 0, says: "1 <|image|> marker and 0 pictures;" },
    { text: "<|image|>", numImages: 3, says: "1 <|image|> marker and 3 pictures;" },
  ])("$text with $numImages pictures is refused", ({ text, numImages, says }) => {
    expect(() => completeRawPrompt(text, { numImages, bos: "auto", markers })).toThrow(says);
  });
});
