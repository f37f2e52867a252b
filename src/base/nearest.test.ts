import { expect, test } from "vitest";
import { didYouMean, nearestWord } from "./nearest.ts";

const names = ["llama-3.2-vision", "llama-3.2-vision-instruct", "llama-guard-3-11b-vision", "demo"];

test.each([
  { word: "llama-3.2-visoin", found: "llama-3.2-vision" },
  { word: "LLAMA-3.2-vision-instruckt", found: "llama-3.2-vision-instruct" },
  { word: "llama3.2-vision", found: "llama-3.2-vision" },
  { word: "dmeo", found: "demo" },
  { word: "qwen-vl-chat", found: undefined },
  { word: "x", found: undefined },
  { word: "", found: undefined },
  { word: "demo".repeat(30), found: undefined },
])("$word means $found", ({ word, found }) => {
  expect(nearestWord(word, names)).toBe(found);
});

test("a guess is a sentence, and no guess is nothing", () => {
  expect(didYouMean("demi", names)).toBe(" Did you mean demo?");
  expect(didYouMean("demi", [])).toBe("");
});
