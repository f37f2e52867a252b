import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PlatformError } from "../../base/errors.ts";
import { parseMllamaConfig } from "./config.ts";

type Part = Readonly<Record<string, unknown>>;

const rope = {
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
};
const grids = [
  [1, 1],
  [1, 2],
  [1, 3],
  [1, 4],
  [2, 1],
  [2, 2],
  [3, 1],
  [4, 1],
];

/** The 11B Instruct as Transformers 4.45 wrote it: everything spelt out. */
const visionPart: Part = {
  model_type: "mllama_vision_model",
  hidden_size: 1280,
  hidden_act: "gelu",
  attention_heads: 16,
  intermediate_size: 5120,
  num_hidden_layers: 32,
  num_global_layers: 8,
  num_channels: 3,
  image_size: 560,
  patch_size: 14,
  norm_eps: 1e-5,
  max_num_tiles: 4,
  intermediate_layers_indices: [3, 7, 15, 23, 30],
  vision_output_dim: 7680,
  supported_aspect_ratios: grids,
  torch_dtype: "bfloat16",
  tie_word_embeddings: true,
};
const textPart: Part = {
  model_type: "mllama_text_model",
  vocab_size: 128256,
  hidden_size: 4096,
  hidden_act: "silu",
  num_hidden_layers: 40,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  intermediate_size: 14336,
  rms_norm_eps: 1e-5,
  max_position_embeddings: 131072,
  rope_theta: 500000,
  rope_scaling: { rope_type: "llama3", ...rope },
  cross_attention_layers: [3, 8, 13, 18, 23, 28, 33, 38],
  bos_token_id: 128000,
  eos_token_id: [128001, 128008, 128009],
  pad_token_id: 128004,
  dropout: 0,
  use_cache: true,
  tie_word_embeddings: false,
  torch_dtype: "bfloat16",
};

type Changes = { readonly vision?: Part; readonly text?: Part; readonly top?: Part };

function instruct11b(changes: Changes = {}): unknown {
  return {
    architectures: ["MllamaForConditionalGeneration"],
    model_type: "mllama",
    image_token_index: 128256,
    torch_dtype: "bfloat16",
    transformers_version: "4.45.0.dev0",
    vision_config: { ...visionPart, ...changes.vision },
    text_config: { ...textPart, ...changes.text },
    ...changes.top,
  };
}

function without(part: Part, ...keys: readonly string[]): Part {
  return Object.fromEntries(Object.entries(part).filter(([key]) => !keys.includes(key)));
}

/** Only what differs from the defaults, as newer versions save. */
function savedByNewerVersion(text: Part, vision: Part): unknown {
  return {
    architectures: ["MllamaForConditionalGeneration"],
    model_type: "mllama",
    text_config: { rope_scaling: { rope_type: "llama3", ...rope }, ...text },
    vision_config: vision,
  };
}

function refusal(json: unknown): string {
  try {
    parseMllamaConfig(json);
  } catch (error) {
    if (error instanceof PlatformError && error.code === "corrupt_model_file") return error.message;
    throw error;
  }
  return "accepted";
}

describe("the published models", () => {
  test("11B Instruct", () => {
    expect(parseMllamaConfig(instruct11b())).toEqual({
      vision: {
        hiddenSize: 1280,
        numHeads: 16,
        headSize: 80,
        intermediateSize: 5120,
        numLocalLayers: 32,
        numGlobalLayers: 8,
        tileSize: 560,
        patchSize: 14,
        patchesPerSide: 40,
        numPatches: 1600,
        tokensPerTile: 1601,
        numPadTokens: 7,
        maxTiles: 4,
        aspectRatios: grids.map(([rows, columns]) => ({ rows, columns })),
        tapLayers: [3, 7, 15, 23, 30],
        normEpsilon: 1e-5,
        outputSize: 7680,
      },
      text: {
        vocabSize: 128256,
        numEmbeddings: 128264,
        hiddenSize: 4096,
        numLayers: 40,
        crossLayers: [3, 8, 13, 18, 23, 28, 33, 38],
        numHeads: 32,
        numKvHeads: 8,
        headSize: 128,
        intermediateSize: 14336,
        rmsNormEpsilon: 1e-5,
        maxPositions: 131072,
        rope: {
          theta: 500000,
          scaling: {
            factor: 8,
            lowFreqFactor: 1,
            highFreqFactor: 4,
            originalMaxPositions: 8192,
          },
        },
        bosTokenId: 128000,
        eosTokenIds: [128001, 128008, 128009],
        padTokenId: 128004,
      },
      imageTokenId: 128256,
    });
  });

  test("11B, whose tiles are smaller, and of which nearly everything is a default", () => {
    const { vision, text } = parseMllamaConfig(savedByNewerVersion({}, {}));

    expect(vision).toMatchObject({ tileSize: 448, patchesPerSide: 32, tokensPerTile: 1025 });
    expect(vision.numPadTokens).toBe(7);
    expect(text).toMatchObject({ numLayers: 40, hiddenSize: 4096, eosTokenIds: [128001] });
  });

  test("90B Instruct, with only what newer versions store", () => {
    const crossLayers = Array.from({ length: 20 }, (_, index) => 3 + 5 * index);
    const { vision, text, imageTokenId } = parseMllamaConfig(
      savedByNewerVersion(
        {
          cross_attention_layers: crossLayers,
          eos_token_id: [128001, 128008, 128009],
          hidden_size: 8192,
          intermediate_size: 28672,
          num_attention_heads: 64,
          num_hidden_layers: 100,
        },
        { image_size: 560 },
      ),
    );

    expect(text).toMatchObject({ numLayers: 100, crossLayers, numHeads: 64, numKvHeads: 8 });
    expect(text).toMatchObject({ hiddenSize: 8192, headSize: 128, intermediateSize: 28672 });
    expect(vision).toEqual(parseMllamaConfig(instruct11b()).vision);
    expect(imageTokenId).toBe(128256);
  });
});

