"""The demo model's size, and its forward pass for training: the parameters of Transformers, fewer operators.

The same function as `MllamaForConditionalGeneration` with the semantics that the family was released with (profile
`ref`: the vision taps are inputs of the named layers; text rows that see no picture get nothing from cross-attention);
`test_forward.py` compares the two. Three things make it fast enough for a CPU: one unused tile is computed for all
(its key counts as often as there are unused tiles), a picture is encoded once for several questions, and text before
the picture skips the cross-attention layers.
"""

import torch
from transformers import MllamaConfig, MllamaForConditionalGeneration

RATIOS = [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]]
TILE, PATCH, MAX_TILES = 72, 12, 4
SIDE = TILE // PATCH
TOKENS = SIDE * SIDE + 1
PADS = (8 - TOKENS % 8) % 8


def make_config(tokenizer):
    image = tokenizer.token_to_id("<|image|>")
    stop = [tokenizer.token_to_id(name) for name in ("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>")]
    bos, pad = tokenizer.token_to_id("<|begin_of_text|>"), tokenizer.token_to_id("<|finetune_right_pad_id|>")
    vision = {
        "hidden_size": 128,
        "attention_heads": 4,
        "intermediate_size": 384,
        "num_hidden_layers": 5,
        "num_global_layers": 2,
        "image_size": TILE,
        "patch_size": PATCH,
        "max_num_tiles": MAX_TILES,
        "intermediate_layers_indices": [1, 3, 4],
        "vision_output_dim": 128 * 4,
        "supported_aspect_ratios": RATIOS,
        "norm_eps": 1e-5,
    }
    text = {
        "vocab_size": image,
        "hidden_size": 192,
        "num_hidden_layers": 5,
        "cross_attention_layers": [1, 3],
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "intermediate_size": 512,
        "rms_norm_eps": 1e-5,
        "max_position_embeddings": 4096,
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 512,
        },
        "bos_token_id": bos,
        "eos_token_id": stop,
        "pad_token_id": pad,
        "tie_word_embeddings": False,
    }
    return MllamaConfig(vision_config=vision, text_config=text, image_token_index=image)


