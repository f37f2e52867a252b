/** PNG files made by hand: honest ones of any size for next to no bytes, and ones that claim what is not there. */
import { constants, crc32, deflateRawSync, deflateSync } from "node:zlib";

const magic = Buffer.from("89504e470d0a1a0a", "hex");
const numChannels: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1 };

export type PngHeader = {
  readonly width: number;
  readonly height: number;
  readonly bitDepth: number;
  /** 0 grey, 2 RGB, 3 palette. */
  readonly colourType: 0 | 2 | 3;
};

/**
 * @param rows each with its filter's byte before it; all zero when left out
 * @param chunks what stands before the data
 */
export function madePng(
  header: PngHeader,
  { rows, chunks = [] }: { readonly rows?: Uint8Array; readonly chunks?: readonly Buffer[] } = {},
): Buffer {
  const { width, height, bitDepth, colourType } = header;
  const rowBytes = 1 + Math.ceil((width * bitDepth * (numChannels[colourType] ?? 1)) / 8);
  const data = rows === undefined ? deflatedZeros(rowBytes * height) : deflateSync(rows);
  return Buffer.concat([pngStart(header), ...chunks, pngChunk("IDAT", data), pngEnd]);
}

/** A header, no data, and the end. */
export function emptyPng(header: PngHeader): Buffer {
  return Buffer.concat([pngStart(header), pngChunk("IDAT", Buffer.alloc(0)), pngEnd]);
}

function pngStart({ width, height, bitDepth, colourType }: PngHeader): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.writeUInt8(bitDepth, 8);
  header.writeUInt8(colourType, 9);
  return Buffer.concat([magic, pngChunk("IHDR", header)]);
}

export function pngChunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

const pngEnd = pngChunk("IEND", Buffer.alloc(0));

/** What zlib makes of `numBytes` zeros, without making the zeros: one packed mebibyte, again and again. */
export function deflatedZeros(numBytes: number): Buffer {
  const mebibyte = 2 ** 20;
  const packed = deflateRawSync(Buffer.alloc(mebibyte), {
    level: 9,
    finishFlush: constants.Z_FULL_FLUSH,
  });
  const sum = Buffer.alloc(4);
  // Adler-32: the first half counts the bytes, the second is the 1 that it starts from.
  sum.writeUInt16BE(numBytes % 65_521, 0);
  sum.writeUInt16BE(1, 2);
  return Buffer.concat([
    Buffer.of(0x78, 0xda),
    ...Array.from({ length: Math.floor(numBytes / mebibyte) }, () => packed),
    deflateRawSync(Buffer.alloc(numBytes % mebibyte)),
    sum,
  ]);
}
