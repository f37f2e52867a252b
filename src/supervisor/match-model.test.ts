import { describe, expect, onTestFinished, test, vi } from "vitest";
import { builtinRegistry } from "../../test/support/serve.ts";
import { toEnginesReply } from "../server/routes/xinference/engines.ts";
import { matchModel } from "./match-model.ts";

const registry = builtinRegistry();

describe("the engines of a model", () => {
  test("are listed for each of its sizes", async () => {
    const rows = await matchModel(registry, { name: "llama-3.2-vision" });
    expect(rows.map(({ size, engine }) => `${size} ${engine.title}`)).toEqual([
      "11 native",
      "11 Transformers",
      "11 vLLM",
      "90 native",
      "90 Transformers",
      "90 vLLM",
    ]);
  });

  test.each([
    { wish: { name: "llama-3.2-vision:90b", engine: "Native" }, found: ["90 native"] },
    { wish: { name: "llama-3.2-vision", size: "11", engine: "vllm" }, found: ["11 vLLM"] },
    {
      wish: { name: "meta-llama/Meta-Llama-3.2-90B-Vision", engine: "native" },
      found: ["90 native"],
    },
    { wish: { name: "llama-guard-3-11b-vision", engine: "native" }, found: ["11 native"] },
  ])("are those of $wish", async ({ wish, found }) => {
    const rows = await matchModel(registry, wish);
    expect(rows.map(({ size, engine }) => `${size} ${engine.title}`)).toEqual(found);
  });

  test("do not run in a quantization that they cannot make", async () => {
    const wish = { name: "llama-guard-3-11b-vision", engine: "native", quantization: "fp8" };
    const [row] = await matchModel(registry, wish);
    expect(row?.engine.obstacle).toEqual({
      reason: 'The engine native does not make "fp8" of it.',
      remedy: "Choose one of: none, q8_0, q6_k, q5_k, q4_k, q4_0.",
    });
    const [fine] = await matchModel(registry, { ...wish, quantization: "None" });
    expect(fine?.engine).toMatchObject({ quantizations: ["none"], obstacle: undefined });
  });

  test.each([
    { wish: { name: "lama-3.2-vision" }, says: /Did you mean llama-3\.2-vision\?/ },
    { wish: { name: "llama-3.2-vision", engine: "natve" }, says: /Did you mean native\?/ },
    {
      wish: { name: "llama-3.2-vision", size: 12 },
      says: /its sizes are 11, 90\. The nearest is 11/,
    },
    { wish: { name: "llama-3.2-vision", format: "awq" }, says: /its formats are pytorch/ },
  ])("are not there for $wish", async ({ wish, says }) => {
    await expect(matchModel(registry, wish)).rejects.toThrow(says);
  });

  test("are in Xinference's words a list, or why there is none", async () => {
    vi.stubEnv("ATALAYA_HOME", "/nowhere");
    vi.stubEnv("ATALAYA_TRANSFORMERS_PYTHON", "");
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const offer = {
      model_name: "llama-3.2-vision",
      model_format: "pytorch",
      quantizations: ["none", "q8_0", "q6_k", "q5_k", "q4_k", "q4_0"],
      support_draft_model: false,
    };
    expect(toEnginesReply(await matchModel(registry, { name: "llama-3.2-vision" }))).toEqual({
      native: [
        { ...offer, model_size_in_billions: 11 },
        { ...offer, model_size_in_billions: 90 },
      ],
      // Without an environment, or without a Python to make one from.
      Transformers: expect.stringMatching(
        /^The environment of Transformers is not installed.* launch with --model-engine transformers|^The engine Transformers needs Python/,
      ),
      vLLM: expect.stringMatching(/^The engine vLLM .* Launch with/),
    });
  });
});
