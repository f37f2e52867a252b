"""The image processor's goldens: resized bytes, normalisation tables, canvas decisions, masks, alpha, pixel values."""

import hashlib
import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file
from transformers.image_utils import SizeDict
from transformers.models.mllama.image_processing_mllama import MllamaImageProcessor
from transformers.models.mllama.image_processing_pil_mllama import (
    MllamaImageProcessorPil,
    convert_to_rgb,
    get_image_size_fit_to_canvas,
    get_optimal_tiled_canvas,
)
from transformers.models.mllama.processing_mllama import (
    convert_sparse_cross_attention_mask_to_dense,
    get_cross_attention_token_mask,
)

from case_goldens import file_sha256
from cases import IMAGE
from checkpoint import IMAGE_MEAN, IMAGE_STD, write_json
from manifest import made_with
from pictures import FORMULA, picture, picture_bytes
from resize_check import resize as resize_by_hand

MAX_TILES = 4

# (width, height) -> (new width, new height)
RESIZES = [
    ((28, 28), (28, 28)),
    ((24, 15), (28, 17)),
    ((26, 46), (26, 28)),
    ((53, 25), (53, 28)),
    ((50, 52), (49, 51)),
    ((1, 1), (28, 28)),
    ((1, 37), (3, 28)),
    ((37, 1), (28, 1)),
    ((2, 2), (5, 7)),
    ((3, 5), (28, 46)),
    ((100, 3), (40, 2)),
    ((99, 101), (28, 28)),
    ((127, 64), (56, 28)),
    ((640, 480), (37, 28)),
    ((333, 517), (18, 28)),
    ((1000, 1), (56, 1)),
    ((31, 29), (112, 105)),
    ((57, 113), (28, 56)),
    ((560, 561), (559, 560)),
    ((1920, 1080), (1120, 630)),
    ((4032, 3024), (1120, 840)),
]
# Larger results are kept as a hash only.
LARGEST_STORED = 6000

BACK_ENDS = {"pillow": 22, "torchvision": None}

PIXEL_VALUES = [(24, 15, 1), (53, 25, 2), (26, 46, 3)]