describe("every form of the file says the same", () => {
  const plainText = without(textPart, "rope_theta", "rope_scaling");
  const llama3 = { rope_type: "llama3", ...rope };
  test.each<[form: string, changes: Changes]>([
    [
      "an older name of the kind of scaling",
      { text: { rope_scaling: { type: "llama3", ...rope } } },
    ],
    ["both names of it", { text: { rope_scaling: { type: "llama3", ...llama3 } } }],
    [
      "Transformers 5",
      {
        top: { text_config: { ...plainText, rope_parameters: { ...llama3, rope_theta: 500000 } } },
      },
    ],
    [
      "Transformers 5 with the base outside",
      { top: { text_config: { ...plainText, rope_theta: 500000, rope_parameters: llama3 } } },
    ],
    [
      "old and new at once",
      { text: { rope_parameters: { ...llama3, rope_theta: 500000 }, rope_scaling: llama3 } },
    ],
    ["no base", { top: { text_config: { ...plainText, rope_scaling: llama3 } } }],
    ["dtype under its new name", { top: { dtype: "bfloat16", torch_dtype: undefined } }],
    ["dtype inside the parts", { text: { dtype: "bfloat16" }, vision: { dtype: "bfloat16" } }],
    [
      "the other name of the heads",
      {
        top: {
          vision_config: { ...without(visionPart, "attention_heads"), num_attention_heads: 16 },
        },
      },
    ],
    ["both names of the heads", { vision: { num_attention_heads: 16 } }],
    [
      "the other name of the image token",
      { top: { image_token_index: undefined, image_token_id: 128256 } },
    ],
    ["no image token", { top: { image_token_index: undefined } }],
    ["tied embeddings claimed outside of the text", { top: { tie_word_embeddings: true } }],
    ["an explicit head size", { text: { head_dim: 128 } }],
    ["a head size of null", { text: { head_dim: null } }],
    ["no kind", { top: { model_type: undefined } }],
    ["no architecture", { top: { architectures: undefined } }],
    ["an architecture of null", { top: { architectures: null } }],
    ["no pad token", { text: { pad_token_id: null } }],
    ["code asked for, but with no", { top: { auto_map: null, trust_remote_code: false } }],
    [
      "only what is no default",
      {
        top: {
          vision_config: { image_size: 560 },
          text_config: { rope_scaling: llama3, eos_token_id: [128001, 128008, 128009] },
        },
      },
    ],
  ])("%s", (_, changes) => {
    // Through JSON, so that `undefined` means left out.
    const json: unknown = JSON.parse(JSON.stringify(instruct11b(changes)));

    expect(parseMllamaConfig(json)).toEqual(parseMllamaConfig(instruct11b()));
  });

  test.each([
    { rope_scaling: null },
    { rope_scaling: { rope_type: "default" } },
    { rope_scaling: undefined, rope_parameters: { rope_type: "default", rope_theta: 500000 } },
  ])("plain rotary embedding: %j", (text) => {
    expect(parseMllamaConfig(instruct11b({ text })).text.rope).toEqual({
      theta: 500000,
      scaling: undefined,
    });
  });

  test("a single end token", () => {
    const { text } = parseMllamaConfig(instruct11b({ text: { eos_token_id: 128009 } }));
    expect(text.eosTokenIds).toEqual([128009]);
  });

  test("fewer tiles have fewer grids", () => {
    const vision = {
      max_num_tiles: 2,
      supported_aspect_ratios: [
        [1, 1],
        [1, 2],
        [2, 1],
      ],
    };
    expect(parseMllamaConfig(instruct11b({ vision })).vision.aspectRatios).toHaveLength(3);
  });
});

