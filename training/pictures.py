"""A picture as the processor gives it to the model; follows `MllamaImageProcessor`'s Pillow back end."""

import numpy as np
from model import MAX_TILES, PATCH, RATIOS, SIDE, TILE
from PIL import Image

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def canvas(width, height):
    """(rows, columns) of tiles: the least enlargement that fits, else the least reduction; then the smallest."""
    scales = [min(r * TILE / height, c * TILE / width) for r, c in RATIOS]
    enlarging = [s for s in scales if s >= 1]
    chosen = min(enlarging) if enlarging else max(scales)
    fitting = [ratio for ratio, scale in zip(RATIOS, scales, strict=True) if scale == chosen]
    return min(fitting, key=lambda ratio: ratio[0] * ratio[1])


def fitted(width, height, rows, columns):
    """Size in pixels inside the canvas."""
    target_w = min(max(width, TILE), columns * TILE)
    target_h = min(max(height, TILE), rows * TILE)
    scale_w, scale_h = target_w / width, target_h / height
    if scale_w < scale_h:
        return target_w, min(int(height * scale_w) or 1, target_h)
    return min(int(width * scale_h) or 1, target_w), target_h


def tiles_of(image):
    """→ (patches [tiles, SIDE², 3·PATCH²] float32, aspect-ratio id, scale from picture to canvas)."""
    rows, columns = canvas(image.width, image.height)
    assert rows * columns <= MAX_TILES
    width, height = fitted(image.width, image.height, rows, columns)
    scale = (width / image.width, height / image.height)
    resized = image if image.size == (width, height) else image.resize((width, height), Image.BILINEAR)
    board = np.zeros((rows * TILE, columns * TILE, 3), np.float32)
    board[:height, :width] = np.asarray(resized, np.float32) / 255
    board = (board - MEAN) / STD
    split = board.reshape(rows, SIDE, PATCH, columns, SIDE, PATCH, 3).transpose(0, 3, 1, 4, 6, 2, 5)
    patches = split.reshape(rows * columns, SIDE * SIDE, 3 * PATCH * PATCH)
    return np.ascontiguousarray(patches), RATIOS.index([rows, columns]) + 1, scale
