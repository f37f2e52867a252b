import { describe, expect, test } from "vitest";
import { chooseFiles, isNeeded, matches } from "./wanted.ts";

const repo = { owner: "a", name: "b" };
const choose = (
  paths: readonly string[],
  include: string[] = [],
  exclude: string[] = [],
): string[] =>
  chooseFiles(
    paths.map((path) => ({ path })),
    { include, exclude },
    repo,
  ).map(({ path }) => path);

test("pickles, code and git's files stay where they are", () => {
  const unwanted = "a.bin b.PTH c.pt d.pkl e.h5 f.py g.so .gitattributes x/.gitignore".split(" ");
  const paths = ["config.json", "model.safetensors", "LICENSE", "x/y.txt", ...unwanted];
  expect(choose(paths)).toEqual(["config.json", "model.safetensors", "LICENSE", "x/y.txt"]);
  expect(choose(paths, ["*"])).toEqual(choose(paths));
});

describe("nothing to download", () => {
  test.each([
    {
      why: "pickles only",
      paths: ["config.json", "a.bin"],
      include: [],
      code: "unsafe_weights_format",
    },
    {
      why: "a pickle asked for",
      paths: ["m.safetensors", "a.bin"],
      include: ["*.bin"],
      code: "unsafe_weights_format",
    },
    { why: "no match", paths: ["config.json"], include: ["*.md"], code: "model_not_found" },
    { why: "no file", paths: [], include: [], code: "model_not_found" },
  ])("because of $why", ({ paths, include, code }) => {
    expect(() => choose(paths, include)).toThrow(expect.objectContaining({ code }));
  });

  test("is not said when weights were not asked for", () => {
    expect(choose(["config.json", "a.bin"], ["*.json"])).toEqual(["config.json"]);
  });
});

test.each([
  ["a/b.json", "*.json", true],
  ["a/b.json", "b.json", false],
  ["a/b.json", "a/", true],
  ["ab/c", "a/", false],
  ["a.json", "a?json", true],
  ["axjson", "a.json", false],
  ["a(1)[2].json", "a(1)[2].json", true],
])("%s and %s: %s", (path, pattern, isMatch) => {
  expect(matches(path, pattern)).toBe(isMatch);
});

test("a pattern of stars takes no longer than any other", () => {
  const startedAt = performance.now();
  expect(matches("a".repeat(200), `${"*".repeat(40)}b`)).toBe(false);
  expect(performance.now() - startedAt).toBeLessThan(500);
});

test("a checkpoint needs its weights and its settings, at its top", () => {
  expect(["model.safetensors", "config.json", "chat_template.jinja"].every(isNeeded)).toBe(true);
  expect(["README.md", "original/params.json", "a.bin"].some(isNeeded)).toBe(false);
});
