import { expect, test } from "vitest";
import { flattenOnWhite, overWhite } from "./alpha.ts";

test("every pair of alpha and sample rounds to the nearest level", () => {
  for (let alpha = 0; alpha < 256; alpha++) {
    for (let sample = 0; sample < 256; sample++) {
      const exact = (sample * alpha + 255 * (255 - alpha)) / 255;
      expect(overWhite(sample, alpha)).toBe(Math.floor(exact + 0.5));
    }
  }
});

test.each([
  { why: "grey is spread", numChannels: 1, samples: [7, 200], rgb: [7, 7, 7, 200, 200, 200] },
  {
    why: "clear grey is white",
    numChannels: 2,
    samples: [7, 0, 9, 255],
    rgb: [255, 255, 255, 9, 9, 9],
  },
  { why: "RGB stays", numChannels: 3, samples: [1, 2, 3], rgb: [1, 2, 3] },
  {
    why: "half clear lies halfway to white",
    numChannels: 4,
    samples: [0, 100, 255, 128, 1, 2, 3, 255],
    rgb: [127, 177, 255, 1, 2, 3],
  },
])("$why", ({ numChannels, samples, rgb }) => {
  expect([...flattenOnWhite(Uint8Array.from(samples), numChannels)]).toEqual(rgb);
});
