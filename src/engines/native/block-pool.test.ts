import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { BlockId } from "../../base/ids.ts";
import { BlockPool } from "./block-pool.ts";

test("blocks in use plus blocks free is always all of them, and no block has two owners", () => {
  const steps = fc.array(fc.record({ owner: fc.nat(4), isFree: fc.boolean() }), { maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), steps, (numBlocks, actions) => {
      const pool = new BlockPool(numBlocks);
      const owned = new Map<number, BlockId[]>();
      for (const { owner, isFree } of actions) {
        const blocks = owned.get(owner) ?? [];
        if (isFree) {
          pool.free(blocks);
          owned.set(owner, []);
        } else {
          const block = pool.allocate(blocks.at(-1));
          if (block === undefined) expect(pool.numFree).toBe(0);
          else owned.set(owner, [...blocks, block]);
        }
        const all = [...owned.values()].flat();
        expect(new Set(all).size).toBe(all.length);
        expect(all.length + pool.numFree).toBe(numBlocks);
        expect(all.every((block) => block >= 0 && block < numBlocks)).toBe(true);
      }
    }),
  );
});

test("a sequence that grows alone gets blocks that follow each other", () => {
  const pool = new BlockPool(8);
  const blocks: BlockId[] = [];
  for (let i = 0; i < 8; i++) {
    const block = pool.allocate(blocks.at(-1));
    if (block !== undefined) blocks.push(block);
  }
  expect(blocks).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(pool.allocate(blocks.at(-1))).toBeUndefined();
});

test("freeing twice is a bug and says so", () => {
  const pool = new BlockPool(2);
  const block = pool.allocate(undefined);
  if (block === undefined) throw new Error("no block");
  pool.free([block]);
  expect(() => pool.free([block])).toThrow(/twice/);
});
