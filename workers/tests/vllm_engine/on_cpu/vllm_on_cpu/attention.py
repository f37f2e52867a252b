"""Attention over paged keys and values in plain PyTorch, one sequence after the other.

It keeps vLLM's XFormers back-end's metadata, slots and shapes, so that what vLLM hands to its kernels
is what is computed here.
"""

from typing import Any

import torch
import torch.nn.functional as F
from vllm.attention.backends.abstract import AttentionType
from vllm.attention.backends.xformers import XFormersBackend, XFormersImpl, XFormersMetadata
from vllm.attention.ops.paged_attn import PagedAttention


class TorchBackend(XFormersBackend):
    @staticmethod
    def get_name() -> str:
        return "TORCH_SDPA"

    @staticmethod
    def get_impl_cls() -> type["TorchImpl"]:
        return TorchImpl

    @staticmethod
    def get_kv_cache_shape(
        num_blocks: int, block_size: int, num_kv_heads: int, head_size: int
    ) -> tuple[int, ...]:
        # PagedAttention's own, which has keys in groups of 16 bytes.
        return (2, num_blocks, block_size * num_kv_heads * head_size)


def write_to_paged_cache(
    key: torch.Tensor,
    value: torch.Tensor,
    key_cache: torch.Tensor,
    value_cache: torch.Tensor,
    slot_mapping: torch.Tensor,
    *_scales: Any,
) -> None:
    """key and value `[tokens, heads, size]`; what the kernel `reshape_and_cache` does."""
    slots = slot_mapping.flatten()
    assert slots.numel() == key.shape[0], "a key for every slot"
    block_size = value_cache.shape[-1]
    for cache, states in ((key_cache, key), (value_cache, value)):
        flat_cache(cache, block_size)[slots] = states


def flat_cache(cache: torch.Tensor, block_size: int) -> torch.Tensor:
    """A view `[slots, heads, size]` of a cache; here keys and values have the same order."""
    num_blocks, num_heads = cache.shape[:2]
    size = cache.numel() // (num_blocks * num_heads * block_size)
    return cache.view(num_blocks * block_size, num_heads, size)


# `_attention_with_mask` of vLLM's Mllama writes the cross-attention cache itself.
PagedAttention.write_to_paged_cache = staticmethod(write_to_paged_cache)
# The kernel's sizes; tiny models have smaller heads.
PagedAttention.get_supported_head_sizes = staticmethod(lambda: list(range(1, 257)))


class TorchImpl(XFormersImpl):
    def forward(
        self,
        layer: Any,
        query: torch.Tensor,
        key: torch.Tensor | None,
        value: torch.Tensor | None,
        kv_cache: torch.Tensor,
        attn_metadata: XFormersMetadata,
        output: torch.Tensor | None = None,
        output_scale: torch.Tensor | None = None,
        output_block_scale: torch.Tensor | None = None,
    ) -> torch.Tensor:
        is_cross = self.attn_type == AttentionType.ENCODER_DECODER
        query = query.view(-1, self.num_heads, self.head_size)
        if key is not None:
            key = key.view(-1, self.num_kv_heads, self.head_size)
            value = value.view(-1, self.num_kv_heads, self.head_size)
        if kv_cache.numel() > 0:
            caches = PagedAttention.split_kv_cache(kv_cache, self.num_kv_heads, self.head_size)
            block_size = caches[1].shape[-1]
            if key is not None:
                slots = attn_metadata.cross_slot_mapping if is_cross else attn_metadata.slot_mapping
                write_to_paged_cache(key, value, *caches, slots)
        if prefill := attn_metadata.prefill_metadata:
            result = self._prompts(query, key, value, prefill, is_cross)
        else:
            decode = attn_metadata.decode_metadata
            lengths = decode.encoder_seq_lens_tensor if is_cross else decode.seq_lens_tensor
            tables = decode.cross_block_tables if is_cross else decode.block_tables
            flat = [flat_cache(cache, block_size) for cache in caches]
            result = torch.cat(
                [
                    self._attend(
                        query[row : row + 1],
                        *(one[slots_of(tables[row], int(length), block_size)] for one in flat),
                    )
                    for row, length in enumerate(lengths)
                ]
            )
        return result.reshape(-1, self.num_heads * self.head_size)

    def _prompts(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        metadata: XFormersMetadata,
        is_cross: bool,
    ) -> torch.Tensor:
        results = []
        key_lengths = metadata.encoder_seq_lens if is_cross else metadata.seq_lens
        row = start = 0
        for num_rows, length in zip(metadata.seq_lens, key_lengths, strict=True):
            results.append(
                self._attend(
                    query[row : row + num_rows],
                    key[start : start + length],
                    value[start : start + length],
                    is_causal=not is_cross,
                )
            )
            row += num_rows
            start += length
        return torch.cat(results)

    def _attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, is_causal: bool = False
    ) -> torch.Tensor:
        """query `[rows, heads, size]`, key and value `[keys, kv heads, size]` → as query."""
        if key.shape[0] == 0:
            return torch.zeros_like(query)
        result = F.scaled_dot_product_attention(
            *(states.transpose(0, 1)[None] for states in (query, key, value)),
            is_causal=is_causal,
            scale=self.scale,
            enable_gqa=True,
        )
        return result[0].transpose(0, 1)


def slots_of(block_table: torch.Tensor, length: int, block_size: int) -> torch.Tensor:
    positions = torch.arange(length)
    return block_table[positions // block_size].long() * block_size + positions % block_size
