/**
 * The bytes of a picture file become an upright, opaque RGB picture, or one sentence that says why not.
 *
 * Four formats, told from the content: PNG, JPEG, WebP, GIF (first frame). Size claims are read from
 * the header and checked first. Then the file goes to one of a few child processes, because a decoder
 * is foreign code that meets a stranger's bytes: a process can be killed at its time limit in the
 * middle of native code, keeps its own memory limit, and takes nobody along when it crashes; a worker
 * thread could do none of the three.
 *
 * One policy for all engines: EXIF orientation applied, transparency laid over white with Pillow's
 * rounding, greys and palettes spread to RGB, 16 bits cut to 8, embedded colour profiles ignored.
 */
import { availableParallelism } from "node:os";
import { PlatformError } from "../base/errors.ts";
import type { RgbImage } from "../base/rgb-image.ts";
import { maxPixels, maxResidentBytes } from "./decode-protocol.ts";
import { type DecodeFailure, DecoderProcess } from "./decoder-process.ts";
import { type ImageFormat, readImageHeader } from "./image-header.ts";

/** What a picture may be at most; the pixels are few enough to decode within the memory limit. */
const imageLimits = {
  fileBytes: 20 * 1024 * 1024,
  side: 16_384,
  pixels: maxPixels,
  decodeMs: 5_000,
} as const;

/** Idle decoders end after this long. */
const idleMs = 30_000;

const maxProcesses = Math.max(2, Math.min(4, availableParallelism()));

/** Pictures that may wait for a decoder. */
const maxWaiting = 1_024;

/**
 * Decode a PNG, JPEG, WebP or GIF file.
 *
 * @throws PlatformError `invalid_image` when the bytes are no such picture or exceed `imageLimits`,
 *   `cancelled` when `signal` aborts, `queue_full`, `worker_failed` when no decoder can be started
 */
export async function decodeImage(
  bytes: Uint8Array,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<RgbImage> {
  const format = checkedFormat(bytes);
  const result = await decoders.decode(bytes, signal);
  if (typeof result === "string") throw failureError(result, format);
  return result;
}

function checkedFormat(bytes: Uint8Array): ImageFormat {
  if (bytes.length > imageLimits.fileBytes) {
    throw invalidImage(
      `The picture file has ${count(bytes.length)} bytes; at most ${count(imageLimits.fileBytes)} are accepted. Send it smaller.`,
    );
  }
  const header = readImageHeader(bytes);
  if (header === undefined) {
    throw invalidImage(
      `The picture (${count(bytes.length)} bytes) is not a PNG, JPEG, WebP or GIF file. Convert it to one of these.`,
    );
  }
  if (header.size === undefined) {
    throw invalidImage(
      `The ${header.format} picture (${count(bytes.length)} bytes) ends before it says its size. Send the whole file.`,
    );
  }
  checkSize(header.size, header.format);
  return header.format;
}

function checkSize(
  { width, height }: { width: number; height: number },
  format: ImageFormat,
): void {
  if (width === 0 || height === 0) {
    throw invalidImage(
      `The ${format} picture claims ${count(width)} × ${count(height)} pixels; both sides must be at least 1. Send another file.`,
    );
  }
  for (const [side, extent] of [
    [width, "wide"],
    [height, "high"],
  ] as const) {
    if (side > imageLimits.side) {
      throw invalidImage(
        `The picture is ${count(side)} pixels ${extent}; at most ${count(imageLimits.side)} are accepted. Send it smaller.`,
      );
    }
  }
  if (width * height > imageLimits.pixels) {
    throw invalidImage(
      `The picture has ${count(width)} × ${count(height)} = ${count(width * height)} pixels; at most ${count(imageLimits.pixels)} are accepted. Send it smaller.`,
    );
  }
}

function failureError(failure: DecodeFailure, format: ImageFormat): PlatformError {
  switch (failure) {
    case "damaged":
      return invalidImage(
        `The ${format} picture cannot be decoded: its data are damaged or cut short. Send the whole file, or convert it.`,
      );
    case "timed-out":
      return invalidImage(
        `The ${format} picture took longer than ${imageLimits.decodeMs / 1000} seconds to decode. Send it smaller, or convert it to a plain PNG.`,
      );
    case "out-of-memory":
      return invalidImage(
        `The ${format} picture needs more than ${maxResidentBytes / 2 ** 20} MiB to decode. Send it smaller, or convert it to a plain PNG.`,
      );
    case "crashed":
      return new PlatformError(
        "worker_failed",
        `The process that decodes pictures ended while it had a ${format} picture. Try again; if it happens again, convert the picture.`,
      );
    case "cancelled":
      return new PlatformError("cancelled", "The request was cancelled while decoding a picture.");
    default:
      return failure satisfies never;
  }
}

function invalidImage(message: string): PlatformError {
  return new PlatformError("invalid_image", message);
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** Hands pictures to processes, in order; starts processes when they are needed and ends idle ones. */
class DecoderPool {
  readonly #idle: { readonly decoder: DecoderProcess; readonly timer: NodeJS.Timeout }[] = [];
  #numBusy = 0;
  readonly #waiting: (() => void)[] = [];

  async decode(
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<RgbImage | DecodeFailure> {
    await this.#turn();
    const decoder = this.#take();
    try {
      if (signal?.aborted === true) return "cancelled";
      return await decoder.decode(bytes, { timeoutMs: imageLimits.decodeMs, signal });
    } finally {
      this.#put(decoder);
    }
  }

  async #turn(): Promise<void> {
    if (this.#numBusy < maxProcesses) {
      this.#numBusy += 1;
      return;
    }
    if (this.#waiting.length >= maxWaiting) {
      throw new PlatformError(
        "queue_full",
        `${count(maxWaiting)} pictures are waiting to be decoded. Try again in a moment.`,
      );
    }
    // Whoever finishes hands its turn over, so `#numBusy` stays as it is.
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #take(): DecoderProcess {
    for (;;) {
      const last = this.#idle.pop();
      if (last === undefined) return new DecoderProcess();
      clearTimeout(last.timer);
      if (last.decoder.isAlive) return last.decoder;
    }
  }

  #put(decoder: DecoderProcess): void {
    if (decoder.isAlive) {
      const timer = setTimeout(() => decoder.kill(), idleMs).unref();
      this.#idle.push({ decoder, timer });
    }
    const next = this.#waiting.shift();
    if (next === undefined) this.#numBusy -= 1;
    else next();
  }
}

/** The processes belong to the program as a whole: they hold no state of any request or model. */
const decoders = new DecoderPool();
