import { expect, test } from "vitest";
import { parseByteSize } from "./byte-size.ts";

test.each([
  ["0", 0],
  ["4096", 4_096],
  ["512MB", 512e6],
  ["1.5 GB", 1.5e9],
  ["2gib", 2 ** 31],
  ["3G", 3e9],
  ["1TiB", 2 ** 40],
])("%s is %i bytes", (text, bytes) => {
  expect(parseByteSize(text)).toBe(bytes);
});

test.each(["", "GB", "-1GB", "1XB", "1e9", "1 2", "NaN", "99999999TB"])(
  "%j is no amount",
  (text) => {
    expect(parseByteSize(text)).toBeUndefined();
  },
);
