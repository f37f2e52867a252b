import { resolve, sep } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkFilePath, checkPathsTogether, checkRevision, parseRepoId } from "./names.ts";

describe("a repository's id", () => {
  test.each(["meta-llama/Llama-3.2-11B-Vision", "a/b", "A_1/b.c-d"])("may be %s", (text) => {
    const { owner, name } = parseRepoId(text) ?? { owner: "", name: "" };
    expect(`${owner}/${name}`).toBe(text);
  });

  test.each([
    "",
    "a",
    "a/",
    "/b",
    "a/b/c",
    "../b",
    "a/..",
    ".a/b",
    "a--b/c",
    "a/b..c",
    "a/b.",
    "a b/c",
  ])("may not be %s", (text) => {
    expect(parseRepoId(text)).toBeUndefined();
  });
});

test.each(["main", "v1.0", "refs/pr/1", "9eb2daaa8597bf192a8b0e73f848f3a102794df5"])(
  "a revision may be %s",
  (text) => {
    expect(checkRevision(text)).toBe(text);
  },
);

test.each([
  "",
  "..",
  "a/../b",
  "/etc",
  "a//b",
  "a/",
  "-x",
  "a b",
  "a/.git",
  "a\n",
  "x".repeat(201),
])("a revision may not be %j", (text) => {
  expect(() => checkRevision(text)).toThrow(/is no revision/);
});

test("whatever a hub names a file, it stays in its directory or is refused (DL-05)", () => {
  const part = fc.constantFrom("a", "..", ".", "", "\\", "\0", "C:", "ü", "..a", "~", " ");
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 6 }).map((parts) => parts.join("/")),
      (path) => {
        let checked: string;
        try {
          checked = checkFilePath(path);
        } catch (error) {
          expect(error).toMatchObject({ code: "invalid_hub_answer" });
          return;
        }
        const root = resolve("/cache/snapshot");
        expect(resolve(root, checked).startsWith(`${root}${sep}`)).toBe(true);
      },
    ),
  );
});

test.each([
  { paths: ["a", "a"], says: /one file twice/ },
  { paths: ["a", "a/b/c"], says: /a\/b\/c below a file/ },
])("$paths contradict each other", ({ paths, says }) => {
  expect(() => checkPathsTogether(paths)).toThrow(says);
  expect(() => checkPathsTogether(["a/b", "a/c", "ab"])).not.toThrow();
});
