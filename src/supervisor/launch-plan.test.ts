import { describe, expect, test } from "vitest";
import { builtinRegistry } from "../../test/support/serve.ts";
import type { HostMemory } from "../devices/host-memory.ts";
import { crossBytesPerTile, kvBytesPerToken } from "../engines/memory.ts";
import { type ModelShape, shapeOfConfig } from "../engines/model-shape.ts";
import { cardsThatHold, planOnCards, vllmPictureBytes, vllmTokenBytes } from "./card-plan.ts";
import { type MemoryWish, planMemory } from "./launch-plan.ts";

async function shapeOf(name: string, size: number, quantization = "none"): Promise<ModelShape> {
  const { family } = await builtinRegistry().find(name);
  return shapeOfConfig(family.specs.find((spec) => spec.size === size)?.config, quantization);
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
    const wish = { ...nothing, maxModelLen: 8_192, maxNumSeqs: 1 };
    const plan = planMemory(shape, { wish, host: host(64) });
    expect(plan.totalBytes).toBe(plan.parts.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(plan).toMatchObject({ verdict: "fits", nearest: undefined, numSequences: 1 });
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
    const long = { ...nothing, maxModelLen: 131_072 };
    expect(planMemory(shape, { wish: long, host: host(192), alternatives }).nearest).toMatch(
      /^--max-model-len \d+ --max-num-seqs 1$/,
    );
  });

  test("of a long context offers a shorter one and the largest quantization that holds all of it", async () => {
    const shape = await shapeOf("llama-3.2-vision-instruct", 11);
    const alternatives = await Promise.all(
      ["q8_0", "q4_0"].map(async (name) => ({
        name: `--quantization ${name}`,
        shape: await shapeOf("llama-3.2-vision-instruct", 11, name),
        isQuantization: true,
      })),
    );
    const wish = { ...nothing, maxModelLen: 131_072, maxNumSeqs: 1 };
    const offer = (gigabytes: number) =>
      planMemory(shape, { wish, host: host(gigabytes), alternatives }).nearest;
    expect(offer(36)).toMatch(/^--max-model-len \d+ --max-num-seqs 1, or --quantization q8_0$/);
    expect(offer(28)).toMatch(/^--max-model-len \d+ --max-num-seqs 1, or --quantization q4_0$/);
    expect(offer(24)).toMatch(/^--max-model-len \d+ --max-num-seqs 1$/);
    // Without room for the weights themselves, smaller weights with any context at all.
    expect(offer(16)).toBe("--quantization q8_0");
  });

  test("without a wish leaves the weights their room, and fits where anything does", async () => {
    const shape = await shapeOf("llama-3.2-vision-instruct", 11);
    for (const gigabytes of [24, 28, 32, 48, 64, 128, 512]) {
      const plan = planMemory(shape, { wish: nothing, host: host(gigabytes) });
      expect([gigabytes, plan.verdict]).toEqual([gigabytes, "fits"]);
      expect(plan.contextLength).toBeGreaterThan(2_048);
    }
    // Where the weights alone are too much, a little cache runs all the same.
    const small = planMemory(shape, { wish: nothing, host: host(16) });
    expect(small.verdict).toBe("from-disk");
    expect(small.contextLength).toBeGreaterThan(1_024);
  });

  test("refuses a context that the model does not have", async () => {
    const shape = await shapeOf("llama-3.2-vision", 11);
    const wish = { ...nothing, maxModelLen: 131_073 };
    expect(() => planMemory(shape, { wish, host: host(64) })).toThrow(
      "--max-model-len 131073 is more than the 131072 positions of this model. Leave it out or lower it.",
    );
  });
});

describe("a plan on graphics cards", () => {
  const cardOf = (gigabytes: number, usedGigabytes = 0.5) => ({
    name: `card of ${gigabytes} GB`,
    totalBytes: gigabytes * 1e9,
    freeBytes: (gigabytes - usedGigabytes) * 1e9,
  });
  const cards = (count: number, gigabytes: number) =>
    Array.from({ length: count }, () => cardOf(gigabytes));
  const none = { maxModelLen: undefined, maxNumSeqs: undefined };

  test("counts tokens and pictures in all layers", async () => {
    const shape = await shapeOf("llama-3.2-vision-instruct", 11);
    // 40 layers of 8 heads of 128, keys and values, 2 bytes.
    expect(vllmTokenBytes(shape)).toBe(40 * 2 * 8 * 128 * 2);
    expect(vllmPictureBytes(shape)).toBe(4 * 1_601 * vllmTokenBytes(shape));
  });

  test("takes the fewest that hold it, and says what each takes", async () => {
    const shape = await shapeOf("llama-3.2-vision", 90);
    const plan = planOnCards(shape, cards(8, 80), { ...none, maxModelLen: 8_192, maxNumSeqs: 16 });
    expect(plan).toMatchObject({
      numDevices: 4,
      verdict: "fits",
      device: "each of 4 × card of 80 GB",
    });
    expect(plan.totalBytes).toBe(plan.parts.reduce((all, { bytes }) => all + bytes, 0));
    expect(plan.parts[0]?.bytes).toBeCloseTo(shape.fileBytes / 4, 0);
    expect(planOnCards(shape, cards(2, 141), none)).toMatchObject({
      numDevices: 2,
      verdict: "fits",
    });
    expect(planOnCards(shape, cards(2, 80), none)).toMatchObject({ verdict: "too-large" });
  });

  test("that is asked for more cards than there are, or for too much, says what would fit", async () => {
    const shape = await shapeOf("llama-3.2-vision-instruct", 11);
    const parallel = { ...none, tensorParallel: 2 };
    expect(planOnCards(shape, cards(1, 80), parallel).verdict).toBe("too-large");
    const long = { ...none, maxModelLen: 131_072, maxNumSeqs: 1 };
    const plan = planOnCards(shape, cards(1, 40), long);
    expect(plan.nearest).toBe(`--max-model-len ${plan.largestContext}`);
    const shorter = { ...long, maxModelLen: plan.largestContext };
    expect(planOnCards(shape, cards(1, 40), shorter).verdict).toBe("fits");
    expect(planOnCards(shape, cards(1, 24), none).nearest).toBe(
      "--quantization fp8 or bitsandbytes, or cards of 2 × 24 GB or 1 × 48 GB",
    );
    expect(planOnCards(shape, cards(1, 24), { ...none, quantization: "fp8" }).verdict).toBe("fits");
  });

  test("on a card that is in use counts what is free", async () => {
    const shape = await shapeOf("llama-3.2-vision-instruct", 11);
    expect(planOnCards(shape, [cardOf(80, 60)], none).verdict).toBe("too-large");
  });
});
