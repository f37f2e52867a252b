/**
 * Zeroed memory that the kernel hands out page by page as it is touched: a KV cache of gigabytes is there at
 * once, and takes no more than has been written to it.
 *
 * @see mmap(2), MAP_ANONYMOUS; madvise(2), MADV_HUGEPAGE
 */
import type { GgmlLibrary } from "./library.ts";
import type { Pointer } from "./symbols.ts";

const PROT_READ_WRITE = 1 | 2;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = process.platform === "darwin" ? 0x1000 : 0x20;
/** Linux: pages of 2 MB where there are any, which take fewer faults and are found faster. */
const MADV_HUGEPAGE = 14;

/** Below this, clearing costs nothing. */
export const FRESH_BYTES = 64e6;

export class FreshMemory implements Disposable {
  readonly address: Pointer;
  readonly sizeBytes: number;
  readonly #release: () => void;

  private constructor(address: Pointer, sizeBytes: number, release: () => void) {
    this.address = address;
    this.sizeBytes = sizeBytes;
    this.#release = release;
  }

  /** @returns `undefined` where the system has no such memory, or not so much */
  static open({ posix }: GgmlLibrary, sizeBytes: number): FreshMemory | undefined {
    if (posix === undefined) return undefined;
    const flags = MAP_PRIVATE | MAP_ANONYMOUS;
    const address = posix.mmap(null, sizeBytes, PROT_READ_WRITE, flags, -1, 0);
    if (address === null || BigInt(address) === 0xffff_ffff_ffff_ffffn) return undefined;
    // Where it is refused, small pages do.
    if (process.platform === "linux") posix.madvise(address, sizeBytes, MADV_HUGEPAGE);
    return new FreshMemory(BigInt(address), sizeBytes, () => posix.munmap(address, sizeBytes));
  }

  [Symbol.dispose](): void {
    this.#release();
  }
}
