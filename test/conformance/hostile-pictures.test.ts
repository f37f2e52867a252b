/** Pictures that were made to do harm: each is answered as a picture, or refused in words of ours. */

import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import * as fc from "fast-check";
import sharp from "sharp";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { PlatformError } from "../../src/base/errors.ts";
import type { RgbImage } from "../../src/base/rgb-image.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { DecoderProcess } from "../../src/image/decoder-process.ts";
import { jpegOfManyScans, manyScansSize } from "../support/made-jpeg.ts";
import { deflatedZeros, emptyPng, madePng, pngChunk } from "../support/made-png.ts";
import { type FakeServer, serveFakeEngine } from "../support/serve.ts";

/** 3 × 2 pixels, all different. */
const small = sharp(
  Uint8Array.from({ length: 18 }, (_, i) => 10 * i + 5),
  { raw: { width: 3, height: 2, channels: 3 } },
);
/** Nothing that packs well, and the same each time. */
const noise = sharp(
  Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >>> 11) & 0xff),
  { raw: { width: 64, height: 64, channels: 3 } },
);
const files = {
  PNG: await small.clone().png().toBuffer(),
  JPEG: await small.clone().jpeg().toBuffer(),
  "lossy WebP": await small.clone().webp().toBuffer(),
  "lossless WebP": await small.clone().webp({ lossless: true }).toBuffer(),
  GIF: await small.clone().gif().toBuffer(),
};

let server: FakeServer;
let canary: Server;
let numAsked = 0;

beforeAll(async () => {
  server = await serveFakeEngine("A red circle.");
  canary = createServer((_request, response) => {
    numAsked++;
    response.end("secret");
  });
  await new Promise<void>((resolve) => canary.listen(0, "127.0.0.1", resolve));
});
beforeEach(() => {
  server.engine.requests.length = 0;
});
afterAll(async () => {
  canary.close();
  await server[Symbol.asyncDispose]();
});

type Reply = { readonly status: number; readonly text: string };

