"""Mllama as vLLM 0.10.2 has it, with Meta's semantics and every request's pictures to itself.

What differs from `vllm.model_executor.models.mllama`; `workers/tests/vllm_engine` shows each:

- a sequence's tokens are multiplied with its own pictures' keys only (`cross_mask.py`), where vLLM
  multiplies all with all and leaves the rest to a mask, whose rows it misplaces;
- a token that may see no picture gets nothing from a cross-attention layer, token by token and not
  only in sequences without pictures;
- of each picture the tiles that it has are taken. vLLM cuts a prompt's padded tiles off at the end
  only, so a first picture of fewer than four tiles pushes the second one's tiles out;
- the vision tower's attention gets its mask; vLLM builds it and leaves it aside;
- taps are the inputs of the layers that the configuration names, also where it names the last one:
  vLLM adds that layer's output as one tap more;
- a patch is as large as the configuration says, not always 14 pixels;
- pictures are encoded one by one: the tower's buffers do not grow with the batch, and a picture's
  numbers do not depend on its neighbours.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from transformers.models.mllama.processing_mllama import get_cross_attention_token_mask
from vllm.attention.ops.paged_attn import PagedAttention
from vllm.forward_context import get_forward_context
from vllm.model_executor.layers.logits_processor import LogitsProcessor
from vllm.model_executor.models import mllama
from vllm.multimodal import MULTIMODAL_REGISTRY
from vllm.platforms import _Backend

from .cross_mask import SequenceMask, rows_that_see, sequence_masks
from .raw_logprobs import RawLogits


def tokens_per_tile(vision_config: Any) -> int:
    """Patches and the class token."""
    return (vision_config.image_size // vision_config.patch_size) ** 2 + 1


@dataclass(frozen=True)
class BatchMask:
    """What stands in for vLLM's one dense mask on its way to the cross-attention layers."""

    sequences: list[SequenceMask]
    tokens_per_tile: int

    def keys(self, tiles: slice) -> slice:
        return slice(tiles.start * self.tokens_per_tile, tiles.stop * self.tokens_per_tile)


class MaskedVisionAttention(mllama.MllamaVisionSdpaAttention):
    def forward(
        self, hidden_state: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """hidden_state `[batch, rows, width]`, attention_mask `[batch, 1, rows, rows]`, added."""
        batch, num_rows, _ = hidden_state.shape
        qkv, _ = self.qkv_proj(hidden_state)
        query, key, value = (
            part.view(batch, num_rows, self.num_local_heads, self.head_dim).transpose(1, 2)
            for part in qkv.split([self.q_size, self.kv_size, self.kv_size], dim=-1)
        )
        attention = F.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask)
        output, _ = self.o_proj(attention.transpose(1, 2).reshape(batch, num_rows, -1))
        return output


