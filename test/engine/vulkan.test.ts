/** A model divided between the processor and a Vulkan device, and what can go wrong with a device. */
import { afterAll, describe, expect, test, vi } from "vitest";
import { Backend } from "../../src/ggml/backend.ts";
import { goldenCheckpoint, manifest } from "../support/golden.ts";
import {
  ask,
  goldenPrompt,
  greedily,
  promptOf,
  startNativeEngine,
} from "../support/native-engine.ts";
import { lackOfVulkan } from "../support/vulkan.ts";

// lavapipe compiles each shader when it is first used, some for seconds.
vi.setConfig({ testTimeout: 300_000 });

const lacks = lackOfVulkan();
const title = lacks === undefined ? "on Vulkan" : `on Vulkan (skipped: there is no ${lacks})`;
const tiny = goldenCheckpoint("tiny-a");
const divided = { device: "vulkan0", gpu_layers: 3 };

describe.skipIf(lacks !== undefined)(title, () => {
  test.each(["ref", "hf"] as const)(
    "three of six layers: texts and pictures together, the reference's tokens, %s",
    async (profile) => {
      await using engine = await startNativeEngine(tiny, { profile, engineOptions: divided });
      expect(engine.model.placement).toMatchObject([
        { device: "vulkan0", numLayers: 3, hasHead: true, hasTower: true },
        { device: "cpu", numLayers: 3, hasHead: false, hasTower: false },
      ]);
      const cases = manifest.cases.filter(({ model }) => model === "tiny-a").slice(0, 4);
      const answers = await Promise.all(
        cases.map(async (golden) => {
          const { generatedIds } = golden.profiles[profile];
          return await ask(engine, goldenPrompt(golden), greedily(generatedIds.length));
        }),
      );
      expect(answers.map(({ tokenIds }) => tokenIds)).toEqual(
        cases.map((golden) => golden.profiles[profile].generatedIds),
      );
    },
  );

  test("a beginning that was seen before is found in the device's cache, with the same numbers", async () => {
    await using engine = await startNativeEngine(tiny, { engineOptions: divided });
    const prompt = promptOf(
      Array.from({ length: 150 }, (_, index) => 1 + (index % 200)),
      [],
    );
    const first = await ask(engine, prompt, greedily(8));
    const second = await ask(engine, prompt, greedily(8));
    expect(second.events[0]).toEqual({ type: "reused", numTokens: 128 });
    expect(second.tokenIds).toEqual(first.tokenIds);
  });

  test("a device that is not there is refused with those that are", async () => {
    const engineOptions = { device: "cuda5" };
    await expect(startNativeEngine(tiny, { engineOptions })).rejects.toMatchObject({
      code: "engine_unavailable",
      message: expect.stringMatching(/There is no device cuda5; there are cpu, vulkan0/),
    });
  });

  test("what lies on a card is computed there, not by the processor's own operators", async () => {
    using backend = Backend.open({ devices: ["vulkan0"], numThreads: 1 });
    const size = 1_024;
    const specs = new Map([["weight", { dtype: "bf16", shape: [size, size] }]] as const);
    using set = backend.allocate(specs, { device: "vulkan0", isForWeights: true });
    const weight = set.get("weight");
    const one = 0x3f80;
    set.write(weight, new Uint16Array(size * size).fill(one));
    using graph = backend.newGraph({ kind: "products", maxNodes: 64, isPausable: true });
    expect(graph.hasPackedAttention(80)).toBe(false);
    const rows = graph.input("f32", [size, size], new Float32Array(size * size).fill(1 / size));
    const scaled = graph.scale(graph.matmul(weight, rows), 1 / size);
    let numParts = 0;
    const [result] = await graph.compute([graph.matmul(weight, scaled)], {
      pause: () => {
        numParts++;
        return Promise.resolve();
      },
    });
    // Only what one device computes alone is computed in parts.
    expect(numParts).toBeGreaterThan(1);
    expect(result?.every((value) => Math.abs(value - 1) < 0.01)).toBe(true);
  });

  describe("memory", () => {
    const backend = lacks === undefined ? Backend.open({ devices: ["vulkan0"] }) : undefined;
    afterAll(() => backend?.[Symbol.dispose]());

    test("that a device refuses is a sentence with its name, and the next is given", () => {
      const vast = new Map([["cells", { dtype: "f32", shape: [1_048_576, 1_048_576] }]] as const);
      expect(() => backend?.allocate(vast, { device: "vulkan0" })).toThrow(
        expect.objectContaining({
          code: "out_of_memory",
          message: expect.stringMatching(/^\d+ MB could not be allocated on vulkan0\. /),
        }),
      );
      const small = new Map([["cells", { dtype: "f32", shape: [4, 4] }]] as const);
      using set = backend?.allocate(small, { device: "vulkan0" });
      expect(set?.device).toBe("vulkan0");
    });
  });
});
