import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
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

describe("contents that are kept", () => {
  /** `count` blocks of a sequence of its own, published as `name`0, `name`1 … */
  function publish(pool: BlockPool, name: string, count: number): BlockId[] {
    const blocks: BlockId[] = [];
    for (let index = 0; index < count; index++) {
      const block = pool.allocate(blocks.at(-1));
      if (block === undefined) throw new Error("no block");
      blocks.push(block);
      pool.publish(block, `${name}${index}`);
    }
    return blocks;
  }

  test("are found by their beginning, in use or not, and count as free when nobody has them", () => {
    const pool = new BlockPool(8);
    const blocks = publish(pool, "a", 3);
    expect(pool.match(["a0", "a1", "b2"])).toEqual(blocks.slice(0, 2));
    expect(pool.match(["a1"])).toEqual([blocks[1]]);
    pool.free(blocks);
    expect(pool.numFree).toBe(8);
    expect(pool.match(["a0", "a1", "a2"])).toEqual(blocks);
    pool.share(blocks.slice(0, 2));
    pool.share(blocks.slice(0, 2));
    expect(pool.numFree).toBe(6);
    pool.free(blocks.slice(0, 2));
    expect(pool.numFree).toBe(6);
    pool.free(blocks.slice(0, 2));
    expect(pool.numFree).toBe(8);
  });

  test("go when there is no room, least recently used first", () => {
    const pool = new BlockPool(8);
    const [a, b] = [publish(pool, "a", 4), publish(pool, "b", 4)];
    pool.free(a);
    pool.free(b);
    pool.share(pool.match(["a0", "a1", "a2", "a3"]));
    pool.free(a);
    const block = pool.allocate(undefined);
    expect(pool.match(["a0", "a1", "a2", "a3"])).toEqual(a);
    expect(pool.match(["b0"])).toEqual([]);
    expect(b).toContain(block);
  });

  test("are never in a block that is handed out anew, and no block is lost", () => {
    const action = fc.record({
      kind: fc.constantFrom("grow", "publish", "free", "share"),
      owner: fc.nat(3),
      name: fc.nat(3),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(action, { maxLength: 120 }),
        (size, actions) => {
          const pool = new BlockPool(size);
          const owned = new Map<number, BlockId[]>();
          /** What a real cache would hold. */
          const contents = new Map<BlockId, string>();
          for (const { kind, owner, name } of actions) {
            const blocks = owned.get(owner) ?? [];
            if (kind === "grow") {
              const block = pool.allocate(blocks.at(-1));
              if (block === undefined) continue;
              expect([...owned.values()].flat()).not.toContain(block);
              contents.set(block, "new");
              owned.set(owner, [...blocks, block]);
            } else if (kind === "publish") {
              blocks.forEach((block, index) => {
                if (contents.get(block) !== "new") return;
                contents.set(block, `${name}/${index}`);
                pool.publish(block, `${name}/${index}`);
              });
            } else if (kind === "share") {
              pool.free(blocks);
              const keys = Array.from({ length: size }, (_, index) => `${name}/${index}`);
              const found = pool.match(keys);
              pool.share(found);
              expect(found.map((block) => contents.get(block))).toEqual(
                keys.slice(0, found.length),
              );
              owned.set(owner, found);
            } else {
              pool.free(blocks);
              owned.set(owner, []);
            }
            const used = new Set([...owned.values()].flat());
            expect(pool.numFree).toBe(size - used.size);
          }
          for (const blocks of owned.values()) pool.free(blocks);
          expect(pool.numFree).toBe(size);
        },
      ),
    );
  });
});
