/**
 * The KV cache's blocks: who has which. Pure bookkeeping; the tensors are the runner's.
 *
 * A sequence's next block is the one right after its last when that is free, so that attention can
 * read most sequences in one piece instead of gathering them.
 */
import { type BlockId, blockId } from "../../base/ids.ts";

export class BlockPool {
  readonly numBlocks: number;
  readonly #isFree: boolean[];
  #numFree: number;

  constructor(numBlocks: number) {
    this.numBlocks = numBlocks;
    this.#isFree = Array.from({ length: numBlocks }, () => true);
    this.#numFree = numBlocks;
  }

  get numFree(): number {
    return this.#numFree;
  }

  /** A free block, after `last` if possible; `undefined` when all are taken. */
  allocate(last: BlockId | undefined): BlockId | undefined {
    if (this.#numFree === 0) return undefined;
    const next = last === undefined ? -1 : last + 1;
    const index = this.#isFree[next] === true ? next : this.#startOfLongestRun();
    this.#isFree[index] = false;
    this.#numFree--;
    return blockId(index);
  }

  free(blocks: readonly BlockId[]): void {
    for (const block of blocks) {
      if (this.#isFree[block] !== false) throw new Error(`block ${block} is freed twice`);
      this.#isFree[block] = true;
      this.#numFree++;
    }
  }

  /** Where a sequence can grow for longest. The middle, when the run before it is somebody's to grow into. */
  #startOfLongestRun(): number {
    let best = { start: 0, length: 0 };
    for (let start = 0; start < this.numBlocks; start++) {
      if (!this.#isFree[start]) continue;
      let end = start;
      while (this.#isFree[end] === true) end++;
      if (end - start > best.length) best = { start, length: end - start };
      start = end;
    }
    const growsFromBefore = best.start > 0;
    return growsFromBefore ? best.start + Math.floor(best.length / 2) : best.start;
  }
}
