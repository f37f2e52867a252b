/**
 * The small files of a checkpoint of this family, as they are published. Pure.
 *
 * @see mllama.md §1
 */

export type CheckpointSize = 11 | 90;

export type CheckpointKind = {
  readonly size: CheckpointSize;
  /** Tuned for chats: other stop tokens, and a chat template. */
  readonly isInstruct: boolean;
  /** Of the text model; all that the size has when absent. */
  readonly numLayers: number | undefined;
};

const BOS = 128_000;
const EOS = 128_001;
const PAD = 128_004;
const INSTRUCT_EOS = [EOS, 128_008, 128_009];
export const NUM_TOKENS = 128_256;

const sizes = {
  11: { hidden: 4_096, intermediate: 14_336, layers: 40, heads: 32 },
  90: { hidden: 8_192, intermediate: 28_672, layers: 100, heads: 64 },
} as const;

/** Layers of the whole text model. */
export const layersOf = (size: CheckpointSize): number => sizes[size].layers;

/** Every fifth layer from the fourth on; of fewer than four the last, so that a picture is seen. */
function crossLayersOf(numLayers: number): number[] {
  const published = Array.from({ length: numLayers }, (_, index) => index).filter(
    (index) => index % 5 === 3,
  );
  return published.length > 0 ? published : [numLayers - 1];
}

/** `config.json`, in the form of Transformers 4. */
export function configFile({
  size,
  isInstruct,
  numLayers,
}: CheckpointKind): Readonly<Record<string, unknown>> {
  const { hidden, intermediate, layers, heads } = sizes[size];
  const depth = numLayers ?? layers;
  return {
    architectures: ["MllamaForConditionalGeneration"],
    image_token_index: NUM_TOKENS,
    model_type: "mllama",
    text_config: {
      bos_token_id: BOS,
      cross_attention_layers: crossLayersOf(depth),
      dropout: 0,
      eos_token_id: isInstruct ? INSTRUCT_EOS : EOS,
      hidden_act: "silu",
      hidden_size: hidden,
      initializer_range: 0.02,
      intermediate_size: intermediate,
      max_position_embeddings: 131_072,
      model_type: "mllama_text_model",
      num_attention_heads: heads,
      num_hidden_layers: depth,
      num_key_value_heads: 8,
      pad_token_id: PAD,
      rms_norm_eps: 1e-5,
      rope_scaling: {
        factor: 8,
        high_freq_factor: 4,
        low_freq_factor: 1,
        original_max_position_embeddings: 8_192,
        rope_type: "llama3",
      },
      rope_theta: 500_000,
      tie_word_embeddings: false,
      torch_dtype: "bfloat16",
      use_cache: true,
      vocab_size: NUM_TOKENS,
    },
    torch_dtype: "bfloat16",
    transformers_version: "4.45.0.dev0",
    vision_config: {
      attention_heads: 16,
      hidden_act: "gelu",
      hidden_size: 1_280,
      image_size: tileSide({ size, isInstruct }),
      initializer_range: 0.02,
      intermediate_layers_indices: [3, 7, 15, 23, 30],
      intermediate_size: 5_120,
      max_num_tiles: 4,
      model_type: "mllama_vision_model",
      norm_eps: 1e-5,
      num_channels: 3,
      num_global_layers: 8,
      num_hidden_layers: 32,
      patch_size: 14,
      supported_aspect_ratios: [
        [1, 1],
        [1, 2],
        [1, 3],
        [1, 4],
        [2, 1],
        [2, 2],
        [3, 1],
        [4, 1],
      ],
      torch_dtype: "bfloat16",
      vision_output_dim: 7_680,
    },
  };
}

/** Of all four only the 11B that is not tuned has smaller tiles. */
const tileSide = ({ size, isInstruct }: Pick<CheckpointKind, "size" | "isInstruct">): number =>
  size === 11 && !isInstruct ? 448 : 560;

/** Everything beside weights, configuration and tokenizer, by name. */
export function sideFiles(
  { isInstruct }: Pick<CheckpointKind, "isInstruct">,
  { chatTemplate, tileSide: side }: { readonly chatTemplate: string; readonly tileSide: number },
): ReadonlyMap<string, unknown> {
  const names = {
    bos_token: "<|begin_of_text|>",
    eos_token: isInstruct ? "<|eot_id|>" : "<|end_of_text|>",
    pad_token: "<|finetune_right_pad_id|>",
  };
  return new Map<string, unknown>([
    [
      "generation_config.json",
      isInstruct
        ? {
            bos_token_id: BOS,
            do_sample: true,
            eos_token_id: INSTRUCT_EOS,
            pad_token_id: PAD,
            temperature: 0.6,
            top_p: 0.9,
            transformers_version: "4.45.0.dev0",
          }
        : {
            _from_model_config: true,
            bos_token_id: BOS,
            eos_token_id: EOS,
            pad_token_id: PAD,
            transformers_version: "4.45.0",
          },
    ],
    [
      "preprocessor_config.json",
      {
        do_convert_rgb: true,
        do_normalize: true,
        do_pad: true,
        do_rescale: true,
        do_resize: true,
        image_mean: [0.48145466, 0.4578275, 0.40821073],
        image_processor_type: "MllamaImageProcessor",
        image_std: [0.26862954, 0.26130258, 0.27577711],
        max_image_tiles: 4,
        resample: 2,
        rescale_factor: 0.00392156862745098,
        size: { height: side, width: side },
      },
    ],
    ["special_tokens_map.json", names],
    [
      "tokenizer_config.json",
      {
        ...names,
        clean_up_tokenization_spaces: true,
        model_input_names: ["input_ids", "attention_mask"],
        model_max_length: 131_072,
        tokenizer_class: "PreTrainedTokenizerFast",
      },
    ],
    ...(isInstruct ? [["chat_template.json", { chat_template: chatTemplate }] as const] : []),
  ]);
}
