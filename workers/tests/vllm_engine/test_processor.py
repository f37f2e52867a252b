"""Our prompts — token ids and pictures — through vLLM's own processor."""

import hashlib
from typing import Any

import pytest

pytest.importorskip("vllm", reason="there is no vllm in this Python")

from support import cases, make_engine, prompt_of

from atalaya_vllm.engine import prepare
from atalaya_vllm.picture_report import report_of

CASES = cases("tiny-a")
IMAGE = 256


@pytest.fixture(scope="module")
def engine() -> Any:
    return make_engine("tiny-a")


@pytest.mark.parametrize("name", CASES)
def test_ids_pixels_and_number_of_encoder_tokens(engine: Any, name: str) -> None:
    case = CASES[name]
    inputs, _ = prepare(engine, prompt_of(case))
    assert inputs["decoder"]["prompt_token_ids"] == case["promptIds"]
    pictures = case["pictures"]
    # Those of the last pictures in a row: what decoding will see.
    assert inputs["encoder"]["prompt_token_ids"] == [IMAGE] * 17 * sum(last_tiles(case))
    if not pictures:
        return
    data = inputs["decoder"]["mm_kwargs"].get_data()
    assert data["aspect_ratio_ids"].tolist() == [one["aspectRatioId"] for one in pictures]
    assert data["num_tiles"].tolist() == [one["tiles"] for one in pictures]
    for pixels, one in zip(data["pixel_values"], pictures, strict=True):
        digest = hashlib.sha256(pixels.numpy().tobytes()).hexdigest()
        assert digest == one["pixelValuesSha256"]


def last_tiles(case: dict[str, Any]) -> list[int]:
    tiles = [one["tiles"] for one in case["pictures"]]
    ids = case["promptIds"]
    positions = [position for position, one in enumerate(ids) if one == IMAGE]
    count = 0
    for index in reversed(range(len(positions))):
        count += 1
        if index == 0 or positions[index] - positions[index - 1] != 1:
            break
    return tiles[len(tiles) - count :]


@pytest.mark.parametrize("name", CASES)
def test_reports_say_what_the_processor_did(engine: Any, name: str) -> None:
    case = CASES[name]
    config = engine.model_config.hf_config.vision_config
    for index, picture in enumerate(prompt_of(case).pictures):
        report = report_of(picture, index, config)
        expected = case["pictures"][index]
        assert report.rows * report.columns == expected["tiles"]
        assert report.aspect_ratio_id == expected["aspectRatioId"]
        assert 0 < report.resized_width <= 28 * report.columns
        assert 0 < report.resized_height <= 28 * report.rows


def test_a_prompt_without_a_start_of_text_gets_none(engine: Any) -> None:
    case = CASES["picture-first"]
    assert case["promptIds"][0] == IMAGE
    untouched = engine.input_preprocessor.preprocess({"prompt_token_ids": [5, 6]})
    assert untouched["decoder"]["prompt_token_ids"] == [1, 5, 6]
    inputs, _ = prepare(engine, prompt_of(case))
    assert inputs["decoder"]["prompt_token_ids"][0] == IMAGE
