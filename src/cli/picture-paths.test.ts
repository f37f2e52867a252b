import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findPictures } from "./picture-paths.ts";

let cwd = "";

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "pictures-"));
  for (const name of ["a.png", "b.JPEG", "my cat.webp", "c.gif", "notes.txt"]) {
    writeFileSync(join(cwd, name), "x");
  }
});
afterAll(() => rmSync(cwd, { recursive: true }));

describe("pictures named in a prompt", () => {
  test.each([
    { prompt: "what is in ./a.png?", text: "what is in?", files: ["a.png"] },
    { prompt: "./a.png what is it", text: "what is it", files: ["a.png"] },
    {
      prompt: "compare a.png and ./b.JPEG, please",
      text: "compare and, please",
      files: ["a.png", "b.JPEG"],
    },
    { prompt: "what is in './my cat.webp'?", text: "what is in?", files: ["my cat.webp"] },
    { prompt: 'what is in "my cat.webp" now', text: "what is in now", files: ["my cat.webp"] },
    { prompt: "what is in ./my\\ cat.webp now", text: "what is in now", files: ["my cat.webp"] },
    { prompt: "this (c.gif) moves", text: "this moves", files: ["c.gif"] },
    { prompt: "don't read './a.png' twice", text: "don't read twice", files: ["a.png"] },
  ])("are found: $prompt", ({ prompt, text, files }) => {
    expect(findPictures(prompt, { cwd })).toMatchObject({
      text,
      pictures: files.map((file) => ({ path: join(cwd, file) })),
      missing: [],
    });
  });

  test("may be absolute, or file: addresses", () => {
    const path = join(cwd, "a.png");
    expect(findPictures(`look: ${path}`, { cwd }).pictures).toEqual([{ written: path, path }]);
    const url = pathToFileURL(path).href;
    expect(findPictures(`look: ${url}`, { cwd }).pictures).toEqual([{ written: url, path }]);
  });

  test("are left alone when there is no such file, and reported when they are plainly paths", () => {
    const prompt = "is logo.png better than ./gone.png or https://x.org/a.png?";
    expect(findPictures(prompt, { cwd })).toEqual({
      text: prompt,
      pictures: [],
      missing: ["./gone.png"],
    });
  });

  test("are not files of other kinds", () => {
    const prompt = "read ./notes.txt and a.png.zip";
    expect(findPictures(prompt, { cwd })).toEqual({ text: prompt, pictures: [], missing: [] });
  });

  test("are found in a long prompt without a space in linear time", () => {
    const startedAt = performance.now();
    findPictures(`${"a".repeat(1_000_000)}.png`, { cwd });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});
