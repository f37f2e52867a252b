/**
 * `config.json` of an Mllama checkpoint, parsed and named. Accepts every form that was published:
 * defaults left out, rotary settings of Transformers 4 and 5, old and new names of a key.
 */
import { PlatformError } from "../../base/errors.ts";
import { describeJsonIssue } from "../../formats/json-issue.ts";
import { shown } from "../../formats/shown.ts";
import {
  ConfigFile,
  Llama3File,
  ModelKind,
  type Repository,
  type RopeFile,
  type TextFile,
  type VisionFile,
} from "./config-file.ts";
import { type TileGrid, tileGrids } from "./tiles.ts";

export type RopeScaling = {
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  readonly originalMaxPositions: number;
};

/** Rotary position embedding; without `scaling` the plain one. */
export type Rope = { readonly theta: number; readonly scaling: RopeScaling | undefined };

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
  readonly patchesPerSide: number;
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
  readonly rope: Rope;
  readonly bosTokenId: number;
  readonly eosTokenIds: readonly number[];
  readonly padTokenId: number;
};

export type MllamaConfig = {
  readonly vision: VisionConfig;
  readonly text: TextConfig;
  readonly imageTokenId: number;
};

/** Rows of the embedding past the head's: the image token, and seven that are unused. */
const EXTRA_EMBEDDINGS = 8;
/** Pad rows fill a tile's tokens up to a multiple of this. */
const TOKEN_GROUP = 8;
/** A canvas of four 560-pixel tiles has 1.3 million. One in float32 takes twelve bytes a pixel. */
const MAX_CANVAS_PIXELS = 1 << 24;
/** Four tiles of the released models have 6,404. */
const MAX_VISION_TOKENS = 1 << 16;

const DEFAULT_IMAGE_TOKEN = 128_256;
const DEFAULT_PAD_TOKEN = 128_004;
const DEFAULT_VISION_HEADS = 16;
const DEFAULT_THETA = 500_000;

/**
 * @param json the parsed `config.json`
 * @throws PlatformError `corrupt_model_file` for another kind of model, or numbers that contradict each other
 */
export function parseMllamaConfig(json: unknown): MllamaConfig {
  checkKind(json);
  const { success, data, error } = ConfigFile.safeParse(json);
  if (!success) throw corrupt(`it ${describeJsonIssue(json, error)}`);
  const text = textConfig(data.text_config);
  const imageTokenId =
    onlyValue(data, "image_token_index", "image_token_id") ?? DEFAULT_IMAGE_TOKEN;
  requireRow("image_token_index", imageTokenId, text.numEmbeddings);
  return { vision: visionConfig(data.vision_config), text, imageTokenId };
}

const WE_SERVE =
  "Atalaya serves Llama 3.2 Vision (model_type mllama, MllamaForConditionalGeneration)";

/** What kind of model it is, and that it brings no code: repositories may, and we never run any. */
function checkKind(json: unknown): void {
  const { success, data, error } = ModelKind.safeParse(json);
  if (!success) throw corrupt(`it ${describeJsonIssue(json, error)}`);
  if ([data, data.text_config, data.vision_config].some(asksForCode)) {
    throw corrupt(
      'it asks for code from its repository ("auto_map" or "trust_remote_code"), and none is ever run. Use the original checkpoint',
    );
  }
  checkArchitecture(data);
  if (data.quantization_config != null) {
    const method = shown(data.quantization_config.quant_method ?? "unknown method");
    throw corrupt(
      `its weights are quantized already (${method}). Use the checkpoint in bf16, f16 or f32 that they were made from`,
    );
  }
}

/** Either of the two names is enough; both must be ours. */
function checkArchitecture({ model_type: type, architectures }: ModelKind): void {
  const names = [type, architectures?.[0]].filter((name) => name !== undefined);
  const found = names.map(shown).join(", ");
  if (names.includes("mllama_text_model") || names.includes("MllamaForCausalLM")) {
    throw corrupt(`this is the text half of the model without its eyes (${found}). ${WE_SERVE}`);
  }
  const areOurs = names.every(
    (name) => name === "mllama" || name === "MllamaForConditionalGeneration",
  );
  if (!areOurs || names.length === 0) {
    throw corrupt(`this is ${found || "a model of no named kind"}. ${WE_SERVE}`);
  }
}

const asksForCode = (part: Repository | undefined): boolean =>
  part !== undefined &&
  ((part.auto_map !== undefined && part.auto_map !== null) ||
    (part.trust_remote_code !== undefined && part.trust_remote_code !== false));

