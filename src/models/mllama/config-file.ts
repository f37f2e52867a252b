/**
 * The schema of an Mllama `config.json`, with the defaults that its writers leave out.
 *
 * Every number has a range: wide enough for any such model, narrow enough that no product of them
 * overflows.
 *
 * @see Transformers 5.18.0 `configuration_mllama.py`, whose defaults these are
 */
import { z } from "zod";

const MAX_LAYERS = 512;
const size = z
  .int()
  .min(1)
  .max(1 << 20);
const numHeads = z.int().min(1).max(4096);
const numLayers = z.int().min(1).max(MAX_LAYERS);
const layerIndices = z
  .array(
    z
      .int()
      .min(0)
      .max(MAX_LAYERS - 1),
  )
  .max(MAX_LAYERS);
const epsilon = z.number().positive().max(1);
const tokenId = z
  .int()
  .min(0)
  .max(1 << 21);
const side = z.int().min(1).max(4096);
const gridSide = z.int().min(1).max(16);

/** A token id, or several of which any ends the answer. */
export const TokenIds = z.union([tokenId, z.array(tokenId).min(1).max(64)]);

const VisionFile = z.looseObject({
  hidden_size: size.default(1280),
  hidden_act: z.literal("gelu").default("gelu"),
  attention_heads: numHeads.optional(),
  num_attention_heads: numHeads.optional(),
  intermediate_size: size.default(5120),
  num_hidden_layers: numLayers.default(32),
  num_global_layers: numLayers.default(8),
  intermediate_layers_indices: layerIndices.default([3, 7, 15, 23, 30]),
  vision_output_dim: z.int().positive().default(7680),
  image_size: side.default(448),
  patch_size: side.default(14),
  num_channels: z.literal(3).default(3),
  max_num_tiles: gridSide.default(4),
  supported_aspect_ratios: z
    .array(z.tuple([gridSide, gridSide]))
    .max(64)
    .optional(),
  norm_eps: epsilon.default(1e-5),
});

const RopeFile = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: z.number().min(1).max(1e12).optional(),
  factor: z.number().min(1).max(65_536).optional(),
  low_freq_factor: z.number().min(1e-3).max(65_536).optional(),
  high_freq_factor: z.number().min(1e-3).max(65_536).optional(),
  original_max_position_embeddings: size.optional(),
  partial_rotary_factor: z.literal(1).optional(),
});

/** What `rope_type: "llama3"` must bring. */
export const Llama3File = RopeFile.required({
  factor: true,
  low_freq_factor: true,
  high_freq_factor: true,
  original_max_position_embeddings: true,
});

const TextFile = z.looseObject({
  vocab_size: size.default(128_256),
  hidden_size: size.default(4096),
  hidden_act: z.literal("silu").default("silu"),
  num_hidden_layers: numLayers.default(40),
  cross_attention_layers: layerIndices.default([3, 8, 13, 18, 23, 28, 33, 38]),
  num_attention_heads: numHeads.default(32),
  num_key_value_heads: numHeads.default(8),
  head_dim: size.nullish(),
  intermediate_size: size.default(14_336),
  rms_norm_eps: epsilon.default(1e-5),
  max_position_embeddings: z
    .int()
    .min(1)
    .max(1 << 22)
    .default(131_072),
  rope_theta: z.number().min(1).max(1e12).optional(),
  rope_scaling: RopeFile.nullish(),
  rope_parameters: RopeFile.nullish(),
  /** The embedding has eight rows more than the head, so they cannot be one matrix. */
  tie_word_embeddings: z.literal(false).default(false),
  bos_token_id: tokenId.default(128_000),
  eos_token_id: TokenIds.default(128_001),
  pad_token_id: tokenId.nullish(),
});

export const ConfigFile = z.looseObject({
  vision_config: VisionFile.prefault({}),
  text_config: TextFile.prefault({}),
  image_token_index: tokenId.optional(),
  image_token_id: tokenId.optional(),
});

export type VisionFile = z.infer<typeof VisionFile>;
export type TextFile = z.infer<typeof TextFile>;
export type RopeFile = z.infer<typeof RopeFile>;

/** A file may ask for code of its own at any level. */
const Repository = z.looseObject({
  auto_map: z.unknown().optional(),
  trust_remote_code: z.unknown().optional(),
});

/** What says which kind of model it is. */
export const ModelKind = Repository.extend({
  model_type: z.string().optional(),
  architectures: z.array(z.string()).nullish(),
  quantization_config: z.looseObject({ quant_method: z.string().optional() }).nullish(),
  vision_config: Repository.optional(),
  text_config: Repository.optional(),
});
export type ModelKind = z.infer<typeof ModelKind>;
export type Repository = z.infer<typeof Repository>;
