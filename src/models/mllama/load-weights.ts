/**
 * Weights of a checkpoint → tensors on the device.
 *
 * Matrices stay where they lie in the safetensors files: the CPU multiplies from the mapped file. Those of
 * a card are copied to it from the same mapping.
 * Vectors, gates and small tables are read and widened to float32, because ggml adds and multiplies
 * element by element in float32 only.
 */

import { readTensorF32 } from "../../formats/convert.ts";
import { openRegularFile, readBytes } from "../../formats/regular-file.ts";
import type { TensorEntry } from "../../formats/tensor-entry.ts";
import type { Backend } from "../../ggml/backend.ts";
import { CPU } from "../../ggml/device.ts";
import type { Dtype } from "../../ggml/dtype.ts";
import { type Tensor, tensorBytes } from "../../ggml/tensor.ts";
import type { MappedTensorSpec, TensorSpec } from "../../ggml/tensor-set.ts";
import { byDevice, TensorSets } from "../../ggml/tensor-sets.ts";
import type { LayerNormWeights } from "../../nn/layer-norm.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type {
  AttentionWeights,
  MllamaWeights,
  TextLayerWeights,
  TextWeights,
  VisionLayerWeights,
  VisionWeights,
} from "./model-weights.ts";
import { allOn, cardsOf, deviceOfTensor, type Placement } from "./placement.ts";
import { isGate, isMatrix, isTileEmbedding } from "./weight-kinds.ts";

/** Loaded weights and the memory behind them. */
export type LoadedWeights = MllamaWeights & Disposable & { readonly sizeBytes: number };

/** Called with the fraction done, and with the bytes it is of where cards are filled. */
type OnLoaded = (fraction: number, totalBytes?: number) => void;

/**
 * @param options.placement all on the processor when absent
 */
export async function loadWeights(
  backend: Backend,
  checkpoint: Checkpoint,
  {
    placement = allOn(CPU, checkpoint.config.text.numLayers),
    onLoaded = () => {},
  }: { readonly placement?: Placement; readonly onLoaded?: OnLoaded } = {},
): Promise<LoadedWeights> {
  const source = await WeightSource.load(backend, checkpoint, { placement, onLoaded });
  try {
    return {
      vision: describeVision(checkpoint, source),
      text: describeText(checkpoint, source),
      sizeBytes: source.sizeBytes,
      [Symbol.dispose]: () => source[Symbol.dispose](),
    };
  } catch (error) {
    source[Symbol.dispose]();
    throw error;
  }
}

const V = "vision_model.";
const T = "language_model.model.";

function describeVision({ config }: Checkpoint, source: WeightSource): VisionWeights {
  const tileTable = (which: string): Tensor =>
    source.vector(`${V}${which}_tile_positional_embedding.embedding.weight`);
  const norm = (name: string): LayerNormWeights => layerNormOf(source, V + name);
  const layers = (kind: string, numLayers: number, isGated: boolean): VisionLayerWeights[] =>
    Array.from({ length: numLayers }, (_, index) =>
      describeVisionLayer(source, `${V}${kind}.layers.${index}.`, isGated),
    );
  return {
    patchEmbedding: source.matrix(`${V}patch_embedding.weight`),
    classEmbedding: source.vector(`${V}class_embedding`),
    positionEmbedding: source.matrix(`${V}gated_positional_embedding.embedding`),
    tilePositionEmbedding: source.matrix(`${V}gated_positional_embedding.tile_embedding.weight`),
    positionGate: source.gate(`${V}gated_positional_embedding.gate`),
    preTileEmbedding: tileTable("pre"),
    postTileEmbedding: tileTable("post"),
    preNorm: norm("layernorm_pre"),
    postNorm: norm("layernorm_post"),
    localLayers: layers("transformer", config.vision.numLocalLayers, false),
    globalLayers: layers("global_transformer", config.vision.numGlobalLayers, true),
    projector: source.matrix("multi_modal_projector.weight"),
    projectorBias: source.vector("multi_modal_projector.bias"),
    hasZeroTileTables: source.hasZeroTileTables,
  };
}