function visionConfig(file: VisionFile): VisionConfig {
  const { hidden_size: hiddenSize, intermediate_layers_indices: tapLayers } = file;
  const numHeads =
    onlyValue(file, "attention_heads", "num_attention_heads") ?? DEFAULT_VISION_HEADS;
  requireDivisible("vision hidden_size", hiddenSize, "attention_heads", numHeads);
  requireLayers("intermediate_layers_indices", tapLayers, file.num_hidden_layers);
  const outputSize = hiddenSize * (1 + tapLayers.length);
  if (file.vision_output_dim !== outputSize) {
    throw corrupt(
      `its "vision_output_dim" is ${file.vision_output_dim}, but the last state and ${tapLayers.length} taps of ${hiddenSize} make ${outputSize}`,
    );
  }
  return {
    hiddenSize,
    numHeads,
    headSize: hiddenSize / numHeads,
    intermediateSize: file.intermediate_size,
    numLocalLayers: file.num_hidden_layers,
    numGlobalLayers: file.num_global_layers,
    ...tiling(file),
    tapLayers,
    normEpsilon: file.norm_eps,
    outputSize,
  };
}

type Tiling = Pick<
  VisionConfig,
  | "tileSize"
  | "patchSize"
  | "patchesPerSide"
  | "numPatches"
  | "tokensPerTile"
  | "numPadTokens"
  | "maxTiles"
  | "aspectRatios"
>;

function tiling(file: VisionFile): Tiling {
  const { image_size: tileSize, patch_size: patchSize, max_num_tiles: maxTiles } = file;
  requireDivisible("image_size", tileSize, "patch_size", patchSize);
  const patchesPerSide = tileSize / patchSize;
  const numPatches = patchesPerSide ** 2;
  const tokensPerTile = numPatches + 1;
  if (
    maxTiles * tileSize ** 2 > MAX_CANVAS_PIXELS ||
    maxTiles * tokensPerTile > MAX_VISION_TOKENS
  ) {
    throw corrupt(
      `${maxTiles} tiles of ${tileSize} pixels in patches of ${patchSize} are more than ${MAX_CANVAS_PIXELS} pixels or ${MAX_VISION_TOKENS} tokens`,
    );
  }
  return {
    tileSize,
    patchSize,
    patchesPerSide,
    numPatches,
    tokensPerTile,
    numPadTokens: (TOKEN_GROUP - (tokensPerTile % TOKEN_GROUP)) % TOKEN_GROUP,
    maxTiles,
    aspectRatios: aspectRatios(file),
  };
}

/** The image processor numbers the grids by `max_num_tiles` alone, so a list can only repeat that. */
function aspectRatios({
  supported_aspect_ratios: listed,
  max_num_tiles: maxTiles,
}: VisionFile): TileGrid[] {
  const grids = tileGrids(maxTiles);
  const numbered = grids.map(({ rows, columns }) => [rows, columns]);
  if (listed !== undefined && JSON.stringify(listed) !== JSON.stringify(numbered)) {
    throw corrupt(
      `its "supported_aspect_ratios" ${shown(listed)} are not the grids of at most ${maxTiles} tiles in the processor's order, ${shown(numbered)}`,
    );
  }
  return grids;
}

function textConfig(file: TextFile): TextConfig {
  const { hidden_size: hiddenSize, num_attention_heads: numHeads, vocab_size: vocabSize } = file;
  const numKvHeads = file.num_key_value_heads;
  requireDivisible("num_attention_heads", numHeads, "num_key_value_heads", numKvHeads);
  if (file.head_dim == null) {
    requireDivisible("hidden_size", hiddenSize, "num_attention_heads", numHeads);
  }
  const headSize = file.head_dim ?? hiddenSize / numHeads;
  if (headSize % 2 !== 0) {
    throw corrupt(`its heads of ${headSize} channels have no pairs to rotate`);
  }
  requireLayers("cross_attention_layers", file.cross_attention_layers, file.num_hidden_layers);
  if (file.cross_attention_layers.length === file.num_hidden_layers) {
    throw corrupt(
      `its "cross_attention_layers" are all of its ${file.num_hidden_layers} layers, and at least one must be left for the text itself`,
    );
  }
  const numEmbeddings = vocabSize + EXTRA_EMBEDDINGS;
  const eosTokenIds = [file.eos_token_id].flat();
  requireRow("bos_token_id", file.bos_token_id, numEmbeddings);
  for (const id of eosTokenIds) requireRow("eos_token_id", id, vocabSize);
  if (file.pad_token_id != null) requireRow("pad_token_id", file.pad_token_id, numEmbeddings);
  return {
    vocabSize,
    numEmbeddings,
    hiddenSize,
    numLayers: file.num_hidden_layers,
    crossLayers: file.cross_attention_layers,
    numHeads,
    numKvHeads,
    headSize,
    intermediateSize: file.intermediate_size,
    rmsNormEpsilon: file.rms_norm_eps,
    maxPositions: file.max_position_embeddings,
    rope: ropeOf(file),
    bosTokenId: file.bos_token_id,
    eosTokenIds,
    padTokenId: file.pad_token_id ?? DEFAULT_PAD_TOKEN,
  };
}