async function askWith(part: object): Promise<Reply> {
  const content = [{ type: "text", text: "What is it?" }, part];
  const reply = await fetch(`${server.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "fake", messages: [{ role: "user", content }] }),
  });
  return { status: reply.status, text: await reply.text() };
}

const dataUrl = (file: Uint8Array, type = "image/png"): string =>
  `data:${type};base64,${Buffer.from(file).toString("base64")}`;

const show = async (file: Uint8Array, type?: string): Promise<Reply> =>
  await askWith({ type: "image_url", image_url: { url: dataUrl(file, type) } });

/** That it is the caller's fault, said without an address, a path or a library's words. */
function expectRefused({ status, text }: Reply, says: RegExp | string = ""): void {
  expect([status, text]).toEqual([400, expect.stringContaining('"invalid_image"')]);
  expect(text).toMatch(says);
  expect(text).not.toMatch(/0x|\/|\\\\|Error:|vips|sharp/);
  expect(server.engine.requests).toEqual([]);
}

/** The pixels, or nothing where it is refused as no picture; anything else is a failure. */
async function decodedOrRefused(file: Uint8Array): Promise<RgbImage | undefined> {
  try {
    return await decodeImage(file);
  } catch (error) {
    if (error instanceof PlatformError && error.code === "invalid_image") return undefined;
    throw error;
  }
}

const seen = () => server.engine.requests.map(({ prompt }) => prompt.pictures);

describe("pixels without end are refused by what the header claims", () => {
  test.each([
    {
      what: "a header and nothing else (IM-01)",
      file: emptyPng({ width: 1_000_000, height: 1_000_000, bitDepth: 8, colourType: 2 }),
      says: /1,000,000 pixels wide; at most 16,384/,
    },
    {
      what: "black and white that is all there (IM-02)",
      file: madePng({ width: 30_000, height: 30_000, bitDepth: 1, colourType: 0 }),
      says: /30,000 pixels wide; at most 16,384/,
    },
    {
      what: "colour that is all there (IM-03)",
      file: madePng({ width: 10_000, height: 10_000, bitDepth: 8, colourType: 2 }),
      says: /100,000,000 pixels; at most 50,000,000/,
    },
  ])("$what", async ({ file, says }) => {
    expect(file.length).toBeLessThan(512 * 1024);
    expectRefused(await show(file), says);
  });

  test("and what is within the limit is decoded, in the memory that a decoder has (IM-04)", async () => {
    const file = madePng({ width: 7_000, height: 7_000, bitDepth: 8, colourType: 2 });
    const decoder = new DecoderProcess();
    const answer = await decoder.decode(file, { timeoutMs: 100_000, signal: undefined });
    decoder.kill();
    expect(answer).toMatchObject({ width: 7_000, height: 7_000 });
  }, 120_000);
});

describe("what is damaged", () => {
  test.each(Object.entries(files))(
    "a %s cut at any byte is the whole picture or none (IM-05)",
    async (_, file) => {
      const whole = await decodeImage(file);
      const cuts = Array.from({ length: file.length }, (_, end) => file.subarray(0, end));
      for (const cut of await Promise.all(cuts.map(decodedOrRefused))) {
        if (cut !== undefined) expect(cut).toEqual(whole);
      }
    },
    60_000,
  );

  test("the first bytes of a format with chance behind them are no picture (IM-06)", async () => {
    const starts = [
      Buffer.from("89504e470d0a1a0a", "hex"),
      Buffer.from("ffd8ff", "hex"),
      Buffer.from("RIFF\x10\x00\x00\x00WEBP", "latin1"),
      Buffer.from("GIF89a", "latin1"),
    ];
    const chance = fc.uint8Array({ minLength: 1, maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...starts), chance, async (start, rest) => {
        expectRefused(await show(Buffer.concat([start, rest])));
      }),
      { numRuns: 60, seed: 1 },
    );
  }, 60_000);

  test.each([
    { kind: "lossy", lossless: false },
    { kind: "lossless", lossless: true },
  ])(
    "a $kind WebP with bytes turned is some picture or none (IM-13)",
    async ({ lossless }) => {
      const file = await noise.clone().webp({ lossless }).toBuffer();
      expect(await decodeImage(file)).toMatchObject({ width: 64, height: 64 });
      const turned = Array.from({ length: 64 }, (_, index) => {
        const copy = Buffer.from(file);
        const at = 12 + Math.floor((index * (file.length - 12)) / 64);
        copy.writeUInt8((copy[at] ?? 0) ^ 0xff, at);
        return copy;
      });
      await Promise.all(turned.map(decodedOrRefused));
      expect(await decodeImage(file)).toMatchObject({ width: 64, height: 64 });
    },
    60_000,
  );

  test.each([
    ["half a PNG", files.PNG.subarray(0, files.PNG.length / 2)],
    ["half a JPEG", files.JPEG.subarray(0, files.JPEG.length / 2)],
    ["half a WebP", files["lossy WebP"].subarray(0, files["lossy WebP"].length / 2)],
    ["half a GIF", files.GIF.subarray(0, files.GIF.length / 2)],
    ["a header", files.PNG.subarray(0, 20)],
    ["text", Buffer.from("/etc/passwd: Error: 0x7fff")],
  ])("is refused in words of ours alone (IM-19): %s", async (_, file) => {
    expectRefused(await show(file));
  });
});

describe("a label is not believed", () => {
  test("a JPEG that is called a PNG is seen (IM-08)", async () => {
    expect((await show(files.JPEG, "image/png")).status).toBe(200);
    expect(seen()).toMatchObject([[{ width: 3, height: 2 }]]);
  });

  test.each(["image/svg+xml", "image/png"])(
    "an SVG that asks for others' files is none of the four formats, called %s (IM-09)",
    async (type) => {
      const { port } = canary.address() as AddressInfo;
      const address = `http://127.0.0.1:${port}/`;
      for (const target of [address, "file:///etc/hostname"]) {
        const svg = `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY it SYSTEM "${target}">]>
          <svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">
          <image href="${target}" width="9" height="9"/><text>&it;</text></svg>`;
        expectRefused(await show(Buffer.from(svg), type), /is not a PNG, JPEG, WebP or GIF file/);
      }
      expect(numAsked).toBe(0);
    },
  );

  test.each([
    ["TIFF", Buffer.from("49492a0008000000", "hex")],
    ["HEIC", Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic", "latin1")],
    ["JPEG 2000", Buffer.from("0000000c6a5020200d0a870a", "hex")],
    ["JPEG 2000 without a box", Buffer.from("ff4fff5100290000", "hex")],
    ["PSD", Buffer.from("8BPS\0\x01\0\0\0\0\0\0\0\x03", "latin1")],
    ["PDF", Buffer.from("%PDF-1.7\n")],
    ["ICO", Buffer.from("00000100010010100000010020", "hex")],
    ["EPS", Buffer.from("%!PS-Adobe-3.0 EPSF-3.0\n")],
  ])("%s is none of the four formats (IM-14)", async (_, start) => {
    const file = Buffer.concat([start, Buffer.alloc(200)]);
    expectRefused(await show(file), /is not a PNG, JPEG, WebP or GIF file/);
  });
});

