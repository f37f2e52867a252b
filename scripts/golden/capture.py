"""Collects the tensors between the stages of the reference while it runs one prompt without a cache.

All shapes lose the batch axis. M pictures, T = 4 tiles, n tokens a tile, L = n padded to a multiple of 8, N = T * L.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import MllamaForConditionalGeneration
from transformers.models.mllama import modeling_mllama

from profiles import cross_layers

Stages = dict[str, torch.Tensor]


def _first(output: object) -> torch.Tensor:
    return output[0] if isinstance(output, tuple) else output


def _hook_vision(model: MllamaForConditionalGeneration, stages: Stages, handles: list) -> None:
    vision = model.model.vision_model

    def store(name: str):
        def hook(_module, _args, output):
            stages[name] = _first(output).detach().clone()

        return hook

    def store_input(name: str):
        def hook(_module, args):
            stages[name] = args[0].detach().clone()

        return hook

    def store_features(_module, _args, output):
        stages["vision.features"] = output.last_hidden_state[0].detach().clone()

    def store_projected(_module, _args, output):
        tiles = vision.max_num_tiles
        stages["vision.projected"] = output[0].reshape(-1, tiles, *output.shape[-2:]).clone()

    pre_tile = vision.pre_tile_positional_embedding
    handles.append(pre_tile.register_forward_pre_hook(store_input("vision.patch")))
    handles.append(pre_tile.register_forward_hook(store("vision.pre_tile")))
    position = vision.gated_positional_embedding
    handles.append(position.register_forward_hook(store("vision.position")))
    handles.append(vision.layernorm_pre.register_forward_hook(store("vision.layernorm_pre")))
    for index, layer in enumerate(vision.transformer.layers):
        handles.append(layer.register_forward_hook(store(f"vision.local.{index}")))
    handles.append(vision.layernorm_post.register_forward_hook(store("vision.layernorm_post")))
    post_tile = vision.post_tile_positional_embedding
    handles.append(post_tile.register_forward_hook(store("vision.post_tile")))
    for index, layer in enumerate(vision.global_transformer.layers):
        handles.append(layer.register_forward_hook(store(f"vision.global.{index}")))
    handles.append(vision.register_forward_hook(store_features))
    projector = model.model.multi_modal_projector
    handles.append(projector.register_forward_hook(store_projected))


def _hook_text(
    model: MllamaForConditionalGeneration, stages: Stages, handles: list, zero_rows: bool
) -> None:
    text = model.model.language_model

    def store(name: str):
        def hook(_module, _args, output):
            stages[name] = _first(output)[0].detach().clone()

        return hook

    def store_heads(name: str, head_size: int):
        def hook(_module, _args, output):
            # [.., tokens, heads * size] -> [heads, tokens, size]
            flat = output.reshape(-1, output.shape[-1])
            heads = flat.reshape(flat.shape[0], -1, head_size).transpose(0, 1)
            stages[name] = heads.detach().clone()

        return hook

    def store_rows(name: str):
        def hook(_module, _args, kwargs):
            mask = kwargs["full_text_row_masked_out_mask"]
            if mask is not None:
                stages[name] = mask[0, 0, :, 0].detach().clone()

        return hook

    def store_attention(prefix: str):
        def hook(_module, args):
            attention = args[0][0].detach().clone()
            # What `ref` does after o_proj equals zeroing here, as o_proj has no bias.
            if zero_rows:
                attention *= stages[f"{prefix}.row_mask"][:, None]
            stages[f"{prefix}.attention"] = attention

        return hook

    handles.append(text.embed_tokens.register_forward_hook(store("text.embeddings")))
    for index, layer in enumerate(text.layers):
        handles.append(layer.register_forward_hook(store(f"text.layer.{index}")))
    for index, layer in cross_layers(model):
        prefix = f"text.layer.{index}"
        attention = layer.cross_attn
        handles.append(
            layer.register_forward_pre_hook(store_rows(f"{prefix}.row_mask"), with_kwargs=True)
        )
        handles.append(attention.q_norm.register_forward_hook(store(f"{prefix}.q")))
        handles.append(attention.k_norm.register_forward_hook(store(f"{prefix}.k")))
        size = attention.head_dim
        handles.append(attention.v_proj.register_forward_hook(store_heads(f"{prefix}.v", size)))
        handles.append(attention.o_proj.register_forward_pre_hook(store_attention(prefix)))
    handles.append(text.norm.register_forward_hook(store("text.norm")))


@contextmanager
def _rotated_heads(model: MllamaForConditionalGeneration, stages: Stages) -> Iterator[None]:
    """Wraps the rotation function to keep q and k of each self layer, in the order of the layers."""
    cross = set(model.config.text_config.cross_attention_layers)
    waiting = [i for i in range(model.config.text_config.num_hidden_layers) if i not in cross]
    original = modeling_mllama.apply_rotary_pos_emb

    def wrapped(q, k, cos, sin, **kwargs):
        rotated = original(q, k, cos, sin, **kwargs)
        index = waiting.pop(0)
        stages[f"text.layer.{index}.q"] = rotated[0][0].detach().clone()
        stages[f"text.layer.{index}.k"] = rotated[1][0].detach().clone()
        return rotated

    modeling_mllama.apply_rotary_pos_emb = wrapped
    try:
        yield
    finally:
        modeling_mllama.apply_rotary_pos_emb = original


@contextmanager
def capture(model: MllamaForConditionalGeneration, profile: str) -> Iterator[Stages]:
    """Stages of everything that runs inside the block, which must be one pass over one prompt."""
    stages: Stages = {}
    handles: list = []
    _hook_vision(model, stages, handles)
    _hook_text(model, stages, handles, zero_rows=profile == "ref")
    try:
        with _rotated_heads(model, stages):
            yield stages
    finally:
        for handle in handles:
            handle.remove()
