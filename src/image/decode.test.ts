import * as fc from "fast-check";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { PlatformError } from "../base/errors.ts";
import { decodeImage } from "./decode.ts";

/** 3 × 2 pixels, all different: what is lost or turned shows. */
const samples = Uint8Array.from({ length: 18 }, (_, i) => 10 * i + 5);
const small = sharp(samples, { raw: { width: 3, height: 2, channels: 3 } });

const tiff = await small.clone().tiff().toBuffer();
const avif = await small.clone().avif().toBuffer();

/** The picture's pixels, row by row. */
function pixelsOf(pixels: Uint8Array): number[][] {
  return Array.from({ length: pixels.length / 3 }, (_, i) => [
    ...pixels.subarray(3 * i, 3 * i + 3),
  ]);
}

async function refusal(bytes: Uint8Array): Promise<string> {
  try {
    await decodeImage(bytes);
  } catch (error) {
    if (error instanceof PlatformError && error.code === "invalid_image") return error.message;
    throw error;
  }
  return "accepted";
}

/** A PNG that claims a size and has nothing behind its header. */
function pngClaiming(width: number, height: number): Uint8Array {
  const file = Buffer.from(
    "89504e470d0a1a0a0000000d494844520000000000000000080200000000000000",
    "hex",
  );
  file.writeUInt32BE(width, 16);
  file.writeUInt32BE(height, 20);
  return file;
}

describe("a picture is decoded to its pixels", () => {
  test.each([
    ["PNG", small.clone().png()],
    ["interlaced PNG", small.clone().png({ progressive: true })],
    ["palette PNG", small.clone().png({ palette: true })],
    ["16-bit PNG (IM-11)", small.clone().toColourspace("rgb16").png()],
    ["lossless WebP (IM-13)", small.clone().webp({ lossless: true })],
    ["GIF", small.clone().gif()],
  ])("from a %s", async (_, file) => {
    expect(await decodeImage(await file.toBuffer())).toEqual({
      width: 3,
      height: 2,
      pixels: samples,
    });
  });

  test("from a JPEG, as exactly as JPEG is", async () => {
    const plain = sharp({ create: { width: 40, height: 30, channels: 3, background: "#c86432" } });
    const { width, height, pixels } = await decodeImage(
      await plain.jpeg({ quality: 95 }).toBuffer(),
    );
    expect([width, height]).toEqual([40, 30]);
    for (const pixel of pixelsOf(pixels)) {
      expect(Math.abs((pixel[0] ?? 0) - 0xc8)).toBeLessThanOrEqual(2);
      expect(Math.abs((pixel[1] ?? 0) - 0x64)).toBeLessThanOrEqual(2);
      expect(Math.abs((pixel[2] ?? 0) - 0x32)).toBeLessThanOrEqual(2);
    }
  });

  test("of a GIF with many frames, the first", async () => {
    const frames = Buffer.concat([Buffer.alloc(4 * 4 * 3, 200), Buffer.alloc(4 * 4 * 3, 10)]);
    const file = await sharp(frames, { raw: { width: 4, height: 8, channels: 3, pageHeight: 4 } })
      .gif()
      .toBuffer();
    const { width, height, pixels } = await decodeImage(file);
    expect([width, height]).toEqual([4, 4]);
    expect(new Set(pixels)).toEqual(new Set([200]));
  });

  test("grey becomes RGB, and what is clear becomes white (IM-11)", async () => {
    const grey = sharp(Uint8Array.of(7, 250), { raw: { width: 2, height: 1, channels: 1 } });
    expect(pixelsOf((await decodeImage(await grey.png().toBuffer())).pixels)).toEqual([
      [7, 7, 7],
      [250, 250, 250],
    ]);
    const clear = sharp(Uint8Array.of(0, 0, 0, 0, 0, 100, 255, 128), {
      raw: { width: 2, height: 1, channels: 4 },
    });
    expect(pixelsOf((await decodeImage(await clear.png().toBuffer())).pixels)).toEqual([
      [255, 255, 255],
      [127, 177, 255],
    ]);
  });
});

