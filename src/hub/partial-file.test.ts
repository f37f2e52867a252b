import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bytesLeftBefore, PartialFile } from "./partial-file.ts";

let directory = "";
let path = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "partial-"));
  path = join(directory, "file");
});
afterEach(async () => await rm(directory, { recursive: true }));

const digest = { algorithm: "sha256", hex: "0".repeat(64) } as const;

test("however it is cut and written, the parts are all of the file, once", async () => {
  const cases = fc.record({
    sizeBytes: fc.integer({ min: 1, max: 50 }),
    numParts: fc.integer({ min: 1, max: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(
      cases,
      fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
      async (file, lengths) => {
        await rm(path, { force: true });
        await rm(`${path}.json`, { force: true });
        const bytes = Uint8Array.from({ length: file.sizeBytes }, (_, index) => index + 1);
        await using partial = await PartialFile.open(path, { ...file, digest, syncBytes: 4 });
        for (const part of partial.parts.toReversed()) {
          while (part.written < part.end - part.start) {
            const start = part.start + part.written;
            const end = Math.min(part.end, start + (lengths.next().value ?? 1));
            await partial.write(part, bytes.subarray(start, end));
            expect(part.written - part.synced).toBeLessThan(4 + 7);
          }
        }
        expect(partial.isWhole).toBe(true);
        expect([...(await readFile(path))]).toEqual([...bytes]);
      },
    ),
    { numRuns: 25 },
  );
});

test("the record never says more than was synced", async () => {
  const options = { sizeBytes: 100, digest, numParts: 1, syncBytes: 10 };
  const partial = await PartialFile.open(path, options);
  const [part] = partial.parts;
  if (part === undefined) throw new Error("no part");
  await partial.write(part, new Uint8Array(9));
  expect(await bytesLeftBefore(path, options)).toBe(0);
  await partial.write(part, new Uint8Array(1));
  expect(await bytesLeftBefore(path, options)).toBe(10);
  await partial.write(part, new Uint8Array(5));
  await partial[Symbol.asyncDispose]();

  await using again = await PartialFile.open(path, options);
  expect(again.parts).toEqual([{ start: 0, end: 100, written: 10, synced: 10 }]);
  expect(await bytesLeftBefore(path, { ...options, sizeBytes: 99 })).toBe(0);
  const other = { ...digest, hex: "1".repeat(64) };
  expect(await bytesLeftBefore(path, { ...options, digest: other })).toBe(0);
});