function layerNormOf(source: WeightSource, name: string): LayerNormWeights {
  return {
    weight: source.vector(`${name}.weight`),
    bias: source.vector(`${name}.bias`),
  };
}

function describeVisionLayer(
  source: WeightSource,
  prefix: string,
  isGated: boolean,
): VisionLayerWeights {
  return {
    attentionNorm: layerNormOf(source, `${prefix}input_layernorm`),
    attention: attentionOf(source, `${prefix}self_attn.`),
    mlpNorm: layerNormOf(source, `${prefix}post_attention_layernorm`),
    mlp: {
      fc1: source.matrix(`${prefix}mlp.fc1.weight`),
      fc1Bias: source.vector(`${prefix}mlp.fc1.bias`),
      fc2: source.matrix(`${prefix}mlp.fc2.weight`),
      fc2Bias: source.vector(`${prefix}mlp.fc2.bias`),
    },
    attentionGate: isGated ? source.gate(`${prefix}gate_attn`) : 1,
    mlpGate: isGated ? source.gate(`${prefix}gate_ffn`) : 1,
  };
}

function attentionOf(source: WeightSource, prefix: string): AttentionWeights {
  return {
    query: source.matrix(`${prefix}q_proj.weight`),
    key: source.matrix(`${prefix}k_proj.weight`),
    value: source.matrix(`${prefix}v_proj.weight`),
    output: source.matrix(`${prefix}o_proj.weight`),
  };
}

function describeText({ config, form }: Checkpoint, source: WeightSource): TextWeights {
  return {
    embedding: source.matrix(`${T}embed_tokens.weight`),
    layers: Array.from({ length: config.text.numLayers }, (_, index) =>
      describeTextLayer({ config, form }, source, index),
    ),
    norm: source.vector(`${T}norm.weight`),
    head: source.matrix("language_model.lm_head.weight"),
  };
}

function describeTextLayer(
  { config: { text }, form }: Pick<Checkpoint, "config" | "form">,
  source: WeightSource,
  index: number,
): TextLayerWeights {
  const prefix = `${T}layers.${index}.`;
  const common = {
    attentionNorm: source.vector(`${prefix}input_layernorm.weight`),
    mlpNorm: source.vector(`${prefix}post_attention_layernorm.weight`),
    mlp: {
      gate: source.matrix(`${prefix}mlp.gate_proj.weight`),
      up: source.matrix(`${prefix}mlp.up_proj.weight`),
      down: source.matrix(`${prefix}mlp.down_proj.weight`),
    },
  };
  if (!text.crossLayers.includes(index)) {
    const attention = attentionOf(source, `${prefix}self_attn.`);
    return { type: "self", attention, headChannels: form.headChannels, ...common };
  }
  return {
    type: "cross",
    attention: attentionOf(source, `${prefix}cross_attn.`),
    queryNorm: source.vector(`${prefix}cross_attn.q_norm.weight`),
    keyNorm: source.vector(`${prefix}cross_attn.k_norm.weight`),
    attentionGate: source.gate(`${prefix}cross_attn_attn_gate`),
    mlpGate: source.gate(`${prefix}cross_attn_mlp_gate`),
    ...common,
  };
}

const ggmlDtypes: Readonly<Record<string, Dtype>> = {
  F32: "f32",
  F16: "f16",
  BF16: "bf16",
  Q8_0: "q8_0",
  Q6_K: "q6_k",
  Q5_K: "q5_k",
  Q4_K: "q4_k",
  Q4_0: "q4_0",
};

/** Tensors by legacy file name, as the model uses them. */
class WeightSource implements Disposable {
  readonly hasZeroTileTables: boolean;
  readonly #matrices: TensorSets;
  readonly #vectors: TensorSets;
  readonly #gates: ReadonlyMap<string, number>;

  private constructor(parts: {
    readonly matrices: TensorSets;
    readonly vectors: TensorSets;
    readonly gates: ReadonlyMap<string, number>;
    readonly hasZeroTileTables: boolean;
  }) {
    this.#matrices = parts.matrices;
    this.#vectors = parts.vectors;
    this.#gates = parts.gates;
    this.hasZeroTileTables = parts.hasZeroTileTables;
  }

