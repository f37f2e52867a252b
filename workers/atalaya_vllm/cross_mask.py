"""Which prompt tokens may see which tiles, for a batch whose sequences lie one after another.

vLLM 0.10.2 makes one mask of all tokens and all tiles of a batch, and
`convert_sparse_cross_attention_mask_to_dense` does not step over the rows of a sequence without
pictures: every later sequence's rows stand too high, and see a neighbour's picture. Here every
sequence has a mask of its own, over its own tokens and its own tiles, so there is nothing to see.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SequenceMask:
    """One sequence with pictures, within its batch."""

    # Its tokens among the batch's, and its tiles among the batch's.
    rows: slice
    tiles: slice
    # [its rows, its tiles]
    visible: np.ndarray
    # What its generated tokens will see: the tiles of its last pictures in a row, within the batch.
    decode_tiles: slice

    @property
    def first_row(self) -> int:
        """Within the batch. Rows before it see nothing; from it on, every row sees a picture."""
        return self.rows.start + int(self.visible.any(axis=1).argmax())


def sequence_masks(
    sparse_masks: Sequence[Sequence[Sequence[int]]],
    num_tiles: Sequence[Sequence[int]],
    lengths: Sequence[int],
) -> list[SequenceMask]:
    """For each sequence with pictures, in order.

    `sparse_masks` has for every picture of every sequence the first row that sees it and the row
    after the last, -1 for the sequence's end; `num_tiles` has an entry for sequences with pictures
    only. Raises ValueError when the two disagree.
    """
    with_pictures = [bool(ranges) for ranges in sparse_masks]
    if len(lengths) != len(sparse_masks) or sum(with_pictures) != len(num_tiles):
        raise ValueError(
            f"{len(lengths)} lengths, {sum(with_pictures)} sequences that name pictures and "
            f"{len(num_tiles)} that have some do not belong together"
        )
    masks: list[SequenceMask] = []
    remaining = iter(num_tiles)
    row = column = 0
    for ranges, length in zip(sparse_masks, lengths, strict=True):
        if ranges:
            mask = _sequence_mask(ranges, next(remaining), length, row, column)
            masks.append(mask)
            column = mask.tiles.stop
        # Also for a sequence without pictures: its rows are there, and see nothing.
        row += length
    return masks


def _sequence_mask(
    ranges: Sequence[Sequence[int]], tiles: Sequence[int], length: int, row: int, column: int
) -> SequenceMask:
    visible = np.zeros((length, sum(tiles)), dtype=bool)
    first_decode: int | None = None
    tile = 0
    for (start, end), count in zip(ranges, tiles, strict=True):
        stop = length if end == -1 else min(end, length)
        visible[start:stop, tile : tile + count] = True
        if stop == length and first_decode is None:
            first_decode = tile
        tile += count
    if first_decode is None:
        raise ValueError(f"no picture of {list(ranges)} is seen by the last of {length} tokens")
    return SequenceMask(
        rows=slice(row, row + length),
        tiles=slice(column, column + tile),
        visible=visible,
        decode_tiles=slice(column + first_decode, column + tile),
    )


def rows_that_see(masks: Sequence[SequenceMask], num_rows: int) -> np.ndarray:
    """`[num_rows]`, whether a token may see any tile. The others get nothing from cross-attention:
    Meta's rule, where vLLM lets such a token see every picture of the batch.
    """
    rows = np.zeros(num_rows, dtype=bool)
    for mask in masks:
        rows[mask.first_row : mask.rows.stop] = True
    return rows
