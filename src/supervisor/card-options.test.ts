import { expect, test } from "vitest";
import { builtinRegistry } from "../../test/support/serve.ts";
import { findEngine } from "../engines/catalog.ts";
import { shapeOfConfig } from "../engines/model-shape.ts";
import { withPlannedCards } from "./card-options.ts";
import { planOnCards } from "./card-plan.ts";

const card = (gigabytes: number) => ({
  name: "card",
  totalBytes: gigabytes * 1e9,
  freeBytes: gigabytes * 0.98e9,
});
const open = { maxModelLen: undefined, engineOptions: { enforce_eager: true } };
const vllm = { ...(await findEngine("native")), kind: "vllm" as const };

async function planOf(size: number, cards: readonly ReturnType<typeof card>[]) {
  const { family } = await builtinRegistry().find("llama-3.2-vision");
  const shape = shapeOfConfig(family.specs.find((spec) => spec.size === size)?.config);
  return planOnCards(shape, cards, { maxModelLen: undefined, maxNumSeqs: 16 });
}

test.each([
  { size: 90, cards: Array.from({ length: 8 }, () => card(80)), tensorParallel: 4 },
  { size: 90, cards: [card(141), card(141)], tensorParallel: 2 },
  { size: 90, cards: Array.from({ length: 8 }, () => card(48)), tensorParallel: 8 },
  { size: 11, cards: [card(80), card(80)], tensorParallel: 1 },
])("$size B on $cards.length cards is split $tensorParallel ways", async (row) => {
  const memory = await planOf(row.size, row.cards);
  expect(memory.verdict).toBe("fits");
  const { maxModelLen, engineOptions } = withPlannedCards({ engine: vllm, memory }, open);
  expect(engineOptions).toEqual({
    enforce_eager: true,
    tensor_parallel_size: row.tensorParallel,
  });
  expect(maxModelLen).toBe(memory.contextLength);
});

test("what the launch says stays, and other engines hear nothing of it", async () => {
  const memory = await planOf(11, [card(80), card(80)]);
  const said = { maxModelLen: 4_096, engineOptions: { tensor_parallel_size: 2 } };
  expect(withPlannedCards({ engine: vllm, memory }, said)).toEqual(said);
  const native = await findEngine("native");
  expect(withPlannedCards({ engine: native, memory }, open)).toBe(open);
  expect(withPlannedCards({ engine: vllm, memory: undefined }, open)).toBe(open);
});
