import { afterEach, describe, expect, test, vi } from "vitest";
import { enginesOfFormat, findEngine, matchEngines } from "./catalog.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("an engine", () => {
  test("is found in any case, and the best one when none is named", async () => {
    expect((await findEngine("Native")).kind).toBe("native");
    expect((await findEngine(undefined)).kind).toBe("native");
  });

  test.each([
    { name: "vLLM", says: /The engine vLLM .*(graphics card|Linux).* --model-engine native/ },
    {
      name: "vlm",
      says: /no engine "vlm"; there are native, transformers, vllm\. Did you mean vllm\?/,
    },
    { name: "a\u001b[0m", says: /no engine of that name; there are native/ },
  ])("that is $name is refused with what would help", async ({ name, says }) => {
    vi.stubEnv("CUDA_VISIBLE_DEVICES", "");
    await expect(findEngine(name)).rejects.toThrow(
      expect.objectContaining({ code: "engine_unavailable", message: expect.stringMatching(says) }),
    );
  });

  test("runs here, or says why not and what would help", async () => {
    vi.stubEnv("ATALAYA_HOME", "/nowhere");
    vi.stubEnv("ATALAYA_TRANSFORMERS_PYTHON", "");
    vi.stubEnv("CUDA_VISIBLE_DEVICES", "");
    const matches = await matchEngines("pytorch");
    expect(matches.map(({ title, obstacle }) => [title, obstacle === undefined])).toEqual([
      ["native", true],
      ["Transformers", false],
      ["vLLM", false],
    ]);
    for (const { obstacle } of matches) {
      if (obstacle === undefined) continue;
      expect(obstacle.reason).toMatch(/\.$/);
      expect(obstacle.remedy).toMatch(/\.$/);
    }
    const [gguf] = await matchEngines("ggufv2");
    expect(gguf).toMatchObject({ obstacle: undefined, quantizations: ["none"] });
    const [native] = await matchEngines("awq");
    expect(native?.obstacle).toEqual({
      reason: "The engine native does not read the format awq.",
      remedy: "Take the model in one that it reads: pytorch, ggufv2.",
    });
  });

  test("stands on a card only when this version has it", () => {
    expect(enginesOfFormat("pytorch")).toEqual([
      { title: "native", quantizations: ["none", "q8_0", "q6_k", "q5_k", "q4_k", "q4_0"] },
      { title: "Transformers", quantizations: ["none", "4-bit", "8-bit"] },
      { title: "vLLM", quantizations: ["none", "fp8", "bitsandbytes"] },
    ]);
    expect(enginesOfFormat("ggufv2")).toEqual([{ title: "native", quantizations: ["none"] }]);
    expect(enginesOfFormat("awq")).toEqual([]);
  });
});
