/** Which tensors an Mllama checkpoint has, by their names on disk, and of which shape. */
import type { MllamaConfig, TextConfig, VisionConfig } from "./config.ts";

export type ExpectedTensors = ReadonlyMap<string, readonly number[]>;

/**
 * The name a tensor has in the published files, from a name that newer versions write.
 *
 * @see Transformers `conversion_mapping.py`
 */
export function legacyName(name: string): string {
  for (const [from, to] of renamedPrefixes) {
    if (name.startsWith(from)) return to + name.slice(from.length);
  }
  return name;
}

const renamedPrefixes = [
  ["model.language_model.", "language_model.model."],
  ["model.vision_model.", "vision_model."],
  ["model.multi_modal_projector.", "multi_modal_projector."],
  ["lm_head.", "language_model.lm_head."],
] as const;

/** Every tensor of a checkpoint with this configuration; shapes outermost axis first. */
export function expectedTensors({ vision, text }: MllamaConfig): ExpectedTensors {
  return new Map([
    ...visionTensors(vision),
    ["multi_modal_projector.weight", [text.hiddenSize, vision.outputSize]],
    ["multi_modal_projector.bias", [text.hiddenSize]],
    ...textTensors(text),
  ]);
}

type NamedShapes = [string, number[]][];

const prefixed = (prefix: string, shapes: NamedShapes): NamedShapes =>
  shapes.map(([name, shape]) => [prefix + name, shape]);

function visionTensors(config: VisionConfig): NamedShapes {
  const { hiddenSize, patchSize, tokensPerTile, maxTiles, aspectRatios } = config;
  const numIds = aspectRatios.length + 1;
  const tileEmbedding = (name: string): NamedShapes => [
    [`${name}.embedding.weight`, [numIds, maxTiles * hiddenSize]],
    [`${name}.gate`, [1]],
  ];
  const layers = (name: string, numLayers: number, isGated: boolean): NamedShapes =>
    Array.from({ length: numLayers }, (_, index) =>
      prefixed(`${name}.layers.${index}.`, visionLayer(config, isGated)),
    ).flat();
  return prefixed("vision_model.", [
    ["class_embedding", [hiddenSize]],
    ["patch_embedding.weight", [hiddenSize, 3, patchSize, patchSize]],
    ["gated_positional_embedding.embedding", [tokensPerTile, hiddenSize]],
    ["gated_positional_embedding.gate", [1]],
    [
      "gated_positional_embedding.tile_embedding.weight",
      [numIds, maxTiles * tokensPerTile * hiddenSize],
    ],
    ...tileEmbedding("pre_tile_positional_embedding"),
    ...tileEmbedding("post_tile_positional_embedding"),
    ...layerNorm("layernorm_pre", hiddenSize),
    ...layerNorm("layernorm_post", hiddenSize),
    ...layers("transformer", config.numLocalLayers, false),
    ...layers("global_transformer", config.numGlobalLayers, true),
  ]);
}

const layerNorm = (name: string, size: number): NamedShapes => [
  [`${name}.weight`, [size]],
  [`${name}.bias`, [size]],
];

function visionLayer(
  { hiddenSize, intermediateSize }: VisionConfig,
  isGated: boolean,
): NamedShapes {
  const gates: NamedShapes = isGated
    ? [
        ["gate_attn", [1]],
        ["gate_ffn", [1]],
      ]
    : [];
  return [
    ...projections("self_attn.", { hiddenSize, querySize: hiddenSize, kvSize: hiddenSize }),
    ["mlp.fc1.weight", [intermediateSize, hiddenSize]],
    ["mlp.fc1.bias", [intermediateSize]],
    ["mlp.fc2.weight", [hiddenSize, intermediateSize]],
    ["mlp.fc2.bias", [hiddenSize]],
    ...layerNorm("input_layernorm", hiddenSize),
    ...layerNorm("post_attention_layernorm", hiddenSize),
    ...gates,
  ];
}

function projections(
  prefix: string,
  sizes: { readonly hiddenSize: number; readonly querySize: number; readonly kvSize: number },
): NamedShapes {
  const { hiddenSize, querySize, kvSize } = sizes;
  return prefixed(prefix, [
    ["q_proj.weight", [querySize, hiddenSize]],
    ["k_proj.weight", [kvSize, hiddenSize]],
    ["v_proj.weight", [kvSize, hiddenSize]],
    ["o_proj.weight", [hiddenSize, querySize]],
  ]);
}

function textTensors(config: TextConfig): NamedShapes {
  const { hiddenSize, vocabSize, numEmbeddings, numLayers, crossLayers } = config;
  const layers = Array.from({ length: numLayers }, (_, index) =>
    prefixed(`model.layers.${index}.`, textLayer(config, crossLayers.includes(index))),
  ).flat();
  return prefixed("language_model.", [
    ["model.embed_tokens.weight", [numEmbeddings, hiddenSize]],
    ...layers,
    ["model.norm.weight", [hiddenSize]],
    ["lm_head.weight", [vocabSize, hiddenSize]],
  ]);
}

function textLayer(config: TextConfig, isCross: boolean): NamedShapes {
  const { hiddenSize, numHeads, numKvHeads, headSize, intermediateSize } = config;
  const sizes = { hiddenSize, querySize: numHeads * headSize, kvSize: numKvHeads * headSize };
  const attention: NamedShapes = isCross
    ? [
        ...projections("cross_attn.", sizes),
        ["cross_attn.q_norm.weight", [headSize]],
        ["cross_attn.k_norm.weight", [headSize]],
        ["cross_attn_attn_gate", [1]],
        ["cross_attn_mlp_gate", [1]],
      ]
    : projections("self_attn.", sizes);
  return [
    ...attention,
    ["mlp.gate_proj.weight", [intermediateSize, hiddenSize]],
    ["mlp.up_proj.weight", [intermediateSize, hiddenSize]],
    ["mlp.down_proj.weight", [hiddenSize, intermediateSize]],
    ["input_layernorm.weight", [hiddenSize]],
    ["post_attention_layernorm.weight", [hiddenSize]],
  ];
}