def make_model(config):
    """Freshly initialised, with every gate open (the library closes them, which starves the cross layers) and with
    tables of places that say where a patch lies (the library's are so faint that left and right are never learned)."""
    model = MllamaForConditionalGeneration(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("gate") or name.endswith("gate_attn") or name.endswith("gate_ffn"):
                parameter.fill_(0.7)
            elif "tile" in name and "embedding" in name:
                parameter.normal_(0, 0.02)
        vision = model.model.vision_model
        gated = vision.gated_positional_embedding
        width = vision.config.hidden_size
        gated.embedding[1:] = places(range(SIDE), range(SIDE), width)
        tables = gated.tile_embedding.weight.view(-1, MAX_TILES, TOKENS, width)
        for index, (rows, columns) in enumerate(RATIOS):
            for tile in range(rows * columns):
                top, left = tile // columns * SIDE, tile % columns * SIDE
                tables[index + 1, tile, 1:] = places(range(top, top + SIDE), range(left, left + SIDE), width)
    zero_unused_slots(model)
    return model


def places(rows, columns, width):
    """Waves of a patch's row and column, [number of patches, width]."""
    waves = torch.pi / torch.logspace(0, 1.7, width // 4)
    y, x = (torch.tensor(list(axis), dtype=torch.float32)[:, None] * waves for axis in (rows, columns))
    y, x = y[:, None].expand(-1, len(x), -1), x[None].expand(len(y), -1, -1)
    return 0.7 * torch.cat([x.sin(), x.cos(), y.sin(), y.cos()], -1).reshape(-1, width)


def zero_unused_slots(model):
    """Rows of the tile tables for slots without a picture are exact zeros, as in the released checkpoints."""
    vision = model.model.vision_model
    tables = (
        vision.pre_tile_positional_embedding.embedding.weight,
        vision.post_tile_positional_embedding.embedding.weight,
        vision.gated_positional_embedding.tile_embedding.weight,
    )
    with torch.no_grad():
        for table in tables:
            table[0] = 0
            for index, (rows, columns) in enumerate(RATIOS):
                table[index + 1].view(MAX_TILES, -1)[rows * columns :] = 0


def attend(q, k, v, bias=None):
    """Attention in plain products: at these lengths several times as fast on a CPU as the fused operator."""
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    return (scores if bias is None else scores + bias).softmax(-1).to(v.dtype) @ v


def vision_forward(model, patches, ratio_ids, tiles):
    """`patches` [B, tiles, SIDE², 3·PATCH²], all of one tile count → projected tokens [B, tiles·TOKENS, text width]."""
    v = model.model.vision_model
    batch = patches.shape[0]
    slots = min(tiles + 1, MAX_TILES)
    width = v.config.hidden_size
    x = patches @ v.patch_embedding.weight.reshape(width, -1).T
    if slots > tiles:
        x = torch.cat([x, x.new_zeros(batch, slots - tiles, SIDE * SIDE, width)], 1)
    pre = v.pre_tile_positional_embedding
    x = x + (pre.embedding(ratio_ids).view(batch, MAX_TILES, 1, width) * pre.gate.tanh())[:, :slots]
    x = torch.cat([v.class_embedding.expand(batch, slots, 1, width), x], 2)
    gated = v.gated_positional_embedding
    gate = gated.gate.tanh()
    x = x + (1 - gate) * gated.embedding
    x = x + gate * gated.tile_embedding(ratio_ids).view(batch, MAX_TILES, TOKENS, width)[:, :slots]
    x = v.layernorm_pre(x).reshape(batch, slots * TOKENS, width)
    x = torch.cat([x, x.new_zeros(batch, slots, width)], 1)

    real, rows = tiles * TOKENS, x.shape[1]
    count = torch.ones(rows)
    if slots > tiles:
        count[real : slots * TOKENS] = MAX_TILES - tiles
    count[slots * TOKENS :] = PADS
    if slots > tiles:
        count[-1] = PADS * (MAX_TILES - tiles)
    mask = count.log().expand(rows, rows).clone()
    mask[real:, :real] = 0
    mask[real:, real:] = float("-inf")
    mask = mask.to(x.device)

    def layer(block, x):
        y = block.input_layernorm(x)
        a = block.self_attn
        heads = [p(y).view(batch, rows, -1, a.head_dim).transpose(1, 2) for p in (a.q_proj, a.k_proj, a.v_proj)]
        y = attend(*heads, mask)
        y = a.o_proj(y.transpose(1, 2).reshape(batch, rows, width))
        x = x + (y * block.gate_attn.tanh() if block.is_gated else y)
        y = block.mlp(block.post_attention_layernorm(x))
        return x + (y * block.gate_ffn.tanh() if block.is_gated else y)

    taps = []
    for index, block in enumerate(v.transformer.layers):
        if index in v.config.intermediate_layers_indices:
            taps.append(x[:, :real])
        x = layer(block, x)
    x = v.layernorm_post(x)
    post = v.post_tile_positional_embedding
    table = post.embedding(ratio_ids).view(batch, MAX_TILES, 1, width)[:, :slots] * post.gate.tanh()
    tokens = (x[:, : slots * TOKENS].view(batch, slots, TOKENS, width) + table).reshape(batch, -1, width)
    x = torch.cat([tokens, x[:, slots * TOKENS :] + table[:, :, 0]], 1)
    for block in v.global_transformer.layers:
        x = layer(block, x)
    features = torch.cat([x[:, :real], torch.stack(taps, -1).flatten(2)], -1)
    return model.model.multi_modal_projector(features)


def rotation(model, length):
    """cos and sin [length, head size] for positions from 0, as the library makes them."""
    rope = model.model.language_model.rotary_emb
    angles = torch.arange(length, dtype=torch.float32, device=rope.inv_freq.device)[:, None] * rope.inv_freq.float()
    angles = torch.cat([angles, angles], -1)
    return angles.cos(), angles.sin()


def text_forward(model, ids, pictures, before, wanted=None):
    """Logits [number wanted, vocab]; see `text_features`."""
    return model.lm_head(text_features(model, ids, pictures, before, wanted))


def text_features(model, ids, pictures, before, wanted=None, layers=None):
    """What the head makes logits of, for right-padded rows `ids` [N, T]; padding takes part in attention only, where causality hides it.

    `pictures` is [B, S, width] with N/B consecutive rows for each picture, or None; the first `before` tokens of every
    row precede the picture. `wanted` [N, T] picks the positions that are returned, [number wanted, width]. `layers` takes each layer's rows [N·T, width],
padding left at zero.
    """
    t = model.model.language_model
    pad = model.config.text_config.pad_token_id
    n, length = ids.shape
    kept = (ids != pad).reshape(-1).nonzero()[:, 0]
    position = kept % length
    seeing = (position >= before).nonzero()[:, 0]
    x = t.embed_tokens(ids.reshape(-1)[kept])
    width = x.shape[1]
    cos, sin = rotation(model, length)
    causal = torch.full((length, length), float("-inf"), device=ids.device).triu(1)

    def rotate(h):
        half = h.shape[-1] // 2
        return h * cos + torch.cat([-h[..., half:], h[..., :half]], -1) * sin

    def padded(h, where, heads):
        rows = h.new_zeros(n * length, h.shape[1]).index_copy(0, where, h)
        return rows.view(n, length, heads, -1).transpose(1, 2)

    for layer in t.layers:
        if hasattr(layer, "self_attn"):
            a = layer.self_attn
            y = layer.input_layernorm(x)
            q, k, v = (padded(p(y), kept, p.out_features // a.head_dim) for p in (a.q_proj, a.k_proj, a.v_proj))
            groups = q.shape[1] // k.shape[1]
            q, k = rotate(q), rotate(k)
            k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
            y = attend(q, k, v, causal)
            x = x + a.o_proj(y.transpose(1, 2).reshape(n * length, width)[kept])
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        elif pictures is not None:
            a, h = layer.cross_attn, x[seeing]
            batch, each = pictures.shape[0], n // pictures.shape[0]
            y = layer.input_layernorm(h)
            q = padded(a.q_proj(y), kept[seeing], a.num_heads)
            q = q.view(batch, each, a.num_heads, length, -1).transpose(1, 2).reshape(batch, a.num_heads, each * length, -1)
            k = a.k_proj(pictures).view(batch, pictures.shape[1], -1, a.head_dim).transpose(1, 2)
            v = a.v_proj(pictures).view(batch, pictures.shape[1], -1, a.head_dim).transpose(1, 2)
            groups = q.shape[1] // k.shape[1]
            q, k = a.q_norm(q), a.k_norm(k)
            k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
            y = attend(q, k, v)
            y = y.view(batch, a.num_heads, each, length, -1).permute(0, 2, 3, 1, 4).reshape(n * length, width)
            h = h + a.o_proj(y[kept[seeing]]) * layer.cross_attn_attn_gate.tanh()
            h = h + layer.mlp(layer.post_attention_layernorm(h)) * layer.cross_attn_mlp_gate.tanh()
            x = x.index_copy(0, seeing, h)
        if layers is not None:
            layers.append(x.new_zeros(n * length, width).index_copy(0, kept, x))
    if wanted is not None:
        x = x[wanted.reshape(-1)[kept]]
    return t.norm(x)
