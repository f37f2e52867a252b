import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RgbImage } from "../base/rgb-image.ts";
import { resizeBilinear } from "./resize.ts";

/** `rgb[y][x][c] = (31x + 17y + 7c + 3) mod 256` */
function formulaPicture(width: number, height: number): RgbImage {
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return 31 * (pixel % width) + 17 * Math.floor(pixel / width) + 7 * (i % 3) + 3;
  });
  return { width, height, pixels };
}

const side = fc.integer({ min: 1, max: 40 });

describe("resizeBilinear", () => {
  // From Pillow 13.0.0; the fixtures under test/golden/processor hold no picture this tall.
  test.each([
    {
      from: [120, 720],
      to: [112, 672],
      sha256: "aa829433d7260ec0101f25a5d8c343bb03f32ddd96193e134eebbee45b9e4bdb",
    },
    {
      from: [40, 300],
      to: [30, 100],
      sha256: "0e464daac9d8760fc5377a2624f1f378af460c5090b20bdb79e270c15d759179",
    },
    {
      from: [40, 300],
      to: [56, 100],
      sha256: "f113619c279036bf8959bef073efa8db0658e123cec81b562a6e99f8d5cf2d88",
    },
  ])("takes the vertical pass first for a tall picture, $from to $to", ({ from, to, sha256 }) => {
    const [width = 0, height = 0] = from;
    const [newWidth = 0, newHeight = 0] = to;
    const { pixels } = resizeBilinear(
      formulaPicture(width, height),
      { width: newWidth, height: newHeight },
      "pillow",
    );
    expect(createHash("sha256").update(pixels).digest("hex")).toBe(sha256);
  });

  test("leaves a picture of the right size as it is", () => {
    const picture = formulaPicture(9, 7);
    expect(resizeBilinear(picture, { width: 9, height: 7 }, "pillow")).toBe(picture);
  });

  test("keeps a plain colour plain, whatever the sizes", () => {
    const precision = fc.constantFrom("pillow" as const, "torchvision" as const);
    const level = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(side, side, side, side, level, precision, (width, height, w, h, value, mode) => {
        const plain = { width, height, pixels: new Uint8Array(width * height * 3).fill(value) };
        const { pixels } = resizeBilinear(plain, { width: w, height: h }, mode);
        expect(pixels).toEqual(new Uint8Array(w * h * 3).fill(value));
      }),
    );
  });

  test("the two precisions differ by one level at most in each pass", () => {
    fc.assert(
      fc.property(side, side, side, side, (width, height, w, h) => {
        const picture = formulaPicture(width, height);
        const a = resizeBilinear(picture, { width: w, height: h }, "pillow").pixels;
        const b = resizeBilinear(picture, { width: w, height: h }, "torchvision").pixels;
        const differences = a.map((value, i) => Math.abs(value - (b[i] ?? 0)));
        expect(Math.max(...differences)).toBeLessThanOrEqual(2);
      }),
    );
  });
});
