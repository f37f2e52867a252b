import { expect, test } from "vitest";
import { contentHash } from "./content-hash.ts";

const pixels = Uint8Array.from({ length: 18 }, (_, i) => i);

test("equal pictures have equal hashes", () => {
  expect(contentHash({ width: 2, height: 3, pixels })).toBe(
    contentHash({ width: 2, height: 3, pixels: pixels.slice() }),
  );
});

test("an owner's picture is nobody else's", () => {
  const image = { width: 2, height: 3, pixels };
  const hashes = [undefined, "key-1", "key-2"].map((owner) => contentHash(image, owner));
  expect(new Set(hashes).size).toBe(3);
  expect(contentHash(image, "key-1")).toBe(hashes[1]);
});

test("the same bytes in another shape are another picture (IM-21)", () => {
  expect(contentHash({ width: 2, height: 3, pixels })).not.toBe(
    contentHash({ width: 3, height: 2, pixels }),
  );
});