describe("what is rare is seen as what it is", () => {
  test("black and white of one bit (IM-11)", async () => {
    const header = { width: 3, height: 1, bitDepth: 1, colourType: 0 } as const;
    const { pixels } = await decodeImage(madePng(header, { rows: Uint8Array.of(0, 0b01000000) }));
    expect([...pixels]).toEqual([0, 0, 0, 255, 255, 255, 0, 0, 0]);
  });

  test("a palette with what is half clear in it (IM-11)", async () => {
    const file = madePng(
      { width: 2, height: 1, bitDepth: 8, colourType: 3 },
      {
        rows: Uint8Array.of(0, 1, 0),
        chunks: [
          pngChunk("PLTE", Uint8Array.of(9, 8, 7, 0, 100, 255)),
          pngChunk("tRNS", Uint8Array.of(255, 128)),
        ],
      },
    );
    expect([...(await decodeImage(file)).pixels]).toEqual([127, 177, 255, 9, 8, 7]);
  });

  test("a JPEG in printers' colours (IM-11)", async () => {
    const plain = sharp({ create: { width: 16, height: 16, channels: 3, background: "#c02010" } });
    const file = await plain.toColourspace("cmyk").jpeg({ quality: 95 }).toBuffer();
    const { width, height, pixels } = await decodeImage(file);
    expect([width, height]).toEqual([16, 16]);
    const [red = 0, green = 0, blue = 0] = pixels;
    expect(red).toBeGreaterThan(2 * Math.max(green, blue));
  });

  test("of ten thousand frames the first (IM-10)", async () => {
    const frame = (index: 0 | 1): Buffer =>
      Buffer.from(`2c000000000100010000020${index === 0 ? "244" : "24c"}0100`, "hex");
    const file = Buffer.concat([
      Buffer.from("47494638396101000100800000c86432000000", "hex"),
      frame(0),
      ...Array.from({ length: 9_999 }, () => frame(1)),
      Buffer.of(0x3b),
    ]);
    expect(await sharp(file).metadata()).toMatchObject({ pages: 10_000 });
    const { width, height, pixels } = await decodeImage(file);
    expect([width, height, ...pixels]).toEqual([1, 1, 0xc8, 0x64, 0x32]);
  });

  test("lines, and a single pixel (IM-15)", async () => {
    const lengths = fc.integer({ min: 1, max: 16_384 });
    await fc.assert(
      fc.asyncProperty(lengths, fc.boolean(), async (length, isWide) => {
        const size = isWide ? { width: length, height: 1 } : { width: 1, height: length };
        server.engine.requests.length = 0;
        const reply = await show(madePng({ ...size, bitDepth: 8, colourType: 2 }));
        expect(reply.status).toBe(200);
        expect(seen()).toMatchObject([[size]]);
      }),
      {
        numRuns: 20,
        examples: [
          [1, true],
          [16_384, true],
          [16_384, false],
        ],
      },
    );
  }, 60_000);
});

