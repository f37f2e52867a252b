"""What is run: prompts as explicit token ids, pictures as sizes.

The ids need no tokenizer: 1 begins the text, 256 is the picture, the rest are arbitrary. Each case is tried with seeds 0,
1, 2, … until the two best logits of every greedy step are far enough apart in both profiles for the choice to be safe.
"""

from dataclasses import dataclass

from tiny_models import TinyModel

IMAGE = 256
BOS = 1

GREEDY_TOKENS = 24
SMALLEST_GAP = 0.01
SEEDS_TO_TRY = 60


@dataclass(frozen=True)
class Case:
    name: str
    # Token ids; IMAGE marks a picture, None an arbitrary text token that depends on the seed.
    prompt: tuple[int | None, ...]
    # (width, height) in units of a thousandth of the tile side, one for each IMAGE.
    pictures: tuple[tuple[int, int], ...] = ()
    # Which stages are stored besides the projected tokens and the logits: "vision", "text", "vision text".
    stages: str = ""
    # The lengths of a prompt that arrives in turns, each later one with its own picture.
    turns: tuple[int, ...] = ()

    def token_ids(self, seed: int) -> list[int]:
        return [
            30 + (29 * position + 53 * seed) % 211 if token is None else token
            for position, token in enumerate(self.prompt)
        ]

    def picture_sizes(self, model: TinyModel) -> list[tuple[int, int]]:
        """Width and height in pixels."""
        return [
            (max(1, width * model.side // 1000), max(1, height * model.side // 1000))
            for width, height in self.pictures
        ]


def _text(count: int) -> tuple[None, ...]:
    return (None,) * count


ONE_TILE = (1000, 1000)
WIDE_IN_ONE_TILE = (860, 540)
ONE_BY_TWO = (1900, 900)
ONE_BY_THREE = (2700, 700)
ONE_BY_FOUR = (4400, 1040)
TWO_ROWS = (930, 1650)
TWO_BY_TWO = (1790, 1860)
THREE_ROWS = (680, 2900)
FOUR_ROWS = (930, 4500)

CASES_A = [
    Case("one-tile", (BOS, *_text(3), IMAGE, *_text(6)), (ONE_TILE,), stages="vision text"),
    Case("text-only", (BOS, *_text(9)), stages="text"),
    Case("one-by-two", (BOS, *_text(2), IMAGE, *_text(5)), (ONE_BY_TWO,)),
    Case("one-by-three", (BOS, *_text(2), IMAGE, *_text(5)), (ONE_BY_THREE,)),
    Case("one-by-four", (BOS, *_text(2), IMAGE, *_text(5)), (ONE_BY_FOUR,)),
    Case("two-rows", (BOS, *_text(2), IMAGE, *_text(5)), (TWO_ROWS,), stages="vision"),
    Case("four-tiles", (BOS, *_text(2), IMAGE, *_text(5)), (TWO_BY_TWO,), stages="vision"),
    Case("three-rows", (BOS, *_text(2), IMAGE, *_text(5)), (THREE_ROWS,)),
    Case("four-rows", (BOS, *_text(2), IMAGE, *_text(5)), (FOUR_ROWS,)),
    Case(
        "two-pictures",
        (BOS, *_text(2), IMAGE, *_text(3), IMAGE, *_text(4)),
        (TWO_ROWS, WIDE_IN_ONE_TILE),
        stages="text",
    ),
    Case("two-consecutive", (BOS, None, IMAGE, IMAGE, *_text(4)), (WIDE_IN_ONE_TILE, ONE_BY_TWO)),
    Case(
        "three-consecutive",
        (BOS, None, IMAGE, IMAGE, IMAGE, *_text(4)),
        (ONE_BY_TWO, ONE_TILE, TWO_BY_TWO),
    ),
    Case(
        "two-then-one",
        (BOS, IMAGE, IMAGE, *_text(2), IMAGE, *_text(3)),
        (ONE_TILE, TWO_ROWS, WIDE_IN_ONE_TILE),
    ),
    Case("picture-first", (IMAGE, BOS, *_text(6)), (ONE_BY_TWO,)),
    Case("picture-after-text", (BOS, *_text(9), IMAGE, *_text(2)), (TWO_ROWS,)),
    Case("picture-last", (BOS, *_text(6), IMAGE), (WIDE_IN_ONE_TILE,)),
    Case("two-pictures-last", (BOS, *_text(4), IMAGE, IMAGE), (ONE_TILE, ONE_BY_TWO)),
    Case(
        "second-picture-later",
        (BOS, *_text(2), IMAGE, *_text(3), 6, *_text(2), IMAGE, *_text(3)),
        (ONE_TILE, ONE_BY_TWO),
        turns=(8, 14),
    ),
    Case("one-pixel-high", (BOS, IMAGE, *_text(4)), ((5000, 1),)),
    Case("long-text", (BOS, *_text(299))),
]

# Other sizes, groupings and places of the cross layer.
CASES_SMALL = [
    Case("one-tile", (BOS, *_text(2), IMAGE, *_text(4)), (WIDE_IN_ONE_TILE,)),
    Case("one-by-three", (BOS, IMAGE, *_text(4)), (ONE_BY_THREE,)),
    Case("two-pictures", (BOS, IMAGE, *_text(3), IMAGE, *_text(3)), (TWO_ROWS, TWO_BY_TWO)),
    Case("text-only", (BOS, *_text(7))),
]

# Other storage types and table contents: the same code paths, fewer cases.
CASES_VARIANT = [
    Case("one-tile", (BOS, *_text(3), IMAGE, *_text(6)), (ONE_TILE,)),
    Case("two-rows", (BOS, *_text(2), IMAGE, *_text(5)), (TWO_ROWS,)),
    Case(
        "two-pictures",
        (BOS, *_text(2), IMAGE, *_text(3), IMAGE, *_text(4)),
        (TWO_ROWS, WIDE_IN_ONE_TILE),
    ),
    Case("text-only", (BOS, *_text(9))),
]


def cases_of(model: TinyModel) -> list[Case]:
    if model.name == "tiny-a":
        return CASES_A
    return CASES_SMALL if model.name in ("tiny-b", "tiny-c") else CASES_VARIANT
