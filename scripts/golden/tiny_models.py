"""The tiny models: their configurations and their seeded weights.

Every mechanism is on: all gates are non-zero, heads are grouped, RoPE is scaled, the tile tables are filled. Slots of the
tile tables that no picture of that aspect-ratio id uses are exact zeros, as in the released checkpoints, unless the
model says otherwise.
"""

from dataclasses import dataclass, field, replace

import torch

ASPECT_RATIOS = [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (3, 1), (4, 1)]
MAX_TILES = 4

LLAMA3_ROPE = {
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 256,
    "rope_type": "llama3",
}


@dataclass(frozen=True)
class TinyModel:
    name: str
    seed: int
    text: dict
    vision: dict
    rope: dict | None = field(default_factory=lambda: dict(LLAMA3_ROPE))
    dtype: torch.dtype = torch.float32
    zero_unused_slots: bool = True
    # "v4": legacy tensor names, one file. "v5": the newer names and JSON forms, two shards.
    form: str = "v4"
    # Transformers counts cached tokens in layer 0, so a cross layer there breaks its cached runs.
    cached: bool = True

    @property
    def side(self) -> int:
        return self.vision["image_size"]

    @property
    def tokens_per_tile(self) -> int:
        return (self.side // self.vision["patch_size"]) ** 2 + 1


def _text(hidden: int, layers: int, cross: list[int], heads: int, kv_heads: int, ffn: int) -> dict:
    return {
        "vocab_size": 256,
        "hidden_size": hidden,
        "hidden_act": "silu",
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": ffn,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "max_position_embeddings": 2048,
        "cross_attention_layers": cross,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 3,
    }


def _vision(hidden: int, heads: int, mlp: int, layers: int, side: int, taps: list[int]) -> dict:
    return {
        "hidden_size": hidden,
        "hidden_act": "gelu",
        "attention_heads": heads,
        "intermediate_size": mlp,
        "num_hidden_layers": layers,
        "num_global_layers": 2,
        "num_channels": 3,
        "image_size": side,
        "patch_size": 7,
        "norm_eps": 1e-5,
        "max_num_tiles": MAX_TILES,
        "intermediate_layers_indices": taps,
        "vision_output_dim": hidden * (1 + len(taps)),
        "supported_aspect_ratios": [list(pair) for pair in ASPECT_RATIOS],
    }


TINY_A = TinyModel(
    name="tiny-a",
    seed=53,
    text=_text(hidden=64, layers=6, cross=[1, 4], heads=8, kv_heads=2, ffn=96),
    vision=_vision(hidden=32, heads=4, mlp=48, layers=5, side=28, taps=[1, 2, 4]),
)
TINY_B = TinyModel(
    name="tiny-b",
    seed=41,
    text=_text(hidden=32, layers=3, cross=[0], heads=4, kv_heads=4, ffn=48),
    vision=_vision(hidden=24, heads=3, mlp=40, layers=4, side=21, taps=[1, 3]),
    cached=False,
)
TINY_C = TinyModel(
    name="tiny-c",
    seed=10,
    text=_text(hidden=32, layers=3, cross=[2], heads=4, kv_heads=4, ffn=48),
    vision=_vision(hidden=24, heads=3, mlp=40, layers=4, side=14, taps=[1, 2]),
    rope=None,
)

LAST_POSITION = 131071
# Head size and rotary parameters of the released models, up to their last position. One layer of self-attention, because its
# work grows with the square of the length, and one of cross-attention.
TINY_D = TinyModel(
    name="tiny-d",
    seed=29,
    text={
        **_text(hidden=128, layers=2, cross=[1], heads=1, kv_heads=1, ffn=64),
        "max_position_embeddings": LAST_POSITION + 1,
    },
    vision=_vision(hidden=24, heads=3, mlp=40, layers=4, side=14, taps=[1, 2]),
    rope={**LLAMA3_ROPE, "original_max_position_embeddings": 8192},
    dtype=torch.bfloat16,
)

# The variants need the tower of tiny-a more than its text model.
SMALL_TEXT = _text(hidden=32, layers=4, cross=[1, 3], heads=4, kv_heads=2, ffn=48)

MODELS = [
    TINY_A,
    TINY_B,
    TINY_C,
    replace(TINY_A, name="tiny-a-bf16", dtype=torch.bfloat16),
    replace(TINY_A, name="tiny-a-v5-f16", seed=78, text=SMALL_TEXT, dtype=torch.float16, form="v5"),
    replace(
        TINY_A,
        name="tiny-a-nonzero-tables",
        seed=78,
        text=SMALL_TEXT,
        dtype=torch.bfloat16,
        zero_unused_slots=False,
    ),
]


def is_gate(name: str) -> bool:
    return name.endswith(("gate", "gate_attn", "gate_ffn"))


def _is_norm(name: str) -> bool:
    return "norm" in name


def legacy_name(name: str) -> str:
    """The name in released files for a parameter name of Transformers 4.52 and later."""
    if name.startswith("model.language_model."):
        return "language_model.model." + name.removeprefix("model.language_model.")
    if name.startswith(("model.vision_model.", "model.multi_modal_projector.")):
        return name.removeprefix("model.")
    if name.startswith("lm_head."):
        return "language_model." + name
    raise ValueError(f"no legacy name is known for {name}")


def _zero_unused_slots(table: torch.Tensor) -> None:
    """Clears row 0 and, in each row, the tiles that its aspect ratio does not have. `table` is [9, 4 * k]."""
    slots = table.view(len(ASPECT_RATIOS) + 1, MAX_TILES, -1)
    slots[0] = 0
    for index, (rows, columns) in enumerate(ASPECT_RATIOS):
        slots[index + 1, rows * columns :] = 0


def make_weights(model: TinyModel, shapes: dict[str, torch.Size]) -> dict[str, torch.Tensor]:
    """Weights in the model's own dtype, by legacy name, drawn in sorted order of those names."""
    generator = torch.Generator().manual_seed(model.seed)
    weights = {}
    for name in sorted(shapes):
        draw = torch.randn(shapes[name], generator=generator, dtype=torch.float32)
        if is_gate(name):
            value = 0.4 + 0.7 * draw
        elif _is_norm(name):
            value = 0.1 * draw if name.endswith(".bias") else 1 + 0.1 * draw
        else:
            value = 0.15 * draw
        if model.zero_unused_slots and "tile_" in name and "embedding.weight" in name:
            _zero_unused_slots(value)
        weights[name] = value.to(model.dtype)
    return weights
