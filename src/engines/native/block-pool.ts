/**
 * The KV cache's blocks: who has which, and what is still in those that nobody has. Pure bookkeeping; the
 * tensors are the runner's.
 *
 * A full block may be published under a key that says all that its cells depend on (see `block-keys.ts`).
 * Sequences whose prompts begin alike share it, and it keeps its contents after its last user has gone,
 * until room is needed.
 *
 * A sequence's next block is the one right after its last when that is free, so that attention can
 * read most sequences in one piece instead of gathering them. For the same reason contents are forgotten
 * by the group that was freed together, least recently used first.
 */
import { type BlockId, blockId } from "../../base/ids.ts";

/** Of a group that is larger than this, the later half is forgotten first: its beginning is likelier to come again. */
const SMALL_GROUP = 64;

export class BlockPool {
  readonly numBlocks: number;
  /** How many sequences have each block. */
  readonly #numUsers: Int32Array;
  /** What each block's contents are known by. */
  readonly #keys: (string | undefined)[];
  readonly #published = new Map<string, BlockId>();
  /** Groups of published blocks without users, least recently used first; a group's blocks in their order. */
  readonly #unused = new Set<Set<BlockId>>();
  readonly #groupOf = new Map<BlockId, Set<BlockId>>();
  #numUsed = 0;

  constructor(numBlocks: number) {
    this.numBlocks = numBlocks;
    this.#numUsers = new Int32Array(numBlocks);
    this.#keys = Array.from({ length: numBlocks }, () => undefined);
  }

  /** Blocks without users, those whose contents are kept included. */
  get numFree(): number {
    return this.numBlocks - this.#numUsed;
  }

  /** Blocks without users whose contents are kept. */
  get numKept(): number {
    return this.#groupOf.size;
  }

  /** A free block, after `last` if possible; `undefined` when all are taken. */
  allocate(last: BlockId | undefined): BlockId | undefined {
    if (this.numFree === 0) return undefined;
    if (this.numFree === this.numKept) this.#forgetOldest();
    const next = last === undefined ? -1 : last + 1;
    const block = blockId(this.#isEmpty(next) ? next : this.#startOfLongestRun());
    this.#numUsers[block] = 1;
    this.#numUsed++;
    return block;
  }

  /** The blocks published under the longest beginning of `keys`; nothing is taken. */
  match(keys: readonly string[]): BlockId[] {
    const blocks: BlockId[] = [];
    for (const key of keys) {
      const block = this.#published.get(key);
      if (block === undefined) break;
      blocks.push(block);
    }
    return blocks;
  }

  /** How many of `blocks` nobody has. */
  countUnused(blocks: readonly BlockId[]): number {
    return blocks.filter((block) => this.#numUsers[block] === 0).length;
  }

  /** Take blocks that `match` found. */
  share(blocks: readonly BlockId[]): void {
    for (const block of blocks) {
      if (this.#keys[block] === undefined)
        throw new Error(`block ${block} has no contents to share`);
      if (this.#numUsers[block] === 0) {
        this.#leaveGroup(block);
        this.#numUsed++;
      }
      this.#numUsers[block] = (this.#numUsers[block] ?? 0) + 1;
    }
  }

  /** Let a full block be found under `key`, unless another is already. */
  publish(block: BlockId, key: string): void {
    if (this.#published.has(key) || this.#keys[block] !== undefined) return;
    this.#published.set(key, block);
    this.#keys[block] = key;
  }

  free(blocks: readonly BlockId[]): void {
    const group = new Set<BlockId>();
    for (const block of blocks) {
      const users = this.#numUsers[block] ?? 0;
      if (users === 0) throw new Error(`block ${block} is freed twice`);
      this.#numUsers[block] = users - 1;
      if (users > 1) continue;
      this.#numUsed--;
      if (this.#keys[block] === undefined) continue;
      group.add(block);
      this.#groupOf.set(block, group);
    }
    if (group.size > 0) this.#unused.add(group);
  }

  #isEmpty(index: number): boolean {
    return this.#numUsers[index] === 0 && this.#keys[index] === undefined;
  }

  #leaveGroup(block: BlockId): void {
    const group = this.#groupOf.get(block);
    group?.delete(block);
    this.#groupOf.delete(block);
    if (group?.size === 0) this.#unused.delete(group);
  }

  #forgetOldest(): void {
    const [group] = this.#unused;
    if (group === undefined) return;
    const blocks = [...group];
    const start = blocks.length > SMALL_GROUP ? Math.floor(blocks.length / 2) : 0;
    for (const block of blocks.slice(start)) {
      this.#leaveGroup(block);
      const key = this.#keys[block];
      if (key !== undefined) this.#published.delete(key);
      this.#keys[block] = undefined;
    }
  }

  /** Where a sequence can grow for longest. The middle, when the run before it is somebody's to grow into. */
  #startOfLongestRun(): number {
    let best = { start: 0, length: 0 };
    for (let start = 0; start < this.numBlocks; start++) {
      if (!this.#isEmpty(start)) continue;
      let end = start;
      while (this.#isEmpty(end)) end++;
      if (end - start > best.length) best = { start, length: end - start };
      start = end;
    }
    const growsFromBefore = best.start > 0;
    return growsFromBefore ? best.start + Math.floor(best.length / 2) : best.start;
  }
}
