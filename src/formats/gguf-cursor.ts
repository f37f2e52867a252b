/** Numbers and texts one after another from the beginning of a file, which may end or lie at any of them. */
import type { FileHandle } from "node:fs/promises";
import { readBytes } from "./regular-file.ts";

/** Read at once: after each the process can do something else. */
const CHUNK_BYTES = 1024 * 1024;

export class GgufCursor {
  readonly #file: FileHandle;
  readonly #fail: (what: string) => Error;
  readonly #endBytes: number;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true });
  /** Of the file, from `#chunkStart` on. */
  #chunk = new DataView(new ArrayBuffer(0));
  #chunkStart = 0;
  #position = 0;

  /**
   * @param endBytes where reading must stop: the end of the file, or of what a header may be
   * @param fail makes the error of what is wrong
   */
  constructor(file: FileHandle, endBytes: number, fail: (what: string) => Error) {
    this.#file = file;
    this.#endBytes = endBytes;
    this.#fail = fail;
  }

  /** Bytes from the beginning of the file. */
  get position(): number {
    return this.#position;
  }

  /** Bytes that are left to read. */
  get numLeft(): number {
    return this.#endBytes - this.#position;
  }

  /** See that `numBytes` more are there, and have them at hand. */
  async require(numBytes: number, what: string): Promise<void> {
    if (numBytes > this.numLeft) {
      throw this.#fail(`it ends in the middle of ${what}`);
    }
    if (this.#position + numBytes <= this.#chunkStart + this.#chunk.byteLength) return;
    const sizeBytes = Math.min(Math.max(numBytes, CHUNK_BYTES), this.numLeft);
    const bytes = await readBytes(this.#file, { offset: this.#position, sizeBytes });
    if (bytes.length < numBytes) throw this.#fail(`it ends in the middle of ${what}`);
    this.#chunk = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#chunkStart = this.#position;
  }

  /** Whether that many bytes are at hand, so that they can be taken without waiting. */
  hasAtHand(numBytes: number): boolean {
    return this.#position + numBytes <= this.#chunkStart + this.#chunk.byteLength;
  }

  /** A number of bytes that were required before. */
  take<Value>(numBytes: number, read: (view: DataView, offset: number) => Value): Value {
    const value = read(this.#chunk, this.#position - this.#chunkStart);
    this.#position += numBytes;
    return value;
  }

  /** Bytes that nobody reads; they are not fetched. */
  skip(numBytes: number, what: string): void {
    if (numBytes > this.numLeft) throw this.#fail(`it ends in the middle of ${what}`);
    this.#position += numBytes;
  }

  async u32(what: string): Promise<number> {
    await this.require(4, what);
    return this.take(4, (view, at) => view.getUint32(at, true));
  }

  /** A count or an offset: a 64-bit number that is small enough to be one. */
  async u64(what: string): Promise<number> {
    await this.require(8, what);
    return this.takeU64(what);
  }

  takeU64(what: string): number {
    const value = this.take(8, (view, at) => view.getBigUint64(at, true));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.#fail(`${what} is ${value}`);
    return Number(value);
  }

  /** A length in eight bytes, then that many bytes of UTF-8. */
  async text(what: string, maxBytes: number): Promise<string> {
    const length = await this.u64(`the length of ${what}`);
    if (length > maxBytes) {
      throw this.#fail(`${what} claims ${length} bytes, and at most ${maxBytes} are read`);
    }
    await this.require(length, what);
    return this.#takeText(length, what);
  }

  /** As `text`, when all of it is at hand; `undefined` otherwise, and nothing is taken. */
  textAtHand(what: string): string | undefined {
    if (!this.hasAtHand(8)) return undefined;
    const start = this.#position;
    const length = this.takeU64(`the length of ${what}`);
    if (this.hasAtHand(length)) return this.#takeText(length, what);
    this.#position = start;
    return undefined;
  }

  #takeText(length: number, what: string): string {
    const bytes = this.take(
      length,
      (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, length),
    );
    try {
      return this.#utf8.decode(bytes);
    } catch {
      throw this.#fail(`${what} is not UTF-8`);
    }
  }
}
