import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { errorTraits } from "../src/base/errors.ts";
import { packageRoot } from "../src/config/package.ts";

test("the page of errors and the table agree", () => {
  const page = readFileSync(join(packageRoot(), "docs/reference/errors.md"), "utf8");
  const sections = [...page.matchAll(/^## (\w+)\n\n(\d+), exit (\d+)\./gm)];
  expect(
    Object.fromEntries(
      sections.map(([, code, status, exitCode]) => [
        code,
        { status: Number(status), exitCode: Number(exitCode) },
      ]),
    ),
  ).toEqual(
    Object.fromEntries(
      Object.entries(errorTraits).map(([code, { status, exitCode }]) => [
        code,
        { status, exitCode },
      ]),
    ),
  );
});
