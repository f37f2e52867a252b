import * as fc from "fast-check";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { readImageHeader } from "./image-header.ts";

const picture = sharp({ create: { width: 37, height: 5, channels: 4, background: "#12345680" } });
const files = {
  PNG: await picture.clone().png().toBuffer(),
  JPEG: await picture
    .clone()
    .withExif({ IFD0: { Copyright: "nobody" } })
    .jpeg()
    .toBuffer(),
  GIF: await picture.clone().gif().toBuffer(),
  WebP: await picture.clone().webp().toBuffer(),
};
const variants = [
  ["a progressive JPEG", "JPEG", await picture.clone().jpeg({ progressive: true }).toBuffer()],
  ["a lossless WebP", "WebP", await picture.clone().webp({ lossless: true }).toBuffer()],
  ["a lossy WebP without alpha", "WebP", await picture.clone().removeAlpha().webp().toBuffer()],
] as const;

describe("readImageHeader", () => {
  test.each([
    ...Object.entries(files).map(([name, file]) => [`a ${name}`, name, file] as const),
    ...variants,
  ])("reads the size of %s", (_, format, file) => {
    expect(readImageHeader(file)).toEqual({ format, size: { width: 37, height: 5 } });
  });

  test.each(Object.entries(files))("a %s cut anywhere has its size, or none", (_, file) => {
    for (let length = 0; length < Math.min(file.length, 400); length++) {
      const size = readImageHeader(file.subarray(0, length))?.size;
      if (size !== undefined) expect(size).toEqual({ width: 37, height: 5 });
    }
  });

  test("any bytes are read without an error", () => {
    const starts = fc.constantFrom(...Object.values(files).map((file) => file.subarray(0, 16)));
    fc.assert(
      fc.property(starts, fc.uint8Array({ maxLength: 200 }), (start, rest) => {
        const header = readImageHeader(Buffer.concat([start, rest]));
        expect(header).toBeDefined();
      }),
      { numRuns: 500 },
    );
  });
});
