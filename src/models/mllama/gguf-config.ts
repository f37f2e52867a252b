/** The metadata of Ollama's GGUF as the small files of a checkpoint in Hugging Face layout. */
import { PlatformError } from "../../base/errors.ts";
import type { GgufFile } from "../../formats/gguf.ts";
import type { GgufValue } from "../../formats/gguf-types.ts";
import { shown } from "../../formats/shown.ts";

type Metadata = GgufFile["metadata"];

/** What a `config.json` of the same model says; `parseMllamaConfig` checks the numbers. */
export function configOfGguf(model: GgufFile, projector: GgufFile | undefined): unknown {
  const text = valuesOf(model.metadata, "mllama.");
  const vision = valuesOf(projector?.metadata ?? model.metadata, "mllama.vision.");
  const hiddenSize = text.number("embedding_length");
  const numHeads = text.number("attention.head_count");
  const taps = vision.numbers("intermediate_layers_indices");
  const numRows = model.tensors.get("output.weight")?.shape[0];
  const eos = eosTokenIds(model.metadata);
  const visionSize = vision.number("embedding_length");
  return {
    architectures: ["MllamaForConditionalGeneration"],
    model_type: "mllama",
    // The row after those of the head.
    image_token_index: imageTokenId(model.metadata) ?? numRows,
    text_config: {
      model_type: "mllama_text_model",
      vocab_size: numRows ?? text.number("vocab_size"),
      hidden_size: hiddenSize,
      num_hidden_layers: text.number("block_count"),
      num_attention_heads: numHeads,
      num_key_value_heads: text.optional("attention.head_count_kv") ?? numHeads,
      head_dim:
        text.optional("attention.key_length") ??
        text.optional("rope.dimension_count") ??
        hiddenSize / numHeads,
      intermediate_size: text.number("feed_forward_length"),
      rms_norm_eps: text.number("attention.layer_norm_rms_epsilon"),
      rope_theta: text.optional("rope.freq_base"),
      max_position_embeddings: text.number("context_length"),
      cross_attention_layers: text.numbers("attention.cross_attention_layers"),
      bos_token_id: idOf(model.metadata, "tokenizer.ggml.bos_token_id"),
      eos_token_id: eos.length > 0 ? eos : undefined,
      pad_token_id: idOf(model.metadata, "tokenizer.ggml.padding_token_id"),
    },
    vision_config: {
      model_type: "mllama_vision_model",
      hidden_size: visionSize,
      attention_heads: vision.number("attention.head_count"),
      intermediate_size: vision.number("feed_forward_length"),
      num_hidden_layers: vision.number("block_count"),
      num_global_layers: vision.number("global.block_count"),
      image_size: vision.number("image_size"),
      patch_size: vision.number("patch_size"),
      max_num_tiles: vision.number("max_num_tiles"),
      num_channels: vision.optional("num_channels"),
      // A checkpoint that leaves it out makes a 0 of it.
      norm_eps: vision.optional("attention.layer_norm_epsilon") || undefined,
      intermediate_layers_indices: taps,
      vision_output_dim: visionSize * (1 + taps.length),
    },
  };
}

/** The released models' processor; only the sizes are in the file. */
export function preprocessorOfGguf(model: GgufFile, projector: GgufFile | undefined): unknown {
  const vision = valuesOf(projector?.metadata ?? model.metadata, "mllama.vision.");
  const side = vision.number("image_size");
  return {
    image_processor_type: "MllamaImageProcessor",
    do_convert_rgb: true,
    do_resize: true,
    do_rescale: true,
    do_normalize: true,
    do_pad: true,
    resample: 2,
    rescale_factor: 1 / 255,
    image_mean: [0.48145466, 0.4578275, 0.40821073],
    image_std: [0.26862954, 0.26130258, 0.27577711],
    size: { height: side, width: side },
    max_image_tiles: vision.number("max_num_tiles"),
  };
}

export function eosTokenIds(metadata: Metadata): readonly number[] {
  const many = metadata.get("tokenizer.ggml.eos_token_ids");
  const ids = many?.type === "array" ? many.value.filter((id) => typeof id === "number") : [];
  const one = idOf(metadata, "tokenizer.ggml.eos_token_id");
  const turn = idOf(metadata, "tokenizer.ggml.eot_token_id");
  return [...new Set([...ids, ...[one, turn].filter((id) => id !== undefined)])];
}

const IMAGE_TOKEN = "<|image|>";

function imageTokenId(metadata: Metadata): number | undefined {
  const tokens = metadata.get("tokenizer.ggml.tokens");
  const index = tokens?.type === "array" ? tokens.value.indexOf(IMAGE_TOKEN) : -1;
  return index < 0 ? undefined : index;
}

function idOf(metadata: Metadata, key: string): number | undefined {
  const value = metadata.get(key)?.value;
  return typeof value === "number" ? value : undefined;
}

type Values = {
  readonly number: (name: string) => number;
  readonly optional: (name: string) => number | undefined;
  readonly numbers: (name: string) => readonly number[];
};

function valuesOf(metadata: Metadata, prefix: string): Values {
  const fail = (name: string, value: GgufValue | undefined): PlatformError =>
    new PlatformError(
      "corrupt_model_file",
      `The GGUF file cannot be used: its value ${prefix}${name} is ${value === undefined ? "missing" : shown(value.value)}. Take another file.`,
    );
  const optional = (name: string): number | undefined => {
    const value = metadata.get(prefix + name);
    if (value === undefined) return undefined;
    if (value.type === "array" || typeof value.value !== "number") throw fail(name, value);
    // A float of four bytes says 1e-5 as 9.999999747378752e-6.
    return value.type === "f32" ? Number(value.value.toPrecision(7)) : value.value;
  };
  return {
    optional,
    number: (name) => {
      const value = optional(name);
      if (value === undefined) throw fail(name, undefined);
      return value;
    },
    numbers: (name) => {
      const value = metadata.get(prefix + name);
      const list = value?.type === "array" ? value.value : undefined;
      const numbers = list?.filter((item) => typeof item === "number");
      if (numbers === undefined || numbers.length !== list?.length) throw fail(name, value);
      return numbers;
    },
  };
}
