"""Which pictures the rows of a prompt see through cross-attention. Pure; see `visible-pictures.ts`."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class VisibleRange:
    # Rows [start, end) of the sequence.
    start: int
    end: int
    # Indices of the pictures they see, consecutive; empty before the first picture.
    pictures: tuple[int, ...]


def visible_ranges(image_positions: Sequence[int], start: int, end: int) -> list[VisibleRange]:
    """A row sees the latest group of consecutive pictures, as far as it has been read.

    Generated tokens see what the last row of the prompt sees. Covers [start, end) in order.
    """
    ranges: list[VisibleRange] = []

    def push(first: int, last: int, pictures: tuple[int, ...]) -> None:
        first, last = max(first, start), min(last, end)
        if first < last:
            ranges.append(VisibleRange(first, last, pictures))

    push(0, image_positions[0] if image_positions else end, ())
    group: tuple[int, ...] = ()
    for index, position in enumerate(image_positions):
        follows = index > 0 and image_positions[index - 1] == position - 1
        group = (*group, index) if follows else (index,)
        is_last = index + 1 == len(image_positions)
        push(position, end if is_last else image_positions[index + 1], group)
    return ranges
