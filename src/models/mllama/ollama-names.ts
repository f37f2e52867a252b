/**
 * What Ollama's converters call the tensors of this family.
 *
 * @see Ollama `convert/convert_mllama.go` (one file) and `llama/mllama.cpp` (text and projector)
 */

/** One file with everything (since May 2025), or a text model and a projector beside it (before). */
export type OllamaForm = "single" | "pair";

const textLayer: Readonly<Record<string, string>> = {
  "input_layernorm.weight": "attn_norm.weight",
  "post_attention_layernorm.weight": "ffn_norm.weight",
  "self_attn.q_proj.weight": "attn_q.weight",
  "self_attn.k_proj.weight": "attn_k.weight",
  "self_attn.v_proj.weight": "attn_v.weight",
  "self_attn.o_proj.weight": "attn_output.weight",
  "mlp.gate_proj.weight": "ffn_gate.weight",
  "mlp.up_proj.weight": "ffn_up.weight",
  "mlp.down_proj.weight": "ffn_down.weight",
  "cross_attn.q_proj.weight": "cross_attn_q_proj.weight",
  "cross_attn.k_proj.weight": "cross_attn_k_proj.weight",
  "cross_attn.v_proj.weight": "cross_attn_v_proj.weight",
  "cross_attn.o_proj.weight": "cross_attn_o_proj.weight",
  "cross_attn.q_norm.weight": "cross_attn_q_norm.weight",
  "cross_attn.k_norm.weight": "cross_attn_k_norm.weight",
  cross_attn_attn_gate: "cross_attn_attn_gate",
  cross_attn_mlp_gate: "cross_attn_mlp_gate",
};

/** In the two forms; the pair's names for the feed-forward block are the other way round. */
const visionLayer: Readonly<Record<string, Readonly<Record<OllamaForm, string>>>> = {
  "input_layernorm.weight": { single: "attn_norm.weight", pair: "ln1.weight" },
  "input_layernorm.bias": { single: "attn_norm.bias", pair: "ln1.bias" },
  "post_attention_layernorm.weight": { single: "ffn_norm.weight", pair: "ln2.weight" },
  "post_attention_layernorm.bias": { single: "ffn_norm.bias", pair: "ln2.bias" },
  "self_attn.q_proj.weight": { single: "attn_q.weight", pair: "attn_q.weight" },
  "self_attn.k_proj.weight": { single: "attn_k.weight", pair: "attn_k.weight" },
  "self_attn.v_proj.weight": { single: "attn_v.weight", pair: "attn_v.weight" },
  "self_attn.o_proj.weight": { single: "attn_output.weight", pair: "attn_out.weight" },
  "mlp.fc1.weight": { single: "ffn_up.weight", pair: "ffn_down.weight" },
  "mlp.fc1.bias": { single: "ffn_up.bias", pair: "ffn_down.bias" },
  "mlp.fc2.weight": { single: "ffn_down.weight", pair: "ffn_up.weight" },
  "mlp.fc2.bias": { single: "ffn_down.bias", pair: "ffn_up.bias" },
  gate_attn: { single: "attn_gate", pair: "attn_gate" },
  gate_ffn: { single: "ffn_gate", pair: "ffn_gate" },
};

const others: Readonly<Record<string, string>> = {
  "language_model.lm_head.weight": "output.weight",
  "language_model.model.embed_tokens.weight": "token_embd.weight",
  "language_model.model.norm.weight": "output_norm.weight",
  "vision_model.patch_embedding.weight": "v.patch_embd.weight",
  "vision_model.class_embedding": "v.class_embd",
  "vision_model.gated_positional_embedding.embedding": "v.position_embd.weight",
  "vision_model.gated_positional_embedding.tile_embedding.weight": "v.tile_position_embd.weight",
  // Its tanh; what is left of one to it is `v.position_embd.gate`.
  "vision_model.gated_positional_embedding.gate": "v.tile_position_embd.gate",
  "vision_model.pre_tile_positional_embedding.embedding.weight": "v.pre_tile_position_embd.weight",
  "vision_model.pre_tile_positional_embedding.gate": "v.pre_tile_position_embd.gate",
  "vision_model.post_tile_positional_embedding.embedding.weight":
    "v.post_tile_position_embd.weight",
  "vision_model.post_tile_positional_embedding.gate": "v.post_tile_position_embd.gate",
  "vision_model.layernorm_pre.weight": "v.pre_ln.weight",
  "vision_model.layernorm_pre.bias": "v.pre_ln.bias",
  "vision_model.layernorm_post.weight": "v.post_ln.weight",
  "vision_model.layernorm_post.bias": "v.post_ln.bias",
  "multi_modal_projector.weight": "mm.0.weight",
  "multi_modal_projector.bias": "mm.0.bias",
};

/** What a loader can do without: it follows from another tensor, or from the metadata. */
export const ollamaExtras: ReadonlySet<string> = new Set([
  "v.position_embd.gate",
  "rope_freqs.weight",
]);

/** @param name of the published files, as `expectedTensors` has it */
export function ollamaName(name: string, form: OllamaForm): string {
  const [, kind = "", index = "", rest = ""] =
    /^(language_model\.model|vision_model\.transformer|vision_model\.global_transformer)\.layers\.(\d+)\.(.+)$/.exec(
      name,
    ) ?? [];
  const found =
    kind === ""
      ? others[name]
      : kind === "language_model.model"
        ? prefixed(`blk.${index}.`, textLayer[rest])
        : prefixed(
            `${kind === "vision_model.transformer" ? "v.blk" : "v.global.blk"}.${index}.`,
            visionLayer[rest]?.[form],
          );
  if (found === undefined) throw new Error(`${name} has no name in Ollama's files`);
  return found;
}

const prefixed = (prefix: string, name: string | undefined): string | undefined =>
  name === undefined ? undefined : prefix + name;
