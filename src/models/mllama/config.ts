/**
 * `config.json` of an Mllama checkpoint, parsed and named. Accepts every form that was published:
 * defaults left out, rotary settings of Transformers 4 and 5, old and new names of a key.
 *
 * @see Transformers `configuration_mllama.py`, whose defaults these are
 */
import { z } from "zod";
import { PlatformError } from "../../base/errors.ts";

export type TileGrid = { readonly rows: number; readonly columns: number };

export type RopeScaling = {
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  readonly originalMaxPositions: number;
};

export type VisionConfig = {
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly headSize: number;
  readonly intermediateSize: number;
  readonly numLocalLayers: number;
  readonly numGlobalLayers: number;
  /** Side of a tile in pixels. */
  readonly tileSize: number;
  readonly patchSize: number;
  /** Patches of a tile. */
  readonly numPatches: number;
  /** Patches of a tile and its class token. */
  readonly tokensPerTile: number;
  /** Rows that fill a tile's tokens up to a multiple of eight. */
  readonly numPadTokens: number;
  readonly maxTiles: number;
  /** Aspect-ratio id 1 is the first; 0 means no picture. */
  readonly aspectRatios: readonly TileGrid[];
  /** Local layers whose states go to the text beside the last one's. */
  readonly tapLayers: readonly number[];
  readonly normEpsilon: number;
  /** Width of a token's features: the last state and the taps. */
  readonly outputSize: number;
};

export type TextConfig = {
  /** Rows of the output head. */
  readonly vocabSize: number;
  /** Rows of the embedding: the vocabulary, the image token and seven that are unused. */
  readonly numEmbeddings: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly crossLayers: readonly number[];
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headSize: number;
  readonly intermediateSize: number;
  readonly rmsNormEpsilon: number;
  readonly maxPositions: number;
  readonly rope: { readonly theta: number; readonly scaling: RopeScaling | undefined };
  readonly bosTokenId: number;
  readonly eosTokenIds: readonly number[];
};

export type MllamaConfig = {
  readonly vision: VisionConfig;
  readonly text: TextConfig;
  readonly imageTokenId: number;
};

const EXTRA_EMBEDDINGS = 8;
/** Pad rows fill a tile up to a multiple of this. */
const TOKEN_GROUP = 8;
const MAX_LAYERS = 512;

const size = z
  .int()
  .min(1)
  .max(1 << 20);
const layerCount = z.int().min(1).max(MAX_LAYERS);
const layerIndices = z.array(z.int().min(0).max(MAX_LAYERS)).max(MAX_LAYERS);
const tokenIds = z.union([z.int().min(0), z.array(z.int().min(0)).min(1).max(64)]);
const epsilon = z.number().positive().max(1);

const VisionFile = z.looseObject({
  hidden_size: size.default(1280),
  attention_heads: size.optional(),
  num_attention_heads: size.optional(),
  intermediate_size: size.default(5120),
  num_hidden_layers: layerCount.default(32),
  num_global_layers: layerCount.default(8),
  image_size: z.int().min(1).max(4096).default(448),
  patch_size: z.int().min(1).max(4096).default(14),
  num_channels: z.literal(3).default(3),
  max_num_tiles: z.int().min(1).max(16).default(4),
  intermediate_layers_indices: layerIndices.default([3, 7, 15, 23, 30]),
  vision_output_dim: size.optional(),
  supported_aspect_ratios: z
    .array(z.tuple([z.int().min(1).max(16), z.int().min(1).max(16)]))
    .max(64)
    .optional(),
  norm_eps: epsilon.default(1e-5),
  hidden_act: z.literal("gelu").default("gelu"),
});

const Rope = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: z.number().positive().optional(),
  factor: z.number().positive().optional(),
  low_freq_factor: z.number().positive().optional(),
  high_freq_factor: z.number().positive().optional(),
  original_max_position_embeddings: size.optional(),
});

