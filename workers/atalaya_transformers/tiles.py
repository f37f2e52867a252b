"""A decoded picture → what the vision model takes, by the checkpoint's own processor.

Transformers' Pillow back end is the one whose pixels the platform's references were made with.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers.models.mllama.image_processing_pil_mllama import (
    MllamaImageProcessorPil,
    get_all_supported_aspect_ratios,
    get_image_size_fit_to_canvas,
)

from atalaya_worker.contract import Picture
from atalaya_worker.errors import WorkerError

# Their defaults in the library are other numbers than the model's.
_REQUIRED = ("size", "image_mean", "image_std", "max_image_tiles")


@dataclass(frozen=True)
class Tiles:
    # [1, 1, max_tiles, 3, side, side]: a batch of one picture, as the vision model takes it.
    pixel_values: torch.Tensor
    # [1, 1]
    aspect_ratio_ids: torch.Tensor
    # [1, 1, max_tiles]
    aspect_ratio_mask: torch.Tensor
    rows: int
    columns: int
    resized_width: int
    resized_height: int

    @property
    def num_tiles(self) -> int:
        return self.rows * self.columns


class Processor:
    def __init__(self, directory: str) -> None:
        path = Path(directory) / "preprocessor_config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise WorkerError(
                "corrupt_model_file", "preprocessor_config.json is missing, or is no JSON."
            ) from error
        missing = next((key for key in _REQUIRED if key not in config), None)
        if missing is not None:
            raise WorkerError(
                "corrupt_model_file", f"preprocessor_config.json has no {missing}. Fetch it again."
            )
        self._processor = MllamaImageProcessorPil.from_pretrained(directory)
        self.max_tiles: int = config["max_image_tiles"]
        self.side: int = config["size"]["height"]
        self._grids = get_all_supported_aspect_ratios(self.max_tiles)

    def tiles(self, picture: Picture) -> Tiles:
        limit = min(picture.max_tiles or self.max_tiles, self.max_tiles)
        image = Image.frombytes("RGB", (picture.width, picture.height), picture.pixels)
        out = self._processor([[image]], max_image_tiles=limit, return_tensors="np")
        # Of fewer tiles there are fewer grids; what the model calls this one it knows by all of them.
        rows, columns = get_all_supported_aspect_ratios(limit)[out["aspect_ratio_ids"][0, 0] - 1]
        pixels = np.zeros((1, 1, self.max_tiles, *out["pixel_values"].shape[3:]), dtype=np.float32)
        pixels[:, :, :limit] = out["pixel_values"][:, :, :limit]
        mask = torch.zeros(1, 1, self.max_tiles, dtype=torch.int64)
        mask[..., : rows * columns] = 1
        height, width = get_image_size_fit_to_canvas(
            image_height=picture.height,
            image_width=picture.width,
            canvas_height=rows * self.side,
            canvas_width=columns * self.side,
            tile_size=self.side,
        )
        return Tiles(
            pixel_values=torch.from_numpy(pixels),
            aspect_ratio_ids=torch.tensor([[self._grids.index((rows, columns)) + 1]]),
            aspect_ratio_mask=mask,
            rows=rows,
            columns=columns,
            resized_width=width,
            resized_height=height,
        )
