"""Attention over a batch without padding: the tokens of all sequences in one row, each with its own cache.

Transformers' modules do everything that works on single tokens (projections, norms, feed-forward) for the
whole batch at once. Where tokens look at others, they call this function, which runs one sequence after
the other over the keys and values of that sequence alone. No mask keeps sequences apart, so none can fail
to; nothing is padded, and one that joins or leaves moves nobody else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface

NAME = "atalaya_ragged"
# Rooms for tokens are made in such steps, and doubled.
FIRST_CAPACITY = 256


class KvCache:
    """Keys and values of one sequence in every self-attention layer, each [heads, capacity, head_size]."""

    def __init__(self) -> None:
        self._layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def write(
        self, layer: int, start: int, key: torch.Tensor, value: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Key and value [heads, count, head_size] of tokens from `start` on → all up to them."""
        end = start + key.shape[1]
        keys, values = self._room(layer, end, key)
        keys[:, start:end] = key
        values[:, start:end] = value
        return keys[:, :end], values[:, :end]

    def _room(
        self, layer: int, wanted: int, like: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        found = self._layers.get(layer)
        capacity = 0 if found is None else found[0].shape[1]
        if found is not None and capacity >= wanted:
            return found
        larger = max(FIRST_CAPACITY, 2 * capacity, wanted)
        heads, _, size = like.shape
        keys, values = like.new_empty(heads, larger, size), like.new_empty(heads, larger, size)
        if found is not None:
            keys[:, :capacity], values[:, :capacity] = found
        self._layers[layer] = (keys, values)
        return keys, values

    @property
    def num_bytes(self) -> int:
        tensors = [tensor for pair in self._layers.values() for tensor in pair]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@dataclass
class PictureStates:
    """A picture's keys and values in every cross-attention layer, each [heads, tokens, head_size]."""

    layers: dict[int, tuple[torch.Tensor, torch.Tensor]]
    # Tokens of the tiles that are used, which come first; the others are kept for profile `hf` alone.
    num_visible: int

    @property
    def num_bytes(self) -> int:
        tensors = [tensor for pair in self.layers.values() for tensor in pair]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@dataclass(frozen=True)
class Part:
    """A sequence's rows [first_row, first_row + count) of the batch; they are its tokens from `start` on."""

    first_row: int
    count: int
    start: int
    cache: KvCache


@dataclass(frozen=True)
class CrossSegment:
    """Consecutive rows of the batch that see the same tokens of the same pictures."""

    first_row: int
    count: int
    pictures: Sequence[tuple[PictureStates, int]]


@dataclass
class Step:
    parts: list[Part] = field(default_factory=list)
    segments: list[CrossSegment] = field(default_factory=list)
    # [rows]: whether the row's cross-attention layers may change it by their feed-forward block.
    sees_pictures: list[bool] = field(default_factory=list)


def ragged_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    step: Step,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Query [1, heads, rows, head_size] → [1, rows, heads, head_size]; rows that see nothing are zero."""
    layer: int = module.layer_idx  # type: ignore[assignment]
    out = torch.zeros_like(query)
    if hasattr(module, "q_norm"):
        # Cross-attention. Its keys and values were computed when the picture was encoded.
        for segment in step.segments:
            end = segment.first_row + segment.count
            pairs = [
                (states.layers[layer][0][:, :count], states.layers[layer][1][:, :count])
                for states, count in segment.pictures
            ]
            keys = torch.cat([k for k, _ in pairs], dim=1) if len(pairs) > 1 else pairs[0][0]
            values = torch.cat([v for _, v in pairs], dim=1) if len(pairs) > 1 else pairs[0][1]
            rows = query[:, :, segment.first_row : end]
            out[:, :, segment.first_row : end] = _attend(rows, keys, values, scaling)
    else:
        for part in step.parts:
            end = part.first_row + part.count
            keys, values = part.cache.write(
                layer,
                part.start,
                key[0, :, part.first_row : end],
                value[0, :, part.first_row : end],
            )
            rows = query[:, :, part.first_row : end]
            out[:, :, part.first_row : end] = _attend(
                rows, keys, values, scaling, num_earlier=part.start
            )
    return out.transpose(1, 2), None


def _attend(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    scaling: float,
    num_earlier: int | None = None,
) -> torch.Tensor:
    """With `num_earlier`, row i sees that many keys and i + 1 more; without it, all of them."""
    rows, columns = query.shape[2], keys.shape[1]
    mask = None
    if num_earlier is not None and rows > 1:
        mask = torch.ones(rows, columns, dtype=torch.bool, device=query.device)
        mask = mask.tril(diagonal=num_earlier)
    return F.scaled_dot_product_attention(
        query, keys[None], values[None], attn_mask=mask, scale=scaling, enable_gqa=True
    )


class _CrossLayer:
    """What the model asks a cache's layer: whether pictures are there. The tensors are never looked at."""

    def __init__(self, placeholder: torch.Tensor) -> None:
        self.is_initialized = True
        self.keys = self.values = placeholder


class StepCache:
    """Stands where the model expects a cache: it hands new keys and values on to `ragged_attention`."""

    def __init__(self, num_layers: int, has_pictures: bool, device: torch.device) -> None:
        placeholder = torch.empty(1 if has_pictures else 0, device=device)
        self.layers = [_CrossLayer(placeholder)] * num_layers

    def update(
        self, key: torch.Tensor, value: torch.Tensor, _layer: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return key, value


def register() -> None:
    AttentionInterface.register(NAME, ragged_attention)
