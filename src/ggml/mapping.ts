/**
 * Files as memory, read only. On POSIX they are mapped; elsewhere they are read.
 *
 * A mapped file that shrinks kills the process that mapped it: map only in a worker.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import koffi from "koffi";
import type { GgmlLibrary } from "./library.ts";
import type { Pointer } from "./symbols.ts";

const PROT_READ = 1;
const MAP_SHARED = 1;
const READ_CHUNK_BYTES = 64 * 1024 * 1024;

export class FileMapping implements Disposable {
  readonly address: Pointer;
  readonly sizeBytes: number;
  readonly isMapped: boolean;
  readonly #release: () => void;

  private constructor(address: Pointer, sizeBytes: number, release: (() => void) | undefined) {
    this.address = address;
    this.sizeBytes = sizeBytes;
    this.isMapped = release !== undefined;
    this.#release = release ?? (() => {});
  }

  static open(library: GgmlLibrary, path: string): FileMapping {
    const file = openSync(path, "r");
    try {
      const sizeBytes = fstatSync(file).size;
      const { posix } = library;
      if (posix === undefined) return readWhole(file, sizeBytes);
      const address = posix.mmap(null, sizeBytes, PROT_READ, MAP_SHARED, file, 0);
      if (address === null || BigInt(address) === 0xffff_ffff_ffff_ffffn) {
        throw new Error(`mapping ${sizeBytes} bytes of a file failed`);
      }
      return new FileMapping(BigInt(address), sizeBytes, () => posix.munmap(address, sizeBytes));
    } finally {
      closeSync(file);
    }

    function readWhole(file: number, sizeBytes: number): FileMapping {
      // 32 bytes of slack: ggml wants its buffers aligned, and a Buffer's address may not be.
      const buffer = Buffer.allocUnsafeSlow(sizeBytes + 32);
      const unaligned = koffi.address(buffer);
      const shift = Number((32n - (unaligned % 32n)) % 32n);
      for (let offset = 0; offset < sizeBytes; ) {
        const length = Math.min(READ_CHUNK_BYTES, sizeBytes - offset);
        const numRead = readSync(file, buffer, shift + offset, length, offset);
        if (numRead === 0) throw new Error(`the file ended at byte ${offset} of ${sizeBytes}`);
        offset += numRead;
      }
      const mapping = new FileMapping(unaligned + BigInt(shift), sizeBytes, undefined);
      keptAlive.set(mapping, buffer);
      return mapping;
    }
  }

  [Symbol.dispose](): void {
    this.#release();
    keptAlive.delete(this);
  }
}

/** Buffers whose memory native code points into. */
const keptAlive = new WeakMap<FileMapping, Buffer>();
