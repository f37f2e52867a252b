import { expect, test } from "vitest";
import { contentHash } from "./content-hash.ts";

const pixels = Uint8Array.from({ length: 18 }, (_, i) => i);

test("equal pictures have equal hashes", () => {
  expect(contentHash({ width: 2, height: 3, pixels })).toBe(
    contentHash({ width: 2, height: 3, pixels: pixels.slice() }),
  );
});

test("the same bytes in another shape are another picture", () => {
  expect(contentHash({ width: 2, height: 3, pixels })).not.toBe(
    contentHash({ width: 3, height: 2, pixels }),
  );
});
