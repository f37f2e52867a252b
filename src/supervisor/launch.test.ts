import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../test/support/checkpoint-files.ts";
import { builtinRegistry, noGguf, tinyCheckpoint } from "../../test/support/serve.ts";
import { builtinModels } from "../config/package.ts";
import { findEngine } from "../engines/catalog.ts";
import { Registry } from "../registry/registry.ts";
import { checkPlan, type LaunchWish, planLaunch } from "./launch.ts";
import { registerDirectory, registerFile } from "./registration.ts";

const parts = {
  demoDirectory: tinyCheckpoint,
  gguf: noGguf,
  registry: builtinRegistry(),
  locateFiles: async () => undefined,
  findEngine,
};

function wish(change: Partial<LaunchWish>): LaunchWish {
  return {
    model: "demo",
    engine: undefined,
    maxModelLen: undefined,
    maxNumSeqs: undefined,
    kvCacheDtype: undefined,
    ...change,
  };
}

describe("a launch", () => {
  test("of what is here has everything it needs", async () => {
    const plan = await planLaunch(wish({ model: tinyCheckpoint, maxModelLen: 512 }), parts);
    expect(plan).toMatchObject({
      engine: { kind: "native" },
      model: { modelName: "tiny-a", directory: tinyCheckpoint },
      quantization: "none",
      memory: { contextLength: 512, dtype: "f32", verdict: "fits" },
    });
    expect(checkPlan(plan, {})).toBe(tinyCheckpoint);
  });

  test("of what is not here can be planned, and says where its files are", async () => {
    const plan = await planLaunch(wish({ model: "llama-3.2-vision:90b" }), parts);
    expect(plan).toMatchObject({ model: { size: 90, directory: undefined } });
    expect(plan.shape?.fileBytes).toBe(177_186_710_646);
    expect(() => checkPlan(plan, { download: false })).toThrow(
      expect.objectContaining({
        code: "model_not_found",
        message:
          "The files of llama-3.2-vision (90 billion parameters, 177.2 GB) are not on this machine. Accept the Llama 3.2 Community License at https://huggingface.co/meta-llama/Llama-3.2-90B-Vision, then download them: atalaya pull meta-llama/Llama-3.2-90B-Vision",
      }),
    );
  });

  test("that cannot fit is refused with what would", async () => {
    const plan = await planLaunch(wish({}), parts);
    const { memory } = plan;
    if (memory === undefined) throw new Error("a checkpoint without a shape");
    const full = { ...memory, verdict: "too-large" as const, contextLength: 131_072 };
    expect(() =>
      checkPlan({ ...plan, memory: { ...full, nearest: "--max-model-len 4096" } }, {}),
    ).toThrow(
      expect.objectContaining({
        code: "out_of_memory",
        message: expect.stringMatching(
          /^demo with a context of 131072 tokens needs [\d.]+ GB, and [\d.]+ GB are free\. What would fit: --max-model-len 4096$/,
        ),
      }),
    );
    // What is only slow is not refused.
    expect(checkPlan({ ...plan, memory: { ...full, verdict: "from-disk" } }, {})).toBe(
      tinyCheckpoint,
    );
  });

  test.each([
    {
      change: { model: "llama-3.2-vision", engine: "transformers", quantization: "" },
      says: /--quantization has no value.* choose one of: none, 4-bit, 8-bit\./,
    },
    {
      change: { model: "llama-3.2-vision", engine: "vllm", quantization: "8-bit" },
      says: /The engine vLLM needs an NVIDIA graphics card/,
    },
    { change: { quantization: "8-bit" }, says: /the quantization "8-bit"; choose one of: none/ },
    {
      change: { engineOptions: { enforce_eager: 1, swap_space: 1 } },
      says: /The engine native has no option "\w+"; it has profile, .* Leave it out/,
    },
    { change: { engineOptions: { kv_cache_dytpe: 1 } }, says: /Did you mean kv_cache_dtype\?/ },
    { change: { engineOptions: { "a\u001b[2J": 1 } }, says: /has no option of that name;/ },
  ])("with $change is refused", async ({ change, says }) => {
    await expect(planLaunch(wish(change), parts)).rejects.toThrow(says);
  });
});

describe("a registration", () => {
  let folder = temporaryFolder();
  let registry: Registry;
  beforeEach(() => {
    folder = temporaryFolder();
    registry = new Registry({
      builtinDirectory: builtinModels(),
      registrationsDirectory: folder.path,
      modelRoots: [tinyCheckpoint],
    });
  });
  afterEach(() => folder[Symbol.dispose]());

  test("of a directory alone takes everything from the checkpoint", async () => {
    const { family } = await registerDirectory(registry, tinyCheckpoint, undefined);
    expect(family).toMatchObject({
      modelName: "tiny-a",
      contextLength: 2_048,
      abilities: ["chat", "vision", "tools"],
      specs: [{ format: "pytorch", size: 0.00029, directory: tinyCheckpoint }],
    });
    const plan = await planLaunch(wish({ model: "tiny-a" }), { ...parts, registry });
    expect(checkPlan(plan, {})).toBe(tinyCheckpoint);
  });

  test("that only names a hub says where to fetch its files", async () => {
    const text = JSON.stringify({
      version: 2,
      model_name: "mine",
      model_specs: [
        { model_format: "pytorch", model_size_in_billions: 11, model_id: "me/my-vision" },
      ],
    });
    await registerFile(registry, text);
    const plan = await planLaunch(wish({ model: "mine" }), { ...parts, registry });
    expect(plan.memory).toBeUndefined();
    expect(() => checkPlan(plan, { download: false })).toThrow(
      /^The files of mine \(11 billion parameters\) are not on this machine\. Download them from https:\/\/huggingface\.co\/me\/my-vision: atalaya pull me\/my-vision$/,
    );
  });

  test.each(["", "[", "42", "{}", '{"model_name": "x"}'])("that is %j is refused", async (text) => {
    await expect(registerFile(registry, text)).rejects.toMatchObject({ code: "invalid_request" });
    expect(await registry.list()).toHaveLength(3);
  });

  test("of a huge file is refused before it is parsed", async () => {
    await expect(registerFile(registry, "[".repeat(300_000))).rejects.toThrow(
      /has 300000 characters, and at most 262144 are read/,
    );
  });
});
