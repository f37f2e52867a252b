import * as fc from "fast-check";
import { expect, test } from "vitest";
import { splitLines } from "./input-lines.ts";

async function* cut(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const ends = [...cuts.map((at) => at % (bytes.length + 1)), bytes.length];
  let start = 0;
  for (const end of ends.toSorted((a, b) => a - b)) {
    yield bytes.subarray(start, end);
    start = end;
  }
}

test("lines cut anywhere are the same lines", async () => {
  const text = fc.string({ unit: "binary" }).filter((line) => line.isWellFormed());
  await fc.assert(
    fc.asyncProperty(fc.array(text), fc.array(fc.nat(500)), async (lines, cuts) => {
      const whole = lines.join("\n");
      const found: string[] = [];
      for await (const line of splitLines(cut(new TextEncoder().encode(whole), cuts))) {
        found.push(line);
      }
      const expected = whole.split("\n").map((line) => line.trim());
      expect(found).toEqual(expected.filter((line) => line !== ""));
    }),
  );
});