describe("another kind of model is named, with what we serve (MF-08)", () => {
  const serve = /Atalaya serves Llama 3\.2 Vision \(model_type mllama, MllamaFor.*\)\.$/;
  test.each<[top: Part, found: RegExp]>([
    [
      { model_type: "llama", architectures: ["LlamaForCausalLM"] },
      /this is llama, LlamaForCausalLM\./,
    ],
    [{ architectures: ["MllamaForCausalLM"] }, /text half .*\(mllama, MllamaForCausalLM\)/],
    [
      { model_type: "mllama_text_model", architectures: undefined },
      /text half .*mllama_text_model/,
    ],
    [{ model_type: "llama4" }, /this is llama4, MllamaForConditionalGeneration/],
    [
      { architectures: ["MllamaForConditionalGenerationPlus"] },
      /MllamaForConditionalGenerationPlus/,
    ],
    [{ model_type: undefined, architectures: [] }, /this is a model of no named kind/],
  ])("%j", (top, found) => {
    const message = refusal(instruct11b({ top }));
    expect(message).toMatch(found);
    expect(message).toMatch(serve);
  });

  test.each<Part>([
    { auto_map: { AutoModel: "modeling.Model" } },
    { auto_map: "modeling.Model" },
    { trust_remote_code: true },
    { text_config: { ...textPart, auto_map: { AutoConfig: "c.C" } } },
    { vision_config: { ...visionPart, auto_map: { AutoConfig: "c.C" } } },
  ])("one that brings code: %j", (top) => {
    expect(refusal(instruct11b({ top }))).toContain("asks for code from its repository");
  });

  test("one that is quantized", () => {
    const top = { quantization_config: { quant_method: "bitsandbytes", load_in_4bit: true } };
    expect(refusal(instruct11b({ top }))).toContain("quantized already (bitsandbytes)");
  });

  test.each([null, [], "mllama", 3, { model_type: 7 }])("what is no config at all: %j", (json) => {
    expect(refusal(json)).toMatch(/^config\.json cannot be used: it /);
  });
});

