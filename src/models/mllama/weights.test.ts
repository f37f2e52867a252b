import { describe, expect, test } from "vitest";
import { parseMllamaConfig } from "./config.ts";
import { expectedTensors, legacyName } from "./weights.ts";

const base = { model_type: "mllama", architectures: ["MllamaForConditionalGeneration"] };
const large = {
  hidden_size: 8192,
  intermediate_size: 28672,
  num_attention_heads: 64,
  num_hidden_layers: 100,
  cross_attention_layers: Array.from({ length: 20 }, (_, index) => 3 + 5 * index),
};

const models = {
  "11B": { ...base },
  "11B Instruct": { ...base, vision_config: { image_size: 560 } },
  "90B": { ...base, vision_config: { image_size: 560 }, text_config: large },
};

/** Counted by instantiating the reference's classes with these configs. */
describe.each([
  { name: "11B", numTensors: 906, numParameters: 10_642_941_475 },
  { name: "11B Instruct", numTensors: 906, numParameters: 10_670_220_835 },
  { name: "90B", numTensors: 1494, numParameters: 88_593_355_323 },
] as const)("$name", ({ name, numTensors, numParameters }) => {
  const tensors = expectedTensors(parseMllamaConfig(models[name]));

  test("has as many tensors and parameters as the released model", () => {
    const counts = [...tensors.values()].map((shape) =>
      shape.reduce((product, extent) => product * extent, 1),
    );
    expect(tensors.size).toBe(numTensors);
    expect(counts.reduce((sum, count) => sum + count)).toBe(numParameters);
  });

  test("knows each under the name that newer versions write", () => {
    for (const legacy of tensors.keys()) {
      const newer = legacy
        .replace(/^language_model\.lm_head/, "lm_head")
        .replace(/^language_model\.model\./, "model.language_model.")
        .replace(/^(vision_model|multi_modal_projector)/, "model.$1");
      expect(newer).not.toBe(legacy);
      expect(legacyName(newer)).toBe(legacy);
      expect(legacyName(legacy)).toBe(legacy);
    }
  });
});

test.each([
  ["language_model.model.embed_tokens.weight", [128264, 4096]],
  ["language_model.lm_head.weight", [128256, 4096]],
  ["language_model.model.layers.0.self_attn.k_proj.weight", [1024, 4096]],
  ["language_model.model.layers.3.cross_attn.k_proj.weight", [1024, 4096]],
  ["language_model.model.layers.3.cross_attn.q_norm.weight", [128]],
  ["language_model.model.layers.39.mlp.down_proj.weight", [4096, 14336]],
  ["multi_modal_projector.weight", [4096, 7680]],
  ["vision_model.patch_embedding.weight", [1280, 3, 14, 14]],
  ["vision_model.gated_positional_embedding.tile_embedding.weight", [9, 8197120]],
  ["vision_model.pre_tile_positional_embedding.embedding.weight", [9, 5120]],
  ["vision_model.global_transformer.layers.7.gate_ffn", [1]],
] as const)("11B Instruct: %s", (name, shape) => {
  const tensors = expectedTensors(parseMllamaConfig(models["11B Instruct"]));
  expect(tensors.get(name)).toEqual(shape);
});

test("a name that no rule is about stays as it is", () => {
  expect(legacyName("model.embed_tokens.weight")).toBe("model.embed_tokens.weight");
});
