import { describe, expect, test } from "vitest";
import { checkOptions } from "./options.ts";

describe("vLLM's options", () => {
  test.each([
    { enforce_eager: true },
    { enforce_eager: false, gpu_memory_utilization: 0.85, swap_space: 0 },
    { limit_mm_per_prompt: { image: 4 } },
    { limit_mm_per_prompt: '{"image": 4}' },
    { tensor_parallel_size: 4, dtype: "bfloat16", block_size: 16, seed: 7 },
    { enable_prefix_caching: false, preemption_mode: null, cuda_graph_sizes: [1, 2] },
    {},
  ])("as %j pass", (given) => {
    expect(() => checkOptions(given)).not.toThrow();
  });

  test.each([
    {
      given: { enforce_eagr: true },
      says: /no option "enforce_eagr"\. Did you mean enforce_eager\?/,
    },
    { given: { gpu_memory_utilisation: 0.9 }, says: /Did you mean gpu_memory_utilization\?/ },
    { given: { "\u001b[0m": 1 }, says: /no option of that name\./ },
    { given: { worker_cls: "os.system" }, says: /"worker_cls": it names code/ },
    { given: { pipeline_parallel_size: 2 }, says: /--tensor-parallel-size alone/ },
    { given: { enable_prefix_caching: true }, says: /models with cross-attention/ },
    { given: { trust_remote_code: true }, says: /Atalaya chooses which files/ },
    { given: { kv_cache_dtype: "fp8" }, says: /the model's own type/ },
    {
      given: { enforce_eager: "--max_num_seqs" },
      says: /takes true or false, not "--max_num_seqs"/,
    },
    { given: { tensor_parallel_size: 1.5 }, says: /takes a whole number, not 1\.5/ },
    { given: { gpu_memory_utilization: "most" }, says: /takes a number, not "most"/ },
    { given: { limit_mm_per_prompt: 4 }, says: /takes JSON such as/ },
    { given: { block_size: 24 }, says: /is one of 1, 8, 16, 32, 64, 128, not 24/ },
  ])("as $given are refused in one sentence", ({ given, says }) => {
    expect(() => checkOptions(given)).toThrow(
      expect.objectContaining({
        code: expect.stringMatching(/^(unsupported_parameter|invalid_request)$/),
        message: expect.stringMatching(says),
      }),
    );
  });
});
