import fc from "fast-check";
import { expect, test } from "vitest";
import { LogLines } from "./log-lines.ts";

function linesOf(parts: readonly string[], maxLength: number): string[] {
  const seen: string[] = [];
  const lines = new LogLines((line) => seen.push(line), maxLength);
  for (const part of parts) lines.push(part);
  lines.end();
  return seen;
}

test("however a log is cut into parts, its lines are the same, each cut at its limit", () => {
  const part = fc.string({ unit: fc.constantFrom("a", "b", "\n"), maxLength: 12 });
  fc.assert(
    fc.property(fc.array(part), fc.integer({ min: 1, max: 8 }), (parts, maxLength) => {
      const lines = parts.join("").split("\n");
      if (lines.at(-1) === "") lines.pop();
      expect(linesOf(parts, maxLength)).toEqual(lines.map((line) => line.slice(0, maxLength)));
    }),
  );
});

test("a line without an end is shown when it is long enough, and once", () => {
  const seen: string[] = [];
  const lines = new LogLines((line) => seen.push(line), 4);
  for (let i = 0; i < 100; i++) lines.push("abc");
  expect(seen).toEqual(["abca"]);
  lines.push("\nnext\r\n");
  expect(seen).toEqual(["abca", "next"]);
});
