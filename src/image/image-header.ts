/**
 * What a picture's first bytes say: its format and its size, without decoding anything.
 *
 * The format is told from the content; names and media types are never asked. A size read here is a
 * claim that the decoder checks again; it is read so that absurd claims are refused for nothing.
 */

export type ImageFormat = "PNG" | "JPEG" | "WebP" | "GIF";

export type ImageHeader = {
  readonly format: ImageFormat;
  /** In pixels, as stored, before any rotation; `undefined` when the file ends before saying. */
  readonly size: { readonly width: number; readonly height: number } | undefined;
};

/** @returns `undefined` when the bytes are none of the four formats */
export function readImageHeader(bytes: Uint8Array): ImageHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const format = sniffFormat(view);
  return format === undefined ? undefined : { format, size: sizeReaders[format](view) };
}

type Size = { width: number; height: number };

const sizeReaders: Readonly<Record<ImageFormat, (view: DataView) => Size | undefined>> = {
  PNG: pngSize,
  JPEG: jpegSize,
  WebP: webpSize,
  GIF: gifSize,
};

function sniffFormat(view: DataView): ImageFormat | undefined {
  if (hasText(view, 0, "\x89PNG\r\n\x1a\n")) return "PNG";
  if (hasText(view, 0, "\xff\xd8\xff")) return "JPEG";
  if (hasText(view, 0, "RIFF") && hasText(view, 8, "WEBP")) return "WebP";
  if (hasText(view, 0, "GIF87a") || hasText(view, 0, "GIF89a")) return "GIF";
  return undefined;
}

function pngSize(view: DataView): Size | undefined {
  if (!hasText(view, 12, "IHDR") || view.byteLength < 24) return undefined;
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

function gifSize(view: DataView): Size | undefined {
  if (view.byteLength < 10) return undefined;
  return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
}

/** Walks the segments up to the first frame header. */
function jpegSize(view: DataView): Size | undefined {
  let offset = 2;
  while (offset + 9 <= view.byteLength) {
    if (view.getUint8(offset) !== 0xff) return undefined;
    const marker = view.getUint8(offset + 1);
    if (marker === 0xff) {
      offset += 1;
    } else if (isFrameHeader(marker)) {
      return { width: view.getUint16(offset + 7), height: view.getUint16(offset + 5) };
    } else if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7)) {
      offset += 2;
    } else {
      offset += 2 + Math.max(view.getUint16(offset + 2), 2);
    }
  }
  return undefined;
}

/** SOF0 to SOF15; C4, C8 and CC are other segments. */
function isFrameHeader(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function webpSize(view: DataView): Size | undefined {
  if (view.byteLength < 30) return undefined;
  if (hasText(view, 12, "VP8X")) {
    return { width: uint24(view, 24) + 1, height: uint24(view, 27) + 1 };
  }
  if (hasText(view, 12, "VP8L") && view.getUint8(20) === 0x2f) {
    const bits = view.getUint32(21, true);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (hasText(view, 12, "VP8 ") && hasText(view, 23, "\x9d\x01\x2a")) {
    return {
      width: view.getUint16(26, true) & 0x3fff,
      height: view.getUint16(28, true) & 0x3fff,
    };
  }
  return undefined;
}

function uint24(view: DataView, offset: number): number {
  return view.getUint16(offset, true) | (view.getUint8(offset + 2) << 16);
}

/** Whether the bytes at `offset` are `text`, one byte per character. */
function hasText(view: DataView, offset: number, text: string): boolean {
  if (offset + text.length > view.byteLength) return false;
  for (let i = 0; i < text.length; i++) {
    if (view.getUint8(offset + i) !== text.charCodeAt(i)) return false;
  }
  return true;
}
