/**
 * GGUF files of golden checkpoints as Ollama's converters would write them.
 *
 * The renaming and the changes are written down here once more, in the converter's own way (a list of
 * replacements, numbers moved one by one), so that the loader is not compared with itself.
 *
 * @see hubs.md, last section; Ollama `convert/convert_mllama.go`, `llama/mllama.cpp`
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layOutGguf, type PlannedTensor } from "../../src/formats/gguf-layout.ts";
import type { GgufValue } from "../../src/formats/gguf-types.ts";
import { readFixture } from "./golden.ts";

export type StoredDtype = "F32" | "F16" | "BF16";

export type GgufTensor = { readonly shape: readonly number[]; readonly data: Float32Array };

/** Of a checkpoint in float32 or bfloat16, by its files' names. */
function checkpointTensors(directory: string): Map<string, GgufTensor> {
  const path = join(directory, "model.safetensors");
  const tensors = new Map(readFixture(path));
  return tensors.size > 0 ? tensors : widenedTensors(path);
}

function widenedTensors(path: string): Map<string, GgufTensor> {
  const bytes = readFileSync(path);
  const dataStart = 8 + Number(bytes.readBigUInt64LE(0));
  const table = JSON.parse(bytes.subarray(8, dataStart).toString()) as Record<
    string,
    { readonly shape: number[]; readonly data_offsets: [number, number] }
  >;
  return new Map(
    Object.entries(table)
      .filter(([name]) => name !== "__metadata__")
      .map(([name, { shape, data_offsets: offsets }]) => {
        const [from, to] = offsets;
        const data = new Float32Array((to - from) / 2);
        const words = new Uint32Array(data.buffer);
        for (const index of words.keys()) {
          words[index] = bytes.readUInt16LE(dataStart + from + 2 * index) << 16;
        }
        return [name, { shape, data }];
      }),
  );
}

/** Vectors stay in float32, as converters leave them. */
function writeGgufFile(
  path: string,
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: ReadonlyMap<string, GgufTensor>,
  dtype: StoredDtype,
): void {
  const planned = [...tensors].map(
    ([name, { shape }]): PlannedTensor => ({
      name,
      shape,
      dtype: shape.filter((extent) => extent > 1).length > 1 ? dtype : "F32",
    }),
  );
  const layout = layOutGguf(metadata, planned);
  const bytes = Buffer.alloc(layout.fileBytes);
  bytes.set(layout.head);
  for (const placed of layout.tensors) {
    const { data } = tensors.get(placed.name) ?? { data: new Float32Array() };
    bytes.set(storedBytes(data, placed.dtype), placed.offset);
  }
  writeFileSync(path, bytes);
}

/** Numbers as a file holds them; nearest, ties to even. */
export function storedBytes(data: Float32Array, dtype: string): Uint8Array {
  if (dtype === "F32") return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const words = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const halves = new Uint16Array(data.length);
  for (const [index, value] of data.entries()) {
    halves[index] = dtype === "BF16" ? roundToBf16(words[index] ?? 0) : toHalf(value);
  }
  return new Uint8Array(halves.buffer);
}

const roundToBf16 = (word: number): number => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;