  static async load(
    backend: Backend,
    checkpoint: Checkpoint,
    { placement, onLoaded }: { readonly placement: Placement; readonly onLoaded: OnLoaded },
  ): Promise<WeightSource> {
    const matrices = new Map<string, MappedTensorSpec>();
    const vectors = new Map<string, TensorSpec>();
    const gates = new Map<string, number>();
    for (const [name, entry] of checkpoint.tensors) {
      if (isGate(name)) {
        const [value = 0] = await readTensorF32(entry);
        gates.set(name, checkpoint.form.tanhedGates.has(name) ? value : Math.tanh(value));
      } else if (isMatrix(name, entry.shape)) {
        matrices.set(name, matrixSpec(checkpoint, name, entry));
      } else {
        vectors.set(name, { dtype: "f32", shape: vectorShape(checkpoint, name, entry) });
      }
    }
    const deviceOf = (name: string): string => deviceOfTensor(placement, name);
    const hasZeroTileTables = await areUnusedSlotsZero(checkpoint);
    const loaded = { matrices: new TensorSets(), vectors: new TensorSets() };
    try {
      for (const [device, specs] of byDevice(vectors, deviceOf)) {
        loaded.vectors.add(specs, backend.allocate(specs, { device, isForWeights: true }));
      }
      await loadMatrices(backend, byDevice(matrices, deviceOf), {
        into: loaded.matrices,
        onLoaded,
      });
      const source = new WeightSource({ ...loaded, gates, hasZeroTileTables });
      let numRead = 0;
      const areMapped = cardsOf(placement).length === 0;
      for (const name of vectors.keys()) {
        await source.#readVector(checkpoint, name);
        if (areMapped) onLoaded(++numRead / vectors.size);
      }
      return source;
    } catch (error) {
      loaded.matrices[Symbol.dispose]();
      loaded.vectors[Symbol.dispose]();
      throw error;
    }
  }

  get sizeBytes(): number {
    return this.#matrices.sizeBytes + this.#vectors.sizeBytes;
  }

  /** In place, at the file's own dtype: `[out, in]`. */
  matrix(name: string): Tensor {
    return this.#matrices.get(name);
  }

  /** In float32. */
  vector(name: string): Tensor {
    return this.#vectors.get(name);
  }

  /** `tanh` of a one-element tensor. */
  gate(name: string): number {
    const gate = this.#gates.get(name);
    if (gate === undefined) throw new Error(`the checkpoint has no ${name}`);
    return gate;
  }

  [Symbol.dispose](): void {
    this.#matrices[Symbol.dispose]();
    this.#vectors[Symbol.dispose]();
  }

  /** Tile embeddings are only ever used multiplied by `tanh` of their gate, so they are kept that way. */
  async #readVector({ tensors, form }: Checkpoint, name: string): Promise<void> {
    const entry = tensors.get(name);
    if (entry === undefined) throw new Error(`the checkpoint has no ${name}`);
    const stored = await readTensorF32(entry);
    const isInterleaved = form.headChannels === "interleaved" && isHeadNorm(name);
    const data = isInterleaved ? interleaved(stored) : stored;
    const gate = isTileEmbedding(name)
      ? this.gate(name.replace(/embedding\.weight$/, "gate"))
      : undefined;
    const scaled = gate === undefined ? data : data.map((value) => value * gate);
    this.#vectors.write(name, scaled);
  }
}

/** The processor's are mapped, which takes no time; a card's are copied to it. */
async function loadMatrices(
  backend: Backend,
  matrices: ReadonlyMap<string, ReadonlyMap<string, MappedTensorSpec>>,
  { into, onLoaded }: { readonly into: TensorSets; readonly onLoaded: OnLoaded },
): Promise<void> {
  const ofCards = [...matrices].filter(([device]) => device !== CPU);
  const totalBytes = ofCards
    .flatMap(([, specs]) => [...specs.values()])
    .reduce((sum, { dtype, shape }) => sum + tensorBytes(dtype, shape), 0);
  const onCpu = matrices.get(CPU);
  if (onCpu !== undefined) into.add(onCpu, backend.map(onCpu));
  let before = 0;
  for (const [device, specs] of ofCards) {
    const set = await backend.upload(specs, device, (numBytes) =>
      onLoaded((before + numBytes) / totalBytes, totalBytes),
    );
    before += [...specs.values()].reduce(
      (sum, spec) => sum + tensorBytes(spec.dtype, spec.shape),
      0,
    );
    into.add(specs, set);
  }
}