const TextFile = z.looseObject({
  vocab_size: size.default(128256),
  hidden_size: size.default(4096),
  num_hidden_layers: layerCount.default(40),
  cross_attention_layers: layerIndices.default([3, 8, 13, 18, 23, 28, 33, 38]),
  num_attention_heads: size.default(32),
  num_key_value_heads: size.default(8),
  head_dim: size.nullish(),
  intermediate_size: size.default(14336),
  rms_norm_eps: epsilon.default(1e-5),
  max_position_embeddings: z
    .int()
    .min(1)
    .max(1 << 22)
    .default(131072),
  rope_theta: z.number().positive().default(500000),
  rope_scaling: Rope.nullish(),
  rope_parameters: Rope.nullish(),
  hidden_act: z.literal("silu").default("silu"),
  bos_token_id: z.int().min(0).default(128000),
  eos_token_id: tokenIds.default(128001),
});

const ConfigFile = z.looseObject({
  model_type: z.string().optional(),
  architectures: z.array(z.string()).nullish(),
  vision_config: VisionFile.prefault({}),
  text_config: TextFile.prefault({}),
  image_token_index: z.int().min(0).optional(),
  image_token_id: z.int().min(0).optional(),
});

/**
 * @param json the parsed `config.json`
 * @throws PlatformError `corrupt_model_file` for another kind of model, or numbers that contradict each other
 */
export function parseMllamaConfig(json: unknown): MllamaConfig {
  checkArchitecture(json);
  const { success, data, error } = ConfigFile.safeParse(json);
  if (!success) {
    const [issue] = error.issues;
    throw corrupt(
      `"${issue?.path.join(".") ?? ""}" is not usable (${issue?.message ?? "unknown"})`,
    );
  }
  const text = textConfig(data.text_config);
  const imageTokenId = data.image_token_index ?? data.image_token_id ?? 128256;
  if (imageTokenId >= text.numEmbeddings) {
    throw corrupt(
      `the image token ${imageTokenId} is past the ${text.numEmbeddings} rows of the embedding`,
    );
  }
  return { vision: visionConfig(data.vision_config), text, imageTokenId };
}

/** Repositories may ask for code of their own; we never run any. */
function checkArchitecture(json: unknown): void {
  const file = z
    .looseObject({
      model_type: z.string().optional(),
      architectures: z.array(z.string()).nullish(),
      auto_map: z.unknown().optional(),
    })
    .safeParse(json);
  if (!file.success) throw corrupt("it is not a JSON object of a model");
  const { model_type: type, architectures, auto_map: autoMap } = file.data;
  if (autoMap !== undefined) {
    throw corrupt('"auto_map" asks for code from the repository, and none is ever run');
  }
  const [architecture] = architectures ?? [];
  const isMllama =
    type === "mllama" && (architecture === undefined || architecture.startsWith("MllamaForCond"));
  if (!isMllama) {
    throw corrupt(
      `this is ${(architecture ?? type ?? "an unnamed model").slice(0, 80)}; Atalaya runs Llama 3.2 Vision (mllama) only`,
    );
  }
}

function visionConfig(file: z.infer<typeof VisionFile>): VisionConfig {
  const hiddenSize = file.hidden_size;
  const numHeads = file.attention_heads ?? file.num_attention_heads ?? 16;
  const { image_size: tileSize, patch_size: patchSize, max_num_tiles: maxTiles } = file;
  requireDivisible("vision hidden_size", hiddenSize, "attention_heads", numHeads);
  requireDivisible("image_size", tileSize, "patch_size", patchSize);
  const numPatches = (tileSize / patchSize) ** 2;
  const tokensPerTile = numPatches + 1;
  const tapLayers = file.intermediate_layers_indices;
  requireLayers("intermediate_layers_indices", tapLayers, file.num_hidden_layers);
  const outputSize = hiddenSize * (1 + tapLayers.length);
  if (file.vision_output_dim !== undefined && file.vision_output_dim !== outputSize) {
    throw corrupt(
      `"vision_output_dim" is ${file.vision_output_dim}, but ${tapLayers.length} taps of ${hiddenSize} make ${outputSize}`,
    );
  }
  const aspectRatios =
    file.supported_aspect_ratios?.map(([rows, columns]) => ({ rows, columns })) ??
    gridsUpTo(maxTiles);
  const tooLarge = aspectRatios.find(({ rows, columns }) => rows * columns > maxTiles);
  if (tooLarge !== undefined) {
    throw corrupt(
      `the aspect ratio ${tooLarge.rows} × ${tooLarge.columns} needs more than the ${maxTiles} tiles of "max_num_tiles"`,
    );
  }
  return {
    hiddenSize,
    numHeads,
    headSize: hiddenSize / numHeads,
    intermediateSize: file.intermediate_size,
    numLocalLayers: file.num_hidden_layers,
    numGlobalLayers: file.num_global_layers,
    tileSize,
    patchSize,
    numPatches,
    tokensPerTile,
    numPadTokens: (TOKEN_GROUP - (tokensPerTile % TOKEN_GROUP)) % TOKEN_GROUP,
    maxTiles,
    aspectRatios,
    tapLayers,
    normEpsilon: file.norm_eps,
    outputSize,
  };
}