/** Nearest half, ties to even; within its range. */
function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size < 2 ** -14) return sign | roundToEven(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  const fraction = roundToEven((size / 2 ** exponent - 1) * 1024);
  return sign | (((exponent + 15) << 10) + fraction);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

// ----------------------------------------------------------------------------------- Ollama

/** `single` as since #10807; `single of May 2025` is older by a month. */
export type OllamaKind = "single" | "single of May 2025" | "pair";

const textReplacements = [
  ["lm_head", "output"],
  ["model.embed_tokens", "token_embd"],
  ["model.norm", "output_norm"],
  ["model.layers", "blk"],
  ["input_layernorm", "attn_norm"],
  ["self_attn.q_proj", "attn_q"],
  ["self_attn.k_proj", "attn_k"],
  ["self_attn.v_proj", "attn_v"],
  ["self_attn.o_proj", "attn_output"],
  ["mlp.gate_proj", "ffn_gate"],
  ["mlp.down_proj", "ffn_down"],
  ["mlp.up_proj", "ffn_up"],
  ["post_attention_layernorm", "ffn_norm"],
  ["language_model.", ""],
  ["cross_attn.", "cross_attn_"],
] as const;

const visionReplacements = [
  ["gate_attn", "attn_gate"],
  ["gate_ffn", "ffn_gate"],
  ["vision_model", "v"],
  ["class_embedding", "class_embd"],
  ["patch_embedding", "patch_embd"],
  ["gated_positional_embedding.tile_embedding", "tile_position_embd"],
  ["gated_positional_embedding.embedding", "position_embd.weight"],
  ["gated_positional_embedding", "position_embd"],
  ["pre_tile_positional_embedding.embedding", "pre_tile_position_embd"],
  ["post_tile_positional_embedding.embedding", "post_tile_position_embd"],
  ["pre_tile_positional_embedding", "pre_tile_position_embd"],
  ["post_tile_positional_embedding", "post_tile_position_embd"],
  ["layernorm_pre", "pre_ln"],
  ["layernorm_post", "post_ln"],
  ["global_transformer.layers", "global.blk"],
  ["transformer.layers", "blk"],
  ["multi_modal_projector", "mm.0"],
] as const;

const blockReplacements = {
  single: [
    ["input_layernorm", "attn_norm"],
    ["post_attention_layernorm", "ffn_norm"],
    ["self_attn.q_proj", "attn_q"],
    ["self_attn.k_proj", "attn_k"],
    ["self_attn.v_proj", "attn_v"],
    ["self_attn.o_proj", "attn_output"],
    ["mlp.fc1", "ffn_up"],
    ["mlp.fc2", "ffn_down"],
  ],
  pair: [
    ["input_layernorm", "ln1"],
    ["post_attention_layernorm", "ln2"],
    ["self_attn.q_proj", "attn_q"],
    ["self_attn.k_proj", "attn_k"],
    ["self_attn.v_proj", "attn_v"],
    ["self_attn.o_proj", "attn_out"],
    ["mlp.fc1", "ffn_down"],
    ["mlp.fc2", "ffn_up"],
  ],
} as const;

const isVision = (name: string): boolean => /^(vision_model|multi_modal_projector)\./.test(name);

function renamed(name: string, kind: OllamaKind): string {
  const replacements = isVision(name)
    ? [...visionReplacements, ...blockReplacements[kind === "pair" ? "pair" : "single"]]
    : textReplacements;
  return replacements.reduce((text, [from, to]) => text.replace(from, to), name);
}

type RopeScaling = {
  readonly factor?: number;
  readonly low_freq_factor?: number;
  readonly high_freq_factor?: number;
  readonly original_max_position_embeddings?: number;
};

type Config = {
  readonly image_token_index: number;
  readonly text_config: {
    readonly cross_attention_layers: readonly number[];
    readonly rope_theta?: number;
    readonly num_hidden_layers: number;
    readonly max_position_embeddings: number;
    readonly hidden_size: number;
    readonly intermediate_size: number;
    readonly num_attention_heads: number;
    readonly num_key_value_heads: number;
    readonly rms_norm_eps: number;
    readonly vocab_size: number;
    readonly rope_scaling?: RopeScaling;
    /** As Transformers 5 writes it. */
    readonly rope_parameters?: RopeScaling & { readonly rope_theta: number };
  };
  readonly vision_config: Readonly<Record<string, number>> & {
    readonly intermediate_layers_indices: readonly number[];
  };
};

const ropeTheta = (config: Config["text_config"]): number =>
  config.rope_theta ?? config.rope_parameters?.rope_theta ?? 1;

/** Rows of each head from `[2, d/2]` to `[d/2, 2]`. */
function regrouped({ shape, data }: GgufTensor, numHeads: number): GgufTensor {
  const [numRows = 0, width = 0] = shape;
  const headSize = numRows / numHeads;
  const moved = new Float32Array(data.length);
  for (let head = 0; head < numHeads; head++) {
    for (let part = 0; part < 2; part++) {
      for (let pair = 0; pair < headSize / 2; pair++) {
        const from = head * headSize + part * (headSize / 2) + pair;
        const to = head * headSize + pair * 2 + part;
        moved.set(data.subarray(from * width, (from + 1) * width), to * width);
      }
    }
  }
  return { shape, data: moved };
}

function ropeFactors({ text_config: text }: Config): GgufTensor | undefined {
  const scaling = text.rope_scaling ?? text.rope_parameters;
  if (scaling?.factor === undefined) return undefined;
  const { factor, low_freq_factor: low = 1, high_freq_factor: high = 1 } = scaling;
  const { original_max_position_embeddings: longest = 1 } = scaling;
  const headSize = text.hidden_size / text.num_attention_heads;
  const data = Float32Array.from({ length: headSize / 2 }, (_, pair) => {
    const wavelength = 2 * Math.PI * ropeTheta(text) ** ((2 * pair) / headSize);
    if (wavelength < longest / high) return 1;
    if (wavelength > longest / low) return factor;
    const smooth = (longest / wavelength - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
  return { shape: [headSize / 2], data };
}

/** One tensor of the checkpoint → one or two of the file. */
function converted(
  name: string,
  tensor: GgufTensor,
  { text_config: text, vision_config: vision }: Config,
  kind: OllamaKind,
): [string, GgufTensor][] {
  const stored = renamed(name, kind);
  const tanhed = { ...tensor, data: tensor.data.map((value) => Math.tanh(value)) };
  if (stored === "v.position_embd.gate") {
    const rest = { ...tanhed, data: tanhed.data.map((value) => 1 - value) };
    return [
      ["v.position_embd.gate", rest],
      ["v.tile_position_embd.gate", tanhed],
    ];
  }
  if (/^v\.(pre|post)_tile_position_embd\.gate$/.test(stored)) return [[stored, tanhed]];
  if (/^v\.global\..*(attn|ffn)_gate$/.test(stored)) {
    return [[stored, kind === "single of May 2025" ? tensor : tanhed]];
  }
  const projection = /attn_([qk])(_proj)?\.weight$/.exec(stored)?.[1];
  if (projection === undefined) return [[stored, tensor]];
  if (isVision(name)) {
    return [
      [stored, kind === "single" ? regrouped(tensor, vision["attention_heads"] ?? 1) : tensor],
    ];
  }
  const numHeads = text[projection === "q" ? "num_attention_heads" : "num_key_value_heads"];
  return [[stored, regrouped(tensor, numHeads)]];
}

const u32 = (value = 0): GgufValue => ({ type: "u32", value });
const f32 = (value = 0): GgufValue => ({ type: "f32", value });
const i32s = (value: readonly number[]): GgufValue => ({ type: "array", of: "i32", value });
const text = (value: string): GgufValue => ({ type: "string", value });

function textMetadata(directory: string, { text_config: config }: Config): [string, GgufValue][] {
  return [
    ["general.architecture", text("mllama")],
    ["mllama.block_count", u32(config.num_hidden_layers)],
    ["mllama.context_length", u32(config.max_position_embeddings)],
    ["mllama.embedding_length", u32(config.hidden_size)],
    ["mllama.feed_forward_length", u32(config.intermediate_size)],
    ["mllama.attention.head_count", u32(config.num_attention_heads)],
    ["mllama.attention.head_count_kv", u32(config.num_key_value_heads)],
    ["mllama.attention.layer_norm_rms_epsilon", f32(config.rms_norm_eps)],
    ["mllama.rope.freq_base", f32(ropeTheta(config))],
    ["mllama.rope.dimension_count", u32(config.hidden_size / config.num_attention_heads)],
    ["mllama.vocab_size", u32(config.vocab_size)],
    ["mllama.attention.cross_attention_layers", i32s(config.cross_attention_layers)],
    ...tokenizerMetadata(directory),
  ];
}

function visionMetadata({ vision_config: config }: Config): [string, GgufValue][] {
  const prefix = "mllama.vision.";
  return [
    [`${prefix}block_count`, u32(config["num_hidden_layers"])],
    [`${prefix}global.block_count`, u32(config["num_global_layers"])],
    [`${prefix}intermediate_layers_indices`, i32s(config.intermediate_layers_indices)],
    [`${prefix}embedding_length`, u32(config["hidden_size"])],
    [`${prefix}feed_forward_length`, u32(config["intermediate_size"])],
    [`${prefix}attention.head_count`, u32(config["attention_heads"])],
    [`${prefix}attention.layer_norm_epsilon`, f32(config["norm_eps"])],
    [`${prefix}image_size`, u32(config["image_size"])],
    [`${prefix}patch_size`, u32(config["patch_size"])],
    [`${prefix}max_num_tiles`, u32(config["max_num_tiles"])],
    [`${prefix}num_channels`, u32(config["num_channels"])],
  ];
}

type TokenizerJson = {
  readonly model: {
    readonly vocab: Record<string, number>;
    readonly merges: (string | string[])[];
  };
  readonly added_tokens: readonly { readonly id: number; readonly content: string }[];
};

const NORMAL = 1;
const CONTROL = 3;

function tokenizerMetadata(directory: string): [string, GgufValue][] {
  const { model, added_tokens: added } = readJson<TokenizerJson>(directory, "tokenizer.json");
  const { bos_token_id: bos, eos_token_id: eos } = readJson<{
    readonly bos_token_id: number;
    readonly eos_token_id: number | number[];
  }>(directory, "generation_config.json");
  const tokens: string[] = [];
  const types: number[] = [];
  for (const [token, id] of Object.entries(model.vocab)) tokens[id] = token;
  for (const { id, content } of added) tokens[id] = content;
  const control = new Set(added.map(({ id }) => id));
  for (const id of tokens.keys()) types.push(control.has(id) ? CONTROL : NORMAL);
  const merges = model.merges.map((merge) => (typeof merge === "string" ? merge : merge.join(" ")));
  const ends = [eos].flat();
  return [
    ["tokenizer.ggml.model", text("gpt2")],
    ["tokenizer.ggml.pre", text("llama-bpe")],
    ["tokenizer.ggml.tokens", { type: "array", of: "string", value: tokens }],
    ["tokenizer.ggml.token_type", i32s(types)],
    ["tokenizer.ggml.merges", { type: "array", of: "string", value: merges }],
    ["tokenizer.ggml.bos_token_id", u32(bos)],
    ["tokenizer.ggml.eos_token_id", u32(ends[0])],
    ["tokenizer.ggml.eos_token_ids", i32s(ends)],
    ["tokenizer.ggml.add_bos_token", { type: "bool", value: true }],
  ];
}

function readJson<Json>(directory: string, name: string): Json {
  return JSON.parse(readFileSync(join(directory, name), "utf8")) as Json;
}

/**
 * Write what Ollama would keep of a checkpoint in float32.
 *
 * @param folder gets `model.gguf`, and `projector.gguf` for a pair
 */
export function writeOllamaFiles(
  checkpoint: string,
  folder: string,
  { kind, dtype }: { readonly kind: OllamaKind; readonly dtype: StoredDtype },
): { readonly model: string; readonly projector: string | undefined } {
  const config = readJson<Config>(checkpoint, "config.json");
  const vision = new Map<string, GgufTensor>();
  const words = new Map<string, GgufTensor>();
  for (const [name, tensor] of checkpointTensors(checkpoint)) {
    for (const [stored, data] of converted(name, tensor, config, kind)) {
      (isVision(name) ? vision : words).set(stored, data);
    }
  }
  const factors = ropeFactors(config);
  if (factors !== undefined) words.set("rope_freqs.weight", factors);
  const model = join(folder, "model.gguf");
  if (kind !== "pair") {
    const metadata = new Map([...textMetadata(checkpoint, config), ...visionMetadata(config)]);
    writeGgufFile(model, metadata, new Map([...vision, ...words]), dtype);
    return { model, projector: undefined };
  }
  const projector = join(folder, "projector.gguf");
  writeGgufFile(model, new Map(textMetadata(checkpoint, config)), words, dtype);
  const about = new Map([["general.architecture", text("mllama")], ...visionMetadata(config)]);
  writeGgufFile(projector, about, vision, dtype);
  return { model, projector };
}