def _bytes_sha256(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _processors(side: int) -> dict:
    options = {
        "size": {"height": side, "width": side},
        "image_mean": IMAGE_MEAN,
        "image_std": IMAGE_STD,
        "max_image_tiles": MAX_TILES,
        "resample": 2,
        "rescale_factor": 0.00392156862745098,
    }
    return {
        "pillow": MllamaImageProcessorPil(**options),
        "torchvision": MllamaImageProcessor(**options),
    }


def _resize(back_end: str, processor, pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """The resize that the class inherits, before it chooses a canvas. uint8 [h, w, 3] in and out."""
    size = SizeDict(height=height, width=width)
    channels_first = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    if back_end == "pillow":
        inherited = super(MllamaImageProcessorPil, processor).resize
        return inherited(channels_first, size, resample=2).transpose(1, 2, 0)
    inherited = super(MllamaImageProcessor, processor).resize
    resized = inherited(torch.from_numpy(channels_first), size, resample=2, antialias=True)
    return resized.numpy().transpose(1, 2, 0)


def write_resizes(root: Path) -> list[dict]:
    processors = _processors(28)
    tensors, entries = {}, []
    for number, ((width, height), (new_width, new_height)) in enumerate(RESIZES):
        pixels = picture_bytes(width, height, number)
        entry = {
            "name": f"{width}x{height}-to-{new_width}x{new_height}",
            "from": {"width": width, "height": height, "seed": number},
            "to": {"width": new_width, "height": new_height},
        }
        for back_end, precision in BACK_ENDS.items():
            made = _resize(back_end, processors[back_end], pixels, new_width, new_height)
            assert made.dtype == np.uint8 and made.shape == (new_height, new_width, 3)
            expected = resize_by_hand(pixels, new_width, new_height, precision)
            assert np.array_equal(made, expected), f"{entry['name']} {back_end}"
            entry[back_end] = {"sha256": _bytes_sha256(made), "stored": made.size <= LARGEST_STORED}
            if made.size <= LARGEST_STORED:
                tensors[f"{entry['name']}.{back_end}"] = np.ascontiguousarray(made)
        entries.append(entry)
    path = root / "resize.safetensors"
    save_file(tensors, path)
    path.chmod(0o644)
    return entries


def write_normalisation(root: Path) -> None:
    """For each back end [3, 256]: channel, byte value -> what the model sees."""
    processors = _processors(28)
    values = np.broadcast_to(np.arange(256, dtype=np.uint8), (3, 1, 256))
    pillow = processors["pillow"]
    rescaled = pillow.rescale(np.ascontiguousarray(values), 0.00392156862745098)
    table = pillow.normalize(rescaled, IMAGE_MEAN, IMAGE_STD)
    fused = processors["torchvision"].rescale_and_normalize(
        torch.from_numpy(np.ascontiguousarray(values))[None],
        True,
        0.00392156862745098,
        True,
        tuple(IMAGE_MEAN),
        tuple(IMAGE_STD),
    )
    tensors = {
        "pillow": np.asarray(table, dtype=np.float32).reshape(3, 256),
        "torchvision": fused.numpy().astype(np.float32).reshape(3, 256),
    }
    path = root / "normalise.safetensors"
    save_file(tensors, path)
    path.chmod(0o644)


def canvas_decisions() -> list[list[int]]:
    """Rows of [tile side, width, height, rows, columns, new width, new height]."""
    rng = random.Random(7)
    sizes = [(28, *size) for size, _ in RESIZES]
    for side in (28, 448, 560):
        around = [1, side // 2, side - 1, side, side + 1, 2 * side, 2 * side + 1, 4 * side + 1]
        sizes += [(side, width, height) for width in around for height in around]
    for _ in range(60):
        sizes.append((560, round(10 ** rng.uniform(0, 4.5)), round(10 ** rng.uniform(0, 4.5))))
    sizes += [(560, 50, 45), (560, 4032, 3024), (560, 9999999, 1), (560, 1, 9999999)]
    rows = []
    for side, width, height in dict.fromkeys(sizes):
        canvas_height, canvas_width = get_optimal_tiled_canvas(height, width, MAX_TILES, side)
        new_height, new_width = get_image_size_fit_to_canvas(
            height, width, canvas_height, canvas_width, side
        )
        grid = (canvas_height // side, canvas_width // side)
        rows.append([int(x) for x in (side, width, height, *grid, new_width, new_height)])
    return rows


def cross_attention_masks() -> list[dict]:
    """Patterns of text (x) and picture (I) tokens -> the rows that each picture is seen by."""
    patterns = ["", "x", "I", "II", "III", "xI", "Ix", "xII", "IIx", "xIIx", "IxI", "IxIx", "xIxI"]
    patterns += ["IIxx", "xIIxIx", "xxIxxIIxx", "IIxIIx", "xIxIIIxx", "IIIxIx", "xxxxI", "xIIxII"]
    rng = random.Random(3)
    while len(patterns) < 60:
        candidate = "".join(rng.choice("xxI") for _ in range(rng.randint(2, 14)))
        if candidate not in patterns:
            patterns.append(candidate)
    entries = []
    for number, pattern in enumerate(patterns):
        ids = [IMAGE if letter == "I" else 40 for letter in pattern]
        ranges = get_cross_attention_token_mask(ids, IMAGE)
        tiles = [1 + (number + index) % MAX_TILES for index in range(len(ranges))]
        entry = {"pattern": pattern, "tiles": tiles, "ranges": ranges}
        if ranges:
            dense = convert_sparse_cross_attention_mask_to_dense(
                [ranges], [tiles], MAX_TILES, len(ids)
            )
            # Row r, picture m: how many tiles, from the first, the row may see.
            entry["maskTiles"] = dense[0].sum(-1).tolist()
        entries.append(entry)
    return entries


def alpha_table() -> dict:
    """Straight alpha over white: every pair of alpha and value, as a hash, and some pairs in the open."""
    alpha, value = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    rgba = np.stack([value, value, value, alpha], axis=-1).astype(np.uint8)
    rgb = np.asarray(convert_to_rgb(Image.fromarray(rgba, "RGBA")))
    assert (rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 0] == rgb[..., 2]).all()
    table = rgb[..., 0]
    formula = np.floor((value * alpha + 255 * (255 - alpha)) / 255 + 0.5).astype(np.uint8)
    assert np.array_equal(table, formula)
    picks = [0, 1, 2, 63, 64, 127, 128, 200, 254, 255]
    return {
        "layout": "uint8 [alpha][value]",
        "sha256": _bytes_sha256(table),
        "examples": [[a, v, int(table[a, v])] for a in picks for v in picks],
    }


def write_pixel_values(root: Path) -> list[dict]:
    """What the whole processor makes of small pictures: the tiles in use; the others are zeros."""
    tensors, entries = {}, []
    processors = _processors(28)
    for width, height, seed in PIXEL_VALUES:
        name = f"{width}x{height}"
        entry = {"name": name, "width": width, "height": height, "seed": seed, "tileSide": 28}
        for back_end, processor in processors.items():
            made = processor([[picture(width, height, seed)]], return_tensors="pt")
            tiles = made["num_tiles"][0][0]
            values = made["pixel_values"][0, 0]
            assert not values[tiles:].any()
            tensors[f"{name}.{back_end}"] = values[:tiles].contiguous().numpy()
            entry["aspectRatioId"] = int(made["aspect_ratio_ids"][0, 0])
            entry["aspectRatioMask"] = made["aspect_ratio_mask"][0, 0].tolist()
            entry["tiles"] = tiles
        entries.append(entry)
    path = root / "pixel-values.safetensors"
    save_file(tensors, path)
    path.chmod(0o644)
    return entries


def write_processor(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    resizes = write_resizes(root)
    write_normalisation(root)
    pixel_values = write_pixel_values(root)
    write_json(root / "canvas.json", canvas_decisions(), indent=None)
    write_json(root / "masks.json", cross_attention_masks(), indent=None)
    files = ["resize.safetensors", "normalise.safetensors", "pixel-values.safetensors"]
    write_json(
        root / "manifest.json",
        {
            "madeWith": {**made_with(), "imageProcessor": "both back ends"},
            "pictureFormula": FORMULA,
            "backEnds": {
                "pillow": "precision 22",
                "torchvision": "precision chosen for each axis, on a CPU with AVX2 or better",
            },
            "resize": resizes,
            "pixelValues": pixel_values,
            "alphaOnWhite": alpha_table(),
            "canvasColumns": [
                "tileSide",
                "width",
                "height",
                "rows",
                "columns",
                "newWidth",
                "newHeight",
            ],
            "files": {
                name: file_sha256(root / name) for name in [*files, "canvas.json", "masks.json"]
            },
        },
    )
