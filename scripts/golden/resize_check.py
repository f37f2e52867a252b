"""The resize of both back ends written out in integers, to check that the goldens are what the specification says."""

import numpy as np


def _coefficients(size_in: int, size_out: int) -> list[tuple[int, np.ndarray]]:
    """First source index and normalised weights for each output index."""
    scale = size_in / size_out
    support = max(scale, 1.0)
    out = []
    for index in range(size_out):
        centre = (index + 0.5) * scale
        low = max(int(centre - support + 0.5), 0)
        high = min(int(centre + support + 0.5), size_in)
        weights = [
            max(0.0, 1.0 - abs((low + k - centre + 0.5) * (1.0 / support)))
            for k in range(high - low)
        ]
        total = 0.0
        for weight in weights:
            total += weight
        out.append((low, np.array([weight / total for weight in weights])))
    return out


def adaptive_precision(coefficients: list[tuple[int, np.ndarray]]) -> int:
    largest = max(float(weights.max()) for _, weights in coefficients)
    precision = 0
    while precision < 22 and int(0.5 + largest * 2 ** (precision + 1)) < 2**15:
        precision += 1
    return precision


def _resize_axis(pixels: np.ndarray, size_out: int, precision: int | None) -> np.ndarray:
    """Along axis 1 of [rows, size, channels]."""
    size_in = pixels.shape[1]
    if size_in == size_out:
        return pixels
    coefficients = _coefficients(size_in, size_out)
    bits = adaptive_precision(coefficients) if precision is None else precision
    out = np.empty((pixels.shape[0], size_out, pixels.shape[2]), dtype=np.uint8)
    for index, (low, weights) in enumerate(coefficients):
        quantised = (weights * 2**bits + 0.5).astype(np.int64)
        source = pixels[:, low : low + len(weights)].astype(np.int64)
        total = (1 << (bits - 1)) + np.einsum("rkc,k->rc", source, quantised)
        out[:, index] = np.clip(total >> bits, 0, 255)
    return out


def resize(pixels: np.ndarray, width: int, height: int, precision: int | None) -> np.ndarray:
    """`pixels` is uint8 [h, w, c]. A precision of None chooses it for each axis, as torchvision does."""
    wide = _resize_axis(pixels, width, precision)
    return _resize_axis(wide.transpose(1, 0, 2), height, precision).transpose(1, 0, 2)