class TappedVisionEncoder(mllama.MllamaVisionEncoder):
    def forward(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        taps: list[torch.Tensor] = []
        for index, layer in enumerate(self.layers):
            if index in self.output_hidden_states:
                taps.append(hidden_states)
            hidden_states = layer(hidden_states, attention_mask)
        return hidden_states, tuple(taps)


class OwnPicturesAttention(mllama.MllamaTextCrossAttention):
    def _attention_with_mask(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        attention_mask: BatchMask,
        kv_range_for_decode: None,
    ) -> torch.Tensor:
        """q `[tokens, heads, size]`, k and v `[vision tokens, kv heads, size]`, all of the batch →
        `[tokens, heads · size]`, zero where a token sees nothing.
        """
        self._keep_for_decode(k, v, attention_mask)
        output = torch.zeros_like(q)
        for sequence in attention_mask.sequences:
            rows = slice(sequence.first_row, sequence.rows.stop)
            keys = attention_mask.keys(sequence.tiles)
            output[rows] = self._attend(
                q[rows], k[keys], v[keys], self._mask_of(sequence, attention_mask, q.device)
            )
        return output.view(q.shape[0], -1)

    def _mask_of(
        self, sequence: SequenceMask, batch: BatchMask, device: torch.device
    ) -> torch.Tensor | None:
        """`[rows that see, keys]`; None where each sees all, which the fast kernels ask for."""
        visible = sequence.visible[sequence.first_row - sequence.rows.start :]
        if visible.all():
            return None
        return torch.from_numpy(visible).to(device).repeat_interleave(batch.tokens_per_tile, dim=1)

    def _attend(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        # [kv heads, queries of each, rows, size]: not every kernel groups heads by itself.
        groups = self.num_key_value_groups
        grouped = (-1, groups, -1, -1)
        query = q.transpose(0, 1).unflatten(0, (self.num_local_key_value_heads, groups))
        key, value = (part.transpose(0, 1)[:, None].expand(grouped) for part in (k, v))
        result = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return result.flatten(0, 1).transpose(0, 1)

    def _keep_for_decode(self, k: torch.Tensor, v: torch.Tensor, batch: BatchMask) -> None:
        """Into the cache's blocks, which vLLM has reserved for the last pictures in a row alone."""
        kv_cache = self.attn.kv_cache[self.pipeline_parallel_rank]
        if kv_cache.dim() <= 1:
            # The pass that measures memory has no cache yet.
            return
        ranges = [batch.keys(sequence.decode_tiles) for sequence in batch.sequences]
        key, value = (torch.cat([part[keys] for keys in ranges]) for part in (k, v))
        slots = get_forward_context().attn_metadata.cross_slot_mapping
        scale = torch.ones(1, dtype=torch.float32)
        if self.attn.backend == _Backend.FLASH_ATTN:
            torch.ops._C_cache_ops.reshape_and_cache_flash(
                key, value, kv_cache[0], kv_cache[1], slots, "auto", scale, scale
            )
            return
        key_cache, value_cache = PagedAttention.split_kv_cache(
            kv_cache, self.num_local_key_value_heads, self.head_dim
        )
        PagedAttention.write_to_paged_cache(
            key, value, key_cache, value_cache, slots, "auto", scale, scale
        )


class ProcessingInfo(mllama.MllamaProcessingInfo):
    def get_token_per_chunk_from_config(self) -> int:
        return tokens_per_tile(self.get_hf_config().vision_config)


# Built by name, deep inside; each differs from what it replaces in methods alone.
_REPLACED = {
    mllama.MllamaVisionSdpaAttention: MaskedVisionAttention,
    mllama.MllamaVisionEncoder: TappedVisionEncoder,
    mllama.MllamaTextCrossAttention: OwnPicturesAttention,
    LogitsProcessor: RawLogits,
}


@MULTIMODAL_REGISTRY.register_processor(
    mllama.MllamaMultiModalProcessor,
    info=ProcessingInfo,
    dummy_inputs=mllama.MllamaDummyInputsBuilder,
)
class Mllama(mllama.MllamaForConditionalGeneration):
    def __init__(self, *, vllm_config: Any, prefix: str = "") -> None:
        super().__init__(vllm_config=vllm_config, prefix=prefix)
        for module in self.modules():
            module.__class__ = _REPLACED.get(type(module), type(module))

    def forward(
        self, input_ids: torch.Tensor, positions: torch.Tensor, **kwargs: Any
    ) -> torch.Tensor:
        """input_ids and positions `[tokens]`, of all sequences → hidden states `[tokens, width]`."""
        pixel_values = kwargs.get("pixel_values")
        if pixel_values is None:
            # Prompts without pictures, and decoding.
            return super().forward(input_ids, positions, **kwargs)
        metadata = get_forward_context().attn_metadata
        if metadata.num_decode_tokens > 0:
            raise ValueError("prompts and answers in one step: chunked prefill must be off")
        num_tiles = [tiles.tolist() for tiles in kwargs["num_tiles"]]
        states = self.encode_pictures(
            pixel_values, kwargs["aspect_ratio_ids"], kwargs["aspect_ratio_mask"], num_tiles
        )
        sparse = self._sparse_masks(input_ids.tolist(), metadata.seq_lens)
        masks = sequence_masks(sparse, num_tiles, metadata.seq_lens)
        rows = torch.from_numpy(rows_that_see(masks, input_ids.shape[0])).to(input_ids.device)
        return self.language_model(
            input_ids=input_ids,
            positions=positions,
            cross_attention_states=states,
            cross_attention_mask=BatchMask(masks, tokens_per_tile(self.config.vision_config)),
            kv_range_for_decode=None,
            full_text_row_masked_out_mask=rows[:, None],
            skip_cross_attention=False,
        )

    def encode_pictures(
        self,
        pixel_values: Iterable[torch.Tensor],
        aspect_ratio_ids: Iterable[torch.Tensor],
        aspect_ratio_mask: Iterable[torch.Tensor],
        num_tiles: list[list[int]],
    ) -> torch.Tensor:
        """For each sequence, pixels `[pictures, tile slots, 3, side, side]`, ids `[pictures]`, masks
        `[pictures, tile slots]` → `[vision tokens of all tiles that there are, width of the text]`.
        """
        states: list[torch.Tensor] = []
        for pixels, ids, masks, counts in zip(
            pixel_values, aspect_ratio_ids, aspect_ratio_mask, num_tiles, strict=True
        ):
            for picture, count in enumerate(counts):
                features = self.vision_model(
                    pixels[picture][None, None],
                    ids[picture].reshape(1, 1),
                    masks[picture].reshape(1, 1, -1),
                )
                projected, _ = self.multi_modal_projector(features[0, 0, :count])
                states.append(projected.flatten(0, 1))
        return torch.cat(states)

    def _sparse_masks(self, token_ids: list[int], lengths: list[int]) -> list[list[list[int]]]:
        masks: list[list[list[int]]] = []
        start = 0
        for length in lengths:
            sequence = token_ids[start : start + length]
            masks.append(get_cross_attention_token_mask(sequence, self.image_token_id))
            start += length
        return masks