/** Of cross-attention, one weight a channel of a head. */
const isHeadNorm = (name: string): boolean => /\.cross_attn\.[qk]_norm\.weight$/.test(name);

/**
 * A head's vector in the order that its projections' rows have: the halves in turns. Cross-attention
 * rotates nothing, so with its norms in the same order its scores come out alike.
 */
function interleaved(halves: Float32Array): Float32Array {
  const half = halves.length / 2;
  return halves.map((_, channel) => halves[(channel % 2) * half + (channel >> 1)] ?? 0);
}

function matrixSpec(
  { config }: Checkpoint,
  name: string,
  { dtype, shape, path, offset }: TensorEntry,
): MappedTensorSpec {
  const ggmlDtype = ggmlDtypes[dtype];
  if (ggmlDtype === undefined) throw new Error(`${name} has the dtype ${dtype}`);
  const numElements = shape.reduce((product, extent) => product * extent, 1);
  const width = name.endsWith("patch_embedding.weight")
    ? 3 * config.vision.patchSize ** 2
    : name.endsWith("tile_embedding.weight")
      ? config.vision.hiddenSize
      : (shape.at(-1) ?? 1);
  return { dtype: ggmlDtype, shape: [numElements / width, width], path, offset };
}

function vectorShape({ config }: Checkpoint, name: string, { shape }: TensorEntry): number[] {
  const { hiddenSize } = config.vision;
  const [numRows = 1, width = 1] = shape;
  if (isTileEmbedding(name)) return [(numRows * width) / hiddenSize, hiddenSize];
  return name.endsWith("class_embedding") ? [1, hiddenSize] : [...shape];
}

/**
 * Whether the three tile tables hold zeros for the slots that an aspect ratio leaves unused, as in
 * the released checkpoints. Only then do unused tiles stay identical to each other.
 */
async function areUnusedSlotsZero({ config, tensors }: Checkpoint): Promise<boolean> {
  const { aspectRatios, maxTiles } = config.vision;
  const tables = [
    "pre_tile_positional_embedding.embedding.weight",
    "gated_positional_embedding.tile_embedding.weight",
    "post_tile_positional_embedding.embedding.weight",
  ];
  for (const name of tables) {
    const entry = tensors.get(V + name);
    if (entry === undefined) return false;
    const rowBytes = entry.sizeBytes / (aspectRatios.length + 1);
    for (const [index, { rows, columns }] of aspectRatios.entries()) {
      const unused = (maxTiles - rows * columns) * (rowBytes / maxTiles);
      const offset = entry.offset + (index + 2) * rowBytes - unused;
      if (!(await isZero({ ...entry, offset, sizeBytes: unused }))) return false;
    }
  }
  return true;
}

const ZERO_PIECE_BYTES = 1 << 22;
const zeros = Buffer.alloc(ZERO_PIECE_BYTES);

/** The table of the 11B has 148 MB: bytes are compared, and numbers only where they are not all zero. */
async function isZero(part: TensorEntry): Promise<boolean> {
  const file = await openRegularFile(part.path);
  try {
    for (let done = 0; done < part.sizeBytes; done += ZERO_PIECE_BYTES) {
      const sizeBytes = Math.min(ZERO_PIECE_BYTES, part.sizeBytes - done);
      const offset = part.offset + done;
      const bytes = await readBytes(file, { offset, sizeBytes });
      if (zeros.subarray(0, sizeBytes).equals(bytes)) continue;
      // A zero may have a sign.
      const numbers = await readTensorF32({ ...part, offset, sizeBytes });
      if (!numbers.every((value) => value === 0)) return false;
    }
    return true;
  } finally {
    await file.close();
  }
}