/** Transformers 4 writes `rope_theta` and `rope_scaling`; 5 writes `rope_parameters` with both. */
function ropeOf(file: TextFile): Rope {
  const forms = [file.rope_parameters, file.rope_scaling].filter((form) => form != null);
  const [rope, other] = forms.map((form) => ropeOfForm(form, file.rope_theta));
  if (rope === undefined) return { theta: file.rope_theta ?? DEFAULT_THETA, scaling: undefined };
  if (other !== undefined && JSON.stringify(rope) !== JSON.stringify(other)) {
    throw corrupt(
      `its "rope_parameters" ${shown(file.rope_parameters)} contradict its "rope_scaling" ${shown(file.rope_scaling)}`,
    );
  }
  return rope;
}

function ropeOfForm(form: RopeFile, outerTheta: number | undefined): Rope {
  if (form.rope_theta !== undefined && outerTheta !== undefined && form.rope_theta !== outerTheta) {
    throw corrupt(`its "rope_theta" is ${outerTheta} and, inside, ${form.rope_theta}`);
  }
  const theta = form.rope_theta ?? outerTheta ?? DEFAULT_THETA;
  const type = form.rope_type ?? form.type ?? "default";
  if (type === "default") return { theta, scaling: undefined };
  if (type !== "llama3") {
    throw corrupt(`its RoPE scaling is "${shown(type)}"; this family has "llama3" or none`);
  }
  const { success, data, error } = Llama3File.safeParse(form);
  if (!success) throw corrupt(`its llama3 RoPE scaling ${describeJsonIssue(form, error)}`);
  const { low_freq_factor: lowFreqFactor, high_freq_factor: highFreqFactor } = data;
  if (lowFreqFactor >= highFreqFactor) {
    throw corrupt(
      `its "low_freq_factor" ${lowFreqFactor} is not below its "high_freq_factor" ${highFreqFactor}`,
    );
  }
  const { factor, original_max_position_embeddings: originalMaxPositions } = data;
  return { theta, scaling: { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } };
}

/** One number under two names: either, or both alike. */
function onlyValue<Name extends string, Alias extends string>(
  file: { readonly [key in Name | Alias]?: number | undefined },
  name: Name,
  alias: Alias,
): number | undefined {
  const [first, second] = [file[name], file[alias]];
  if (first !== undefined && second !== undefined && first !== second) {
    throw corrupt(`its "${name}" is ${first} and its "${alias}", the same thing, ${second}`);
  }
  return first ?? second;
}

function requireRow(what: string, row: number, numRows: number): void {
  if (row >= numRows) {
    throw corrupt(`its "${what}" is ${row}, and the last of its ${numRows} rows is ${numRows - 1}`);
  }
}

function requireDivisible(what: string, value: number, by: string, divisor: number): void {
  if (value % divisor !== 0) {
    throw corrupt(`its ${what} ${value} is no multiple of its ${by} ${divisor}`);
  }
}

function requireLayers(what: string, indices: readonly number[], numLayers: number): void {
  if (indices.length === 0)
    throw corrupt(`its "${what}" is empty; it must name at least one layer`);
  const isAscending = indices.every((index, i) => i === 0 || index > (indices[i - 1] ?? index));
  if (!isAscending || (indices.at(-1) ?? 0) >= numLayers) {
    throw corrupt(
      `its "${what}" ${shown(indices)} are no ascending indices below its ${numLayers} layers`,
    );
  }
}

function corrupt(what: string): PlatformError {
  return new PlatformError("corrupt_model_file", `config.json cannot be used: ${what}.`);
}
