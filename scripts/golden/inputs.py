"""Token ids and pictures of a case -> the tensors that the reference takes."""

from dataclasses import dataclass

import torch
from PIL import Image
from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil
from transformers.models.mllama.processing_mllama import (
    convert_sparse_cross_attention_mask_to_dense,
    get_cross_attention_token_mask,
)

from cases import IMAGE

MAX_TILES = 4


@dataclass(frozen=True)
class Inputs:
    # [1, P]
    token_ids: torch.Tensor
    # [1, M, 4, 3, S, S], [1, M], [1, M, 4]; None without pictures
    pixel_values: torch.Tensor | None = None
    aspect_ratio_ids: torch.Tensor | None = None
    aspect_ratio_mask: torch.Tensor | None = None
    # [1, P, M, 4]
    cross_attention_mask: torch.Tensor | None = None
    num_tiles: tuple[int, ...] = ()

    def pictures(self, start: int, end: int) -> dict[str, torch.Tensor]:
        """The pictures numbered start to end, as arguments of the model; nothing where there is none."""
        if self.pixel_values is None or start == end:
            return {}
        return {
            "pixel_values": self.pixel_values[:, start:end],
            "aspect_ratio_ids": self.aspect_ratio_ids[:, start:end],
            "aspect_ratio_mask": self.aspect_ratio_mask[:, start:end],
        }


def make_inputs(
    token_ids: list[int],
    pictures: list[Image.Image],
    processor: MllamaImageProcessorPil,
    image_token: int = IMAGE,
) -> Inputs:
    ids = torch.tensor([token_ids])
    if not pictures:
        return Inputs(ids)
    processed = processor([pictures], return_tensors="pt")
    num_tiles = processed["num_tiles"]
    mask = convert_sparse_cross_attention_mask_to_dense(
        [get_cross_attention_token_mask(token_ids, image_token)],
        num_tiles,
        MAX_TILES,
        len(token_ids),
    )
    return Inputs(
        ids,
        processed["pixel_values"],
        processed["aspect_ratio_ids"],
        processed["aspect_ratio_mask"],
        torch.from_numpy(mask),
        tuple(num_tiles[0]),
    )
