"""RoPE numbers alone (tiny-d): head size 128 with the released parameters, and the parameters of the tiny models."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import MllamaTextConfig
from transformers.models.mllama.modeling_mllama import MllamaRotaryEmbedding

from case_goldens import file_sha256
from tiny_models import LLAMA3_ROPE

POSITIONS = [0, 1, 2, 1000, 8191, 100000, 131071]

TABLES = {
    "tiny-d": (128, {**LLAMA3_ROPE, "original_max_position_embeddings": 8192}),
    "tiny-a": (8, LLAMA3_ROPE),
    "plain": (8, {"rope_type": "default"}),
}


def write_rope(root: Path) -> dict:
    out = root / "rope"
    out.mkdir(parents=True, exist_ok=True)
    entries = {}
    for name, (head_size, parameters) in TABLES.items():
        config = MllamaTextConfig(
            hidden_size=2 * head_size,
            num_attention_heads=2,
            max_position_embeddings=131072,
            rope_parameters={**parameters, "rope_theta": 500000.0},
        )
        rotary = MllamaRotaryEmbedding(config=config)
        cos, sin = rotary(torch.zeros(1, dtype=torch.float32), torch.tensor([POSITIONS]))
        path = out / f"{name}.safetensors"
        tensors = {"inv_freq": rotary.inv_freq.clone(), "cos": cos[0], "sin": sin[0]}
        save_file({key: value.contiguous() for key, value in tensors.items()}, path)
        path.chmod(0o644)
        entries[name] = {
            "file": path.relative_to(root).as_posix(),
            "sha256": file_sha256(path),
            "headSize": head_size,
            "ropeTheta": 500000.0,
            "ropeScaling": None if parameters["rope_type"] == "default" else parameters,
            "positions": POSITIONS,
        }
    return entries