test.each([
  { width: 0, height: 5 },
  { width: 5, height: 0 },
])("a side of nothing is refused (IM-16): $width × $height", async ({ width, height }) => {
  const gif = Buffer.from(files.GIF);
  gif.writeUInt16LE(width, 6);
  gif.writeUInt16LE(height, 8);
  const jpeg = Buffer.from(files.JPEG);
  const frame = jpeg.indexOf(Buffer.of(0xff, 0xc0));
  jpeg.writeUInt16BE(height, frame + 5);
  jpeg.writeUInt16BE(width, frame + 7);
  const png = emptyPng({ width, height, bitDepth: 8, colourType: 2 });
  for (const file of [png, gif, jpeg]) {
    expectRefused(await show(file), /both sides must be at least 1/);
  }
});

describe("bombs", () => {
  // A decoder that unpacked them would exceed its memory, and be ended.
  test.each([
    { type: "zTXt", head: "k\0\0" },
    { type: "iTXt", head: "k\0\x01\0\0\0" },
    { type: "iCCP", head: "k\0\0" },
  ])(
    "two gibibytes beside the picture, in $type, are left packed (IM-17)",
    async ({ type, head }) => {
      const bomb = Buffer.concat([Buffer.from(head, "latin1"), deflatedZeros(2 ** 31)]);
      const file = madePng(
        { width: 30, height: 20, bitDepth: 8, colourType: 2 },
        { chunks: [pngChunk(type, bomb)] },
      );
      expect(file.length).toBeLessThan(3 * 2 ** 20);
      expect(await decodeImage(file)).toMatchObject({ width: 30, height: 20 });
    },
    60_000,
  );

  test("a JPEG of a thousand scans is ended at the time limit (IM-18)", async () => {
    const few = jpegOfManyScans({ scale: 1, numScans: 30 });
    expect(await decodeImage(few)).toMatchObject(manyScansSize(1));
    const many = jpegOfManyScans({ scale: 4, numScans: 1_000 });
    expect(many.length).toBeLessThan(512 * 1024);
    const decoder = new DecoderProcess();
    const limits = { timeoutMs: 300, signal: undefined };
    expect(await decoder.decode(many, limits)).toBe("timed-out");
    expect(decoder.isAlive).toBe(false);
  }, 60_000);

  test("eight pictures as large as one may be are more than a body may be (IM-20)", async () => {
    const asked = request(`${server.url}/v1/chat/completions`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "content-length": 8 * Math.ceil((20 * 2 ** 20) / 3) * 4,
      },
    });
    asked.on("error", () => {});
    asked.flushHeaders();
    const [reply] = await once(asked, "response");
    expect(reply.statusCode).toBe(413);
    expect((await buffer(reply)).toString()).toContain("32 MiB");
    asked.destroy();
  });
});

describe("the field of a picture", () => {
  const url = dataUrl(files.PNG);

  test.each([
    { form: "text", image_url: url },
    { form: "an object", image_url: { url } },
    ...[null, "auto", "low", "high"].map((detail) => ({
      form: `an object with the detail ${detail}`,
      image_url: { url, detail },
    })),
  ])("may be $form (IM-23)", async ({ image_url }) => {
    expect((await askWith({ type: "image_url", image_url })).status).toBe(200);
    expect(seen()).toMatchObject([[{ width: 3, height: 2 }]]);
  });

  test.each([
    { form: "missing", image_url: undefined },
    { form: "null", image_url: null },
    { form: "a number", image_url: 7 },
    { form: "true", image_url: true },
    { form: "a list", image_url: [url] },
    { form: "a list in a list", image_url: [[{ url }]] },
    { form: "an object without an address", image_url: {} },
    { form: "an object with a list of addresses", image_url: { url: [url] } },
    { form: "an object in an object", image_url: { url: { url } } },
    { form: "of a detail that nobody knows", image_url: { url, detail: "ultra" } },
    { form: "of a detail that is a number", image_url: { url, detail: 7 } },
  ])("is refused by its name when it is $form (IM-23)", async ({ image_url }) => {
    const { status, text } = await askWith({ type: "image_url", image_url });
    expect([status, text]).toEqual([400, expect.stringContaining('"invalid_request"')]);
    expect(text).toContain("messages[0].content[1].image_url");
    expect(server.engine.requests).toEqual([]);
  });
});
