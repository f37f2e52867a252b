import { describe, expect, test } from "vitest";
import { builtinRegistry } from "../../test/support/serve.ts";
import { type MemoryQuestion, reckonMemory } from "./reckon-memory.ts";

const question: MemoryQuestion = {
  name: "llama-3.2-vision",
  size: "11",
  format: "pytorch",
  quantization: undefined,
  contextLength: 8_192,
  kvBits: 16,
};
const reckon = async (change: Partial<MemoryQuestion>) =>
  await reckonMemory({ ...question, ...change }, builtinRegistry());

describe("the memory of a model", () => {
  test.each([
    { change: {}, weights: 21.29, kv: 1.07 },
    { change: { contextLength: 131_072 }, weights: 21.29, kv: 17.18 },
    { change: { kvBits: 32 }, weights: 21.29, kv: 2.15 },
    { change: { kvBits: 8, quantization: "none" }, weights: 21.29, kv: 0.54 },
    { change: { size: "90" }, weights: 177.19, kv: 2.68 },
    { change: { name: "llama-3.2-vision:90b", size: undefined }, weights: 177.19, kv: 2.68 },
    { change: { quantization: "q8_0" }, weights: 11.31, kv: 1.07 },
  ])(
    "with $change is $weights GB of weights and $kv GB of cache",
    async ({ change, weights, kv }) => {
      const reckoned = await reckon(change);
      expect((reckoned?.weightBytes ?? 0) / 1e9).toBeCloseTo(weights, 2);
      expect((reckoned?.kvBytes ?? 0) / 1e9).toBeCloseTo(kv, 2);
      // Xinference's own formula makes 1.4 TB of the second line.
      expect(reckoned?.activeBytes).toBeLessThan(2e9);
    },
  );

  test.each([
    { change: { size: "70" }, says: /its sizes are 11, 90\. The nearest is 90\./ },
    { change: { format: "gguf" }, says: /its formats are pytorch/ },
    { change: { quantization: "q4_m" }, says: /Did you mean q4_k\?/ },
    { change: { contextLength: 131_073 }, says: /more than the 131072 positions/ },
    { change: { name: "lama-3.2-vision" }, says: /Did you mean llama-3\.2-vision\?/ },
  ])("with $change is refused", async ({ change, says }) => {
    await expect(reckon(change)).rejects.toThrow(says);
  });
});
