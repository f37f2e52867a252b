import { describe, expect, test } from "vitest";
import { collectPair, parseExtraOptions, withLongOptions } from "./xinference-options.ts";

describe("options that only the engine knows", () => {
  test.each([
    { words: ["--enforce_eager"], options: { enforce_eager: true } },
    {
      words: ["--enforce-eager", "--max-foo", "16"],
      options: { enforce_eager: true, max_foo: 16 },
    },
    { words: ["--enforce_eager", "True"], options: { enforce_eager: true } },
    { words: ["--gpu_memory_utilization=0.85"], options: { gpu_memory_utilization: 0.85 } },
    { words: ["--a", "-1"], options: { a: -1 } },
    { words: ["--a=", "--b", "None"], options: { a: "", b: null } },
    { words: ["--limit", '{"image": 4}'], options: { limit: { image: 4 } } },
    { words: ["--limit", "{image"], options: { limit: "{image" } },
    { words: ["--a=--b"], options: { a: "--b" } },
    { words: ["--dtype", "bfloat16", "--seed", "1e3"], options: { dtype: "bfloat16", seed: 1000 } },
    { words: [], options: {} },
  ])("$words", ({ words, options }) => {
    expect(parseExtraOptions(words)).toEqual(options);
  });

  test.each([
    { words: ["--a", "b", "16"], wrong: "16" },
    { words: ["a"], wrong: "a" },
    { words: ["--a", "b", "-x"], wrong: "-x" },
    { words: ["--"], wrong: "--" },
  ])("$words end in Xinference's own words", ({ words, wrong }) => {
    expect(() => parseExtraOptions(words)).toThrow(
      `You must specify extra kwargs with \`--\` prefix. There is an error in parameter passing that is ${wrong}.`,
    );
  });
});

describe("options of Xinference's", () => {
  test("may have two letters, or two words", () => {
    expect(withLongOptions(["launch", "-en", "vllm", "-ev", "A", "--b", "-lm", "l", "/p"])).toEqual(
      ["launch", "--model-engine", "vllm", '--env=["A","--b"]', '--lora-modules=["l","/p"]'],
    );
    expect(collectPair('["A","1"]', collectPair('["B","2"]'))).toEqual([
      ["B", "2"],
      ["A", "1"],
    ]);
  });

  test("mean nothing to commands that have none", () => {
    expect(withLongOptions(["run", "-en", "x"])).toEqual(["run", "-en", "x"]);
  });

  test("that lack their second word are refused", () => {
    expect(() => withLongOptions(["launch", "-qc", "a"])).toThrow(/-qc takes two words/);
  });
});
