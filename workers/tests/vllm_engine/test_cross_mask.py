"""Our masks, vLLM's own function, and the right answer, computed from where the image tokens stand."""

import random

import numpy as np
import pytest

pytest.importorskip("vllm", reason="there is no vllm in this Python")

from transformers.models.mllama.processing_mllama import get_cross_attention_token_mask
from vllm.model_executor.models.mllama import convert_sparse_cross_attention_mask_to_dense

from atalaya_vllm.cross_mask import rows_that_see, sequence_masks

IMAGE, TEXT = 256, 7

# Token ids, and the tiles of each picture.
Sequence = tuple[list[int], list[int]]


def right_mask(batch: list[Sequence]) -> np.ndarray:
    """Every token sees those pictures of its own sequence that stand, without other tokens in between,
    up to the last image token at or before it.
    """
    total = sum(len(ids) for ids, _ in batch)
    mask = np.zeros((total, sum(sum(tiles) for _, tiles in batch)), dtype=bool)
    row = column = 0
    for ids, tiles in batch:
        positions = [position for position, one in enumerate(ids) if one == IMAGE]
        starts = np.cumsum([0, *tiles])
        for offset in range(len(ids)):
            seen = [index for index, position in enumerate(positions) if position <= offset]
            group: list[int] = []
            for index in reversed(seen):
                if group and positions[group[-1]] - positions[index] != 1:
                    break
                group.append(index)
            for index in group:
                mask[row + offset, column + starts[index] : column + starts[index + 1]] = True
        row += len(ids)
        column += sum(tiles)
    return mask


def arguments(batch: list[Sequence]) -> tuple[list, list, list]:
    sparse = [get_cross_attention_token_mask(ids, IMAGE) for ids, _ in batch]
    return sparse, [tiles for _, tiles in batch if tiles], [len(ids) for ids, _ in batch]


def our_mask(batch: list[Sequence]) -> np.ndarray:
    sparse, num_tiles, lengths = arguments(batch)
    dense = np.zeros((sum(lengths), sum(map(sum, num_tiles))), dtype=bool)
    for one in sequence_masks(sparse, num_tiles, lengths):
        dense[one.rows, one.tiles] = one.visible
    return dense


def their_mask(batch: list[Sequence]) -> np.ndarray:
    return convert_sparse_cross_attention_mask_to_dense(*arguments(batch))[0].astype(bool)


def text(length: int) -> Sequence:
    return [TEXT] * length, []


def pictured(length: int, at: list[int], tiles: list[int]) -> Sequence:
    return [IMAGE if position in at else TEXT for position in range(length)], tiles


A = pictured(6, [2], [1])
B = pictured(6, [2], [1])

BATCHES = {
    "text, A, B": [text(4), A, B],
    "A, text, B": [A, text(4), B],
    "text, text, A": [text(3), text(5), A],
    "text, A of four tiles, B of two": [text(7), pictured(6, [2], [4]), pictured(9, [5], [2])],
    "text, two pictures apart, B": [text(4), pictured(12, [1, 6], [2, 1]), B],
    "text, three in a row, B": [text(4), pictured(12, [3, 4, 5], [1, 2, 1]), B],
}


@pytest.mark.parametrize("name", BATCHES)
def test_ours_is_right_where_theirs_is_wrong(name: str) -> None:
    batch = BATCHES[name]
    right = right_mask(batch)
    assert np.array_equal(our_mask(batch), right)
    assert not np.array_equal(their_mask(batch), right)


def test_the_batch_of_the_report_row_by_row() -> None:
    batch = BATCHES["text, A, B"]
    ours, theirs = our_mask(batch), their_mask(batch)
    assert np.flatnonzero(ours[:, 0]).tolist() == [6, 7, 8, 9]
    assert np.flatnonzero(ours[:, 1]).tolist() == [12, 13, 14, 15]
    # vLLM's: the last two tokens of A, 8 and 9, see B's picture and no other.
    assert np.flatnonzero(theirs[:, 0]).tolist() == [2, 3, 4, 5]
    assert np.flatnonzero(theirs[:, 1]).tolist() == [8, 9, 10, 11]


@pytest.mark.parametrize("batch", [[A], [A, B], [A, B, text(4)]])
def test_both_are_right_while_no_text_goes_before(batch: list[Sequence]) -> None:
    assert np.array_equal(our_mask(batch), right_mask(batch))
    assert np.array_equal(their_mask(batch), right_mask(batch))


def random_batch(random_: random.Random) -> list[Sequence]:
    batch: list[Sequence] = []
    for _ in range(random_.randint(1, 8)):
        length = random_.randint(1, 20)
        count = random_.choice([0, 0, 1, 1, 2, 3])
        at = sorted(random_.sample(range(length), min(count, length)))
        batch.append(pictured(length, at, [random_.randint(1, 4) for _ in at]))
    return batch


def test_ours_is_right_on_random_batches_and_theirs_whenever_text_goes_first() -> None:
    random_ = random.Random(17)
    wrong = 0
    for _ in range(2_000):
        batch = random_batch(random_)
        right = right_mask(batch)
        assert np.array_equal(our_mask(batch), right)
        with_pictures = [bool(tiles) for _, tiles in batch]
        # Text before a picture, anywhere in the batch.
        is_misplaced = (False, True) in zip(
            with_pictures, [any(with_pictures[i + 1 :]) for i in range(len(batch))], strict=True
        )
        assert np.array_equal(their_mask(batch), right) != is_misplaced
        wrong += is_misplaced
    assert wrong > 500


def test_what_decoding_sees_is_the_last_pictures_in_a_row_as_theirs() -> None:
    random_ = random.Random(18)
    for _ in range(500):
        batch = random_batch(random_)
        sparse, num_tiles, lengths = arguments(batch)
        _, ranges = convert_sparse_cross_attention_mask_to_dense(sparse, num_tiles, lengths)
        masks = sequence_masks(sparse, num_tiles, lengths)
        assert [(one.decode_tiles.start, one.decode_tiles.stop) for one in masks] == ranges


def test_rows_before_the_first_picture_see_nothing() -> None:
    random_ = random.Random(19)
    for _ in range(200):
        batch = random_batch(random_)
        masks = sequence_masks(*arguments(batch))
        right = right_mask(batch)
        assert np.array_equal(rows_that_see(masks, len(right)), right.any(axis=1))


def test_pictures_that_nobody_names_are_refused() -> None:
    with pytest.raises(ValueError, match="do not belong together"):
        sequence_masks([[]], [[1]], [4])