// The stored picture is [0 1 2 / 3 4 5]; each orientation says how it is to be shown.
test.each([
  {
    orientation: 1,
    shown: [
      [0, 1, 2],
      [3, 4, 5],
    ],
  },
  {
    orientation: 2,
    shown: [
      [2, 1, 0],
      [5, 4, 3],
    ],
  },
  {
    orientation: 3,
    shown: [
      [5, 4, 3],
      [2, 1, 0],
    ],
  },
  {
    orientation: 4,
    shown: [
      [3, 4, 5],
      [0, 1, 2],
    ],
  },
  {
    orientation: 5,
    shown: [
      [0, 3],
      [1, 4],
      [2, 5],
    ],
  },
  {
    orientation: 6,
    shown: [
      [3, 0],
      [4, 1],
      [5, 2],
    ],
  },
  {
    orientation: 7,
    shown: [
      [5, 2],
      [4, 1],
      [3, 0],
    ],
  },
  {
    orientation: 8,
    shown: [
      [2, 5],
      [1, 4],
      [0, 3],
    ],
  },
])("EXIF orientation $orientation is applied (IM-12)", async ({ orientation, shown }) => {
  const file = await small
    .clone()
    .withMetadata({ orientation })
    .webp({ lossless: true })
    .toBuffer();
  const { width, height, pixels } = await decodeImage(file);
  expect([height, width]).toEqual([shown.length, shown[0]?.length]);
  expect(pixelsOf(pixels)).toEqual(shown.flat().map((index) => pixelsOf(samples)[index]));
});

describe("a picture that cannot be is refused with one sentence", () => {
  test.each([
    {
      claim: [100_000, 10],
      says: "is 100,000 pixels wide; at most 16,384 are accepted. Send it smaller.",
    },
    { claim: [10, 1_000_000], says: "is 1,000,000 pixels high; at most 16,384" },
    { claim: [10_000, 10_000], says: "10,000 × 10,000 = 100,000,000 pixels; at most 50,000,000" },
    { claim: [0, 5], says: "claims 0 × 5 pixels" },
  ])(
    "by what its header claims (IM-03, IM-16): $claim",
    async ({ claim: [width = 0, height = 0], says }) => {
      const started = performance.now();
      expect(await refusal(pngClaiming(width, height))).toContain(says);
      expect(performance.now() - started).toBeLessThan(50);
    },
  );

  test.each([
    { what: "no bytes", bytes: Buffer.alloc(0) },
    {
      what: "an SVG",
      bytes: Buffer.from("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"),
    },
    { what: "a PDF", bytes: Buffer.from("%PDF-1.7\n") },
    { what: "a TIFF", bytes: tiff },
    { what: "an AVIF", bytes: avif },
    { what: "text", bytes: Buffer.from("data:image/png;base64,iVBORw0KGgo=") },
  ])("$what is none of the four formats (IM-14)", async ({ bytes }) => {
    expect(await refusal(bytes)).toMatch(/is not a PNG, JPEG, WebP or GIF file/);
  });

  test("too many bytes are not even looked at", async () => {
    expect(await refusal(new Uint8Array(20 * 1024 * 1024 + 1))).toContain(
      "has 20,971,521 bytes; at most 20,971,520",
    );
  });

  test("a file cut short (IM-05)", async () => {
    const noise = sharp({
      create: {
        width: 200,
        height: 200,
        channels: 3,
        background: "#888",
        noise: { type: "gaussian", mean: 128, sigma: 60 },
      },
    });
    for (const file of [
      await noise.clone().jpeg().toBuffer(),
      await noise.clone().png().toBuffer(),
      await noise.clone().webp().toBuffer(),
    ]) {
      expect(await refusal(file.subarray(0, file.length / 2))).toContain("damaged or cut short");
    }
    expect(await refusal((await noise.png().toBuffer()).subarray(0, 15))).toContain(
      "ends before it says its size",
    );
  });

  test("a header with anything behind it, and in words of ours alone (IM-19, G-04)", async () => {
    const starts = [
      await small.clone().png().toBuffer(),
      await small.clone().jpeg().toBuffer(),
      await small.clone().webp().toBuffer(),
      await small.clone().gif().toBuffer(),
    ].map((file) => file.subarray(0, 40));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...starts),
        fc.uint8Array({ maxLength: 300 }),
        async (start, rest) => {
          const message = await refusal(Buffer.concat([start, rest]));
          expect(message).not.toMatch(/0x|\/|Error|vips/i);
        },
      ),
      { numRuns: 60 },
    );
  });
});

test("many pictures at once are all answered (IM-22)", async () => {
  const file = await small.clone().png().toBuffer();
  const answers = await Promise.all(Array.from({ length: 64 }, () => decodeImage(file)));
  expect(answers).toHaveLength(64);
  expect(new Set(answers.map(({ pixels }) => pixels.join()))).toEqual(new Set([samples.join()]));
});

test("a caller that leaves is let go, and the next is served", async () => {
  const file = await small.clone().png().toBuffer();
  await expect(decodeImage(file, { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: "cancelled",
  });
  expect(await decodeImage(file)).toMatchObject({ width: 3, height: 2 });
});
