"""Pictures from an integer formula, so that a test rebuilds them without a file."""

import numpy as np
from PIL import Image

FORMULA = "rgb[y][x][c] = (31*x + 17*y + 7*c + seed) mod 256"


def picture_bytes(width: int, height: int, seed: int) -> np.ndarray:
    """The picture as uint8 [height, width, 3]."""
    x = np.arange(width)[None, :, None]
    y = np.arange(height)[:, None, None]
    c = np.arange(3)[None, None, :]
    return ((31 * x + 17 * y + 7 * c + seed) % 256).astype(np.uint8)


def picture(width: int, height: int, seed: int) -> Image.Image:
    return Image.fromarray(picture_bytes(width, height, seed), "RGB")
