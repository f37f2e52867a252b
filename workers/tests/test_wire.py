"""What arrives is read in full or refused."""

import dataclasses

import pytest

from atalaya_worker import messages, wire
from atalaya_worker.contract import Sampling
from atalaya_worker.errors import WorkerError


def test_every_setting_of_the_contract_is_read_or_refused():
    sampling = messages.GenerateRequest().sampling
    known = {field.name for field in dataclasses.fields(Sampling)}
    names = {field.name for field in sampling.DESCRIPTOR.fields}
    assert known <= names
    for name in names - known:
        request = messages.GenerateRequest(sampling={"max_tokens": 1})
        field = getattr(request.sampling, name)
        if hasattr(field, "SetInParent"):
            field.SetInParent()
        elif hasattr(field, "add"):
            field.add()
        else:
            continue
        with pytest.raises(WorkerError) as refused:
            wire.from_generate_request(request)
        assert refused.value.code == "unsupported_parameter"
        assert name in refused.value.message


def test_load_options_carry_json():
    request = messages.LoadRequest(
        directory="/m", profile="hf", engine_options={"dtype": '"float32"', "flag": "true"}
    )
    options = wire.from_load_request(request)
    assert options.profile == "hf"
    assert options.quantization == "none"
    assert options.max_model_len is None
    assert options.engine_options == {"dtype": "float32", "flag": True}


@pytest.mark.parametrize(("width", "height", "size"), [(0, 4, 0), (2, 2, 11), (2, 2, 13)])
def test_a_picture_whose_length_lies_is_none(width, height, size):
    request = messages.GenerateRequest(
        pictures=[{"width": width, "height": height, "pixels": bytes(size)}]
    )
    with pytest.raises(ValueError, match="are no picture of"):
        wire.from_generate_request(request)


def test_a_number_that_is_none_is_refused():
    request = messages.GenerateRequest(sampling={"temperature": float("nan")})
    with pytest.raises(ValueError, match="is no setting"):
        wire.from_generate_request(request)