describe("numbers that cannot be are refused with their values (MF-09)", () => {
  test.each<[part: "text" | "vision" | "top", keys: Part, says: string]>([
    ["text", { hidden_size: 0 }, '"text_config.hidden_size": 0'],
    [
      "text",
      { hidden_size: 4095 },
      "hidden_size 4095 is no multiple of its num_attention_heads 32",
    ],
    ["text", { hidden_size: 2 ** 31 }, '"text_config.hidden_size": 2147483648'],
    ["text", { hidden_size: "4096" }, '"text_config.hidden_size": "4096"'],
    ["text", { hidden_size: 4096.5 }, '"text_config.hidden_size": 4096.5'],
    ["text", { num_attention_heads: 0 }, '"text_config.num_attention_heads": 0'],
    ["text", { num_attention_heads: -1 }, '"text_config.num_attention_heads": -1'],
    ["text", { num_attention_heads: 1e9 }, '"text_config.num_attention_heads": 1000000000'],
    [
      "text",
      { num_key_value_heads: 5 },
      "num_attention_heads 32 is no multiple of its num_key_value_heads 5",
    ],
    ["text", { vocab_size: 2 ** 31 }, '"text_config.vocab_size": 2147483648'],
    ["text", { num_hidden_layers: 1e9 }, '"text_config.num_hidden_layers": 1000000000'],
    [
      "text",
      { num_hidden_layers: 38 },
      "[3,8,13,18,23,28,33,38] are no ascending indices below its 38",
    ],
    ["text", { cross_attention_layers: [] }, '"cross_attention_layers" is empty'],
    [
      "text",
      { num_hidden_layers: 2, cross_attention_layers: [0, 1] },
      '"cross_attention_layers" are all of its 2 layers',
    ],
    ["text", { cross_attention_layers: [3, 3] }, "[3,3] are no ascending indices"],
    ["text", { cross_attention_layers: [8, 3] }, "[8,3] are no ascending indices"],
    ["text", { cross_attention_layers: [-1] }, '"text_config.cross_attention_layers.0": -1'],
    ["text", { head_dim: 127 }, "heads of 127 channels have no pairs"],
    ["text", { hidden_act: "gelu" }, '"text_config.hidden_act": "gelu"'],
    ["text", { rms_norm_eps: 0 }, '"text_config.rms_norm_eps": 0'],
    ["text", { max_position_embeddings: 0 }, '"text_config.max_position_embeddings": 0'],
    ["text", { tie_word_embeddings: true }, '"text_config.tie_word_embeddings": true'],
    ["text", { rope_theta: 0 }, '"text_config.rope_theta": 0'],
    ["text", { rope_scaling: { rope_type: "yarn", factor: 8 } }, 'scaling is "yarn"'],
    [
      "text",
      { rope_scaling: { ...rope, rope_type: "llama3", factor: 0 } },
      'rope_scaling.factor": 0',
    ],
    ["text", { rope_scaling: { rope_type: "llama3", factor: 8 } }, 'lacks "low_freq_factor"'],
    [
      "text",
      { rope_scaling: { ...rope, rope_type: "llama3", low_freq_factor: 4 } },
      '"low_freq_factor" 4 is not below its "high_freq_factor" 4',
    ],
    [
      "text",
      { rope_parameters: { ...rope, rope_type: "llama3", rope_theta: 10000 } },
      '"rope_theta" is 500000 and, inside, 10000',
    ],
    [
      "text",
      { rope_parameters: { ...rope, rope_type: "llama3", factor: 16 } },
      'contradict its "rope_scaling"',
    ],
    ["text", { eos_token_id: 128256 }, '"eos_token_id" is 128256, and the last of its 128256 rows'],
    ["text", { eos_token_id: [] }, '"text_config.eos_token_id": []'],
    ["text", { bos_token_id: 128264 }, '"bos_token_id" is 128264'],
    ["text", { pad_token_id: 200000 }, '"pad_token_id" is 200000'],
    [
      "top",
      { image_token_index: 128264 },
      '"image_token_index" is 128264, and the last of its 128264',
    ],
    [
      "top",
      { image_token_id: 5 },
      '"image_token_index" is 128256 and its "image_token_id", the same thing, 5',
    ],
    ["vision", { num_attention_heads: 8 }, '"attention_heads" is 16 and its "num_attention_heads"'],
    [
      "vision",
      { attention_heads: 7 },
      "vision hidden_size 1280 is no multiple of its attention_heads 7",
    ],
    ["vision", { hidden_act: "quick_gelu" }, '"vision_config.hidden_act": "quick_gelu"'],
    ["vision", { num_channels: 1 }, '"vision_config.num_channels": 1'],
    ["vision", { image_size: 561 }, "image_size 561 is no multiple of its patch_size 14"],
    ["vision", { image_size: 4096, patch_size: 64, max_num_tiles: 16 }, "16 tiles of 4096 pixels"],
    ["vision", { image_size: 560, patch_size: 1 }, "4 tiles of 560 pixels in patches of 1"],
    ["vision", { patch_size: 0 }, '"vision_config.patch_size": 0'],
    [
      "vision",
      { vision_output_dim: 6400 },
      "is 6400, but the last state and 5 taps of 1280 make 7680",
    ],
    [
      "vision",
      { intermediate_layers_indices: [], vision_output_dim: 1280 },
      '"intermediate_layers_indices" is empty',
    ],
    ["vision", { intermediate_layers_indices: [3, 32, 5] }, "[3,32,5] are no ascending indices"],
    ["vision", { max_num_tiles: 2 }, "are not the grids of at most 2 tiles"],
    ["vision", { supported_aspect_ratios: grids.toReversed() }, "in the processor's order"],
    [
      "vision",
      { supported_aspect_ratios: [[1, 0]] },
      '"vision_config.supported_aspect_ratios.0.1": 0',
    ],
    ["vision", { norm_eps: -1 }, '"vision_config.norm_eps": -1'],
  ])("%s: %j", (part, keys, says) => {
    const message = refusal(instruct11b({ [part]: keys }));

    expect(message).toContain(says);
    expect(message).toMatch(/^config\.json cannot be used: .*\.$/);
    expect(message.length).toBeLessThan(400);
  });

  test("whatever a value is replaced by, the config is true to itself or refused", () => {
    const place = fc.constantFrom(
      ...Object.keys(visionPart).map((key) => ["vision", key] as const),
      ...Object.keys(textPart).map((key) => ["text", key] as const),
    );
    const value = fc.oneof(fc.jsonValue(), fc.integer({ min: -2, max: 200 }), fc.nat());
    fc.assert(
      fc.property(place, value, ([part, key], replacement) => {
        const json = instruct11b({ [part]: { [key]: replacement } });
        if (refusal(json) !== "accepted") return;
        const { vision, text } = parseMllamaConfig(json);
        expect(vision.headSize * vision.numHeads).toBe(vision.hiddenSize);
        expect(vision.patchesPerSide * vision.patchSize).toBe(vision.tileSize);
        expect(text.numHeads % text.numKvHeads).toBe(0);
        expect(Math.max(-1, ...text.crossLayers)).toBeLessThan(text.numLayers);
        expect(Math.max(-1, ...vision.tapLayers)).toBeLessThan(vision.numLocalLayers);
      }),
      { numRuns: 1000 },
    );
  });
});