/** All grids of at most `maxTiles`, rows outermost: the order of the aspect-ratio ids. */
function gridsUpTo(maxTiles: number): TileGrid[] {
  const sides = Array.from({ length: maxTiles }, (_, index) => index + 1);
  return sides
    .flatMap((rows) => sides.map((columns) => ({ rows, columns })))
    .filter(({ rows, columns }) => rows * columns <= maxTiles);
}

function textConfig(file: z.infer<typeof TextFile>): TextConfig {
  const { hidden_size: hiddenSize, num_attention_heads: numHeads } = file;
  const numKvHeads = file.num_key_value_heads;
  requireDivisible("hidden_size", hiddenSize, "num_attention_heads", numHeads);
  requireDivisible("num_attention_heads", numHeads, "num_key_value_heads", numKvHeads);
  requireLayers("cross_attention_layers", file.cross_attention_layers, file.num_hidden_layers);
  const headSize = file.head_dim ?? hiddenSize / numHeads;
  if (headSize % 2 !== 0) throw corrupt(`a head of ${headSize} channels has no pairs to rotate`);
  const eos = file.eos_token_id;
  return {
    vocabSize: file.vocab_size,
    numEmbeddings: file.vocab_size + EXTRA_EMBEDDINGS,
    hiddenSize,
    numLayers: file.num_hidden_layers,
    crossLayers: file.cross_attention_layers,
    numHeads,
    numKvHeads,
    headSize,
    intermediateSize: file.intermediate_size,
    rmsNormEpsilon: file.rms_norm_eps,
    maxPositions: file.max_position_embeddings,
    rope: ropeConfig(file),
    bosTokenId: file.bos_token_id,
    eosTokenIds: Array.isArray(eos) ? eos : [eos],
  };
}

function ropeConfig(file: z.infer<typeof TextFile>): TextConfig["rope"] {
  const rope = file.rope_parameters ?? file.rope_scaling ?? {};
  const theta = rope.rope_theta ?? file.rope_theta;
  const type = rope.rope_type ?? rope.type ?? "default";
  if (type === "default") return { theta, scaling: undefined };
  if (type !== "llama3") throw corrupt(`the RoPE scaling "${type.slice(0, 40)}" is not llama3`);
  const {
    factor,
    low_freq_factor: lowFreqFactor,
    high_freq_factor: highFreqFactor,
    original_max_position_embeddings: originalMaxPositions,
  } = rope;
  if (
    factor === undefined ||
    lowFreqFactor === undefined ||
    highFreqFactor === undefined ||
    originalMaxPositions === undefined
  ) {
    throw corrupt("the llama3 RoPE scaling lacks one of its four numbers");
  }
  if (lowFreqFactor >= highFreqFactor) {
    throw corrupt(
      `low_freq_factor ${lowFreqFactor} is not below high_freq_factor ${highFreqFactor}`,
    );
  }
  return { theta, scaling: { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } };
}

function requireDivisible(what: string, value: number, by: string, divisor: number): void {
  if (value % divisor !== 0) throw corrupt(`${what} ${value} is no multiple of ${by} ${divisor}`);
}

function requireLayers(what: string, indices: readonly number[], numLayers: number): void {
  const isAscending = indices.every((index, i) => i === 0 || index > (indices[i - 1] ?? index));
  if (!isAscending || (indices.at(-1) ?? 0) >= numLayers) {
    throw corrupt(`"${what}" is [${indices.join(", ")}] for ${numLayers} layers`);
  }
}

function corrupt(what: string): PlatformError {
  return new PlatformError("corrupt_model_file", `config.json cannot be used: ${what}.`);
}
