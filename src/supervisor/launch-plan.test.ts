import { describe, expect, test } from "vitest";
import { builtinRegistry } from "../../test/support/serve.ts";
import { crossBytesPerTile, kvBytesPerToken } from "../engines/memory.ts";
import { type ModelShape, shapeOfConfig } from "../engines/model-shape.ts";
import {
  cardsThatHold,
  type HostMemory,
  type MemoryWish,
  planMemory,
  vllmPictureBytes,
} from "./launch-plan.ts";

async function shapeOf(name: string, size: number): Promise<ModelShape> {
  const { family } = await builtinRegistry().find(name);
  return shapeOfConfig(family.specs.find((spec) => spec.size === size)?.config);
}

const nothing: MemoryWish = {
  maxModelLen: undefined,
  maxNumSeqs: undefined,
  kvCacheDtype: undefined,
};
const host = (gigabytes: number): HostMemory => ({
  totalBytes: gigabytes * 1e9,
  availableBytes: gigabytes * 1e9,
});
const partOf = (plan: ReturnType<typeof planMemory>, what: string): number =>
  plan.parts.find((part) => part.what === what)?.bytes ?? 0;

test("replicas share the weights that are read where they lie, and nothing else", async () => {
  const shape = await shapeOf("llama-3.2-vision-instruct", 11);
  const wish = { ...nothing, maxModelLen: 8_192, maxNumSeqs: 1 };
  const one = planMemory(shape, { wish, host: host(512) });
  const three = planMemory(shape, { wish: { ...wish, replicas: 3 }, host: host(512) });
  const shared = partOf(one, "weights, read where they lie");
  expect(three.totalBytes - shared).toBe(3 * (one.totalBytes - shared));
  const small = { wish: { ...wish, replicas: 8 }, host: host(28) };
  expect(planMemory(shape, { ...small, wish }).verdict).toBe("fits");
  expect(planMemory(shape, small).verdict).not.toBe("fits");
  expect(planMemory(shape, small).largestContext).toBeLessThan(8_192);
});

describe("what is known of the models", () => {
  // mllama.md §1.4: made by instantiating the configurations of the reference.
  test.each([
    { name: "llama-3.2-vision", size: 11, numParameters: 10_642_941_475 },
    { name: "llama-3.2-vision-instruct", size: 11, numParameters: 10_670_220_835 },
    { name: "llama-3.2-vision", size: 90, numParameters: 88_593_355_323 },
    { name: "llama-3.2-vision-instruct", size: 90, numParameters: 88_593_355_323 },
    { name: "llama-guard-3-11b-vision", size: 11, numParameters: 10_670_220_835 },
  ])(
    "$name at $size billion has $numParameters parameters",
    async ({ name, size, numParameters }) => {
      const shape = await shapeOf(name, size);
      expect(shape.numParameters).toBe(numParameters);
      expect(shape.fileBytes).toBe(numParameters * 2);
    },
  );

  test.each([
    { size: 11, perToken: 131_072, full: 17.2, picture: 209.8 },
    { size: 90, perToken: 327_680, full: 42.9, picture: 524.6 },
  ])(
    "131,072 tokens of the $size billion cost $full GB, a picture $picture MB",
    async ({ size, perToken, full, picture }) => {
      const shape = await shapeOf("llama-3.2-vision-instruct", size);
      expect(kvBytesPerToken(shape, "f16")).toBe(perToken);
      const plan = planMemory(shape, {
        wish: { ...nothing, maxModelLen: 131_072, maxNumSeqs: 1 },
        host: host(512),
      });
      expect(plan).toMatchObject({ contextLength: 131_072, numSequences: 1, verdict: "fits" });
      expect(partOf(plan, "KV cache") / 1e9).toBeCloseTo(full, 1);
      expect(plan.crossBytesPerPicture / 1e6).toBeCloseTo(picture, 1);
    },
  );

  test("vLLM 0.10.2 reserves five times what a picture needs", async () => {
    const shape = await shapeOf("llama-3.2-vision-instruct", 11);
    expect(vllmPictureBytes(shape) / (4 * crossBytesPerTile(shape, "f16"))).toBe(5);
    expect(vllmPictureBytes(shape) / 1e9).toBeCloseTo(1.05, 2);
    const large = await shapeOf("llama-3.2-vision-instruct", 90);
    expect(vllmPictureBytes(large) / 1e9).toBeCloseTo(2.62, 2);
  });

  test("90B in bf16 needs two cards of 141 GB or four of 80; 11B does not fit one of 24", async () => {
    const layouts = (shape: ModelShape): string[] =>
      cardsThatHold(shape).map(({ numCards, cardBytes }) => `${numCards}x${cardBytes / 1e9}`);
    expect(layouts(await shapeOf("llama-3.2-vision", 90))).toEqual(["8x48", "4x80", "2x141"]);
    expect(layouts(await shapeOf("llama-3.2-vision-instruct", 11))).toEqual(["2x24", "1x48"]);
  });
});

describe("a plan", () => {
  test("sums up its parts, and fits when they do", async () => {
    const shape = await shapeOf("llama-3.2-vision-instruct", 11);
    const wish = { ...nothing, maxModelLen: 8_192, maxNumSeqs: 2 };
    const plan = planMemory(shape, { wish, host: host(64) });
    expect(plan.totalBytes).toBe(plan.parts.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(plan).toMatchObject({ verdict: "fits", nearest: undefined, numSequences: 2 });
    expect(planMemory(shape, { wish, host: host(plan.totalBytes / 1e9) }).verdict).toBe("fits");
    expect(planMemory(shape, { wish, host: host(plan.totalBytes / 1e9 - 0.001) }).verdict).toBe(
      "from-disk",
    );
    expect(planMemory(shape, { wish, host: host(1) }).verdict).toBe("too-large");
  });

  test("names the largest context that fits, and that one fits", async () => {
    const shape = await shapeOf("llama-3.2-vision-instruct", 11);
    const wish = { ...nothing, maxModelLen: 131_072 };
    const plan = planMemory(shape, { wish, host: host(30) });
    expect(plan.verdict).toBe("from-disk");
    expect(plan.nearest).toBe(`--max-model-len ${plan.largestContext} --max-num-seqs 1`);
    const fitted = { ...nothing, maxModelLen: plan.largestContext, maxNumSeqs: 1 };
    expect(planMemory(shape, { wish: fitted, host: host(30) }).verdict).toBe("fits");
    const longer = { ...fitted, maxModelLen: plan.largestContext + 64 };
    expect(planMemory(shape, { wish: longer, host: host(30) }).verdict).not.toBe("fits");
  });

  test("of the 90B offers the 11B where that fits, and nothing where nothing does", async () => {
    const shape = await shapeOf("llama-3.2-vision", 90);
    const small = await shapeOf("llama-3.2-vision", 11);
    const alternatives = [{ name: "llama-3.2-vision:11b", shape: small }];
    const offer = (gigabytes: number) =>
      planMemory(shape, { wish: nothing, host: host(gigabytes), alternatives }).nearest;
    expect(offer(32)).toBe("llama-3.2-vision:11b");
    expect(offer(16)).toBeUndefined();
    expect(offer(192)).toMatch(/^--max-model-len \d+ --max-num-seqs 1$/);
  });

  test("refuses a context that the model does not have", async () => {
    const shape = await shapeOf("llama-3.2-vision", 11);
    const wish = { ...nothing, maxModelLen: 131_073 };
    expect(() => planMemory(shape, { wish, host: host(64) })).toThrow(
      "--max-model-len 131073 is more than the 131072 positions of this model. Leave it out or lower it.",
    );
  });
});
