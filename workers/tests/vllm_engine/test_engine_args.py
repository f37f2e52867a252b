"""Options of a launch, through vLLM's own parser."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vllm", reason="there is no vllm in this Python")

from support import GOLDEN

from atalaya_vllm import engine_args as module
from atalaya_vllm.engine_args import engine_args, option_parser
from atalaya_vllm.option_table import option_table
from atalaya_vllm.options import REFUSED
from atalaya_worker.contract import LoadOptions
from atalaya_worker.errors import WorkerError

DIRECTORY = str(GOLDEN / "tiny-a")


def options(quantization: str = "none", **given: Any) -> LoadOptions:
    return LoadOptions(
        directory=DIRECTORY,
        profile=given.pop("profile", "ref"),
        max_model_len=given.pop("max_model_len", None),
        max_num_seqs=given.pop("max_num_seqs", None),
        kv_cache_dtype=given.pop("kv_cache_dtype", None),
        num_threads=given.pop("num_threads", None),
        quantization=quantization,
        engine_options=given,
    )


def built(**given: Any) -> Any:
    return engine_args(options(**given), 131_072)[0]


def test_the_pages_own_words() -> None:
    # atalaya launch --model-engine vllm --enforce_eager --max_num_seqs 16 …
    args, notes = engine_args(options(enforce_eager=True, max_num_seqs=16), 131_072)
    assert (args.enforce_eager, args.max_num_seqs) == (True, 16)
    assert args.model == args.tokenizer == DIRECTORY
    assert (args.max_model_len, args.limit_mm_per_prompt) == (16_384, {"image": 1})
    assert (args.trust_remote_code, args.tensor_parallel_size) == (False, 1)
    assert [note.split(" is ")[0] for note in notes] == ["max_model_len", "limit_mm_per_prompt"]


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"max_model_len": 8192}, "max_model_len", 8192),
        ({"limit_mm_per_prompt": {"image": 4}}, "limit_mm_per_prompt", {"image": 4}),
        ({"limit_mm_per_prompt": '{"image": 4}'}, "limit_mm_per_prompt", {"image": 4}),
        ({"gpu_memory_utilization": 0.85}, "gpu_memory_utilization", 0.85),
        ({"tensor_parallel_size": 4}, "tensor_parallel_size", 4),
        ({"dtype": "half"}, "dtype", "half"),
        ({"enforce_eager": False}, "enforce_eager", False),
        ({"cuda_graph_sizes": [1, 2, 4]}, "cuda_graph_sizes", [1, 2, 4]),
        ({"swap_space": 0}, "swap_space", 0.0),
        ({"seed": 7}, "seed", 7),
        ({"preemption_mode": "recompute"}, "preemption_mode", "recompute"),
        ({"disable_custom_all_reduce": True}, "disable_custom_all_reduce", True),
        ({"enable_prefix_caching": False}, "enable_prefix_caching", False),
        ({"quantization": "fp8"}, "quantization", "fp8"),
        ({"quantization": "bitsandbytes"}, "quantization", "bitsandbytes"),
        ({"quantization": "none"}, "quantization", None),
    ],
)
def test_values_arrive(given: dict[str, Any], field: str, value: Any) -> None:
    assert getattr(built(**given), field) == value


def test_several_cards_are_processes_of_this_machine() -> None:
    assert built(tensor_parallel_size=4).distributed_executor_backend == "mp"


def test_bitsandbytes_is_eager_and_says_so() -> None:
    args, notes = engine_args(options("bitsandbytes", enforce_eager=False), 131_072)
    assert args.enforce_eager is True
    assert any("do not go together" in note for note in notes)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_a_launch_may_not_set_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(WorkerError, match=name) as caught:
        engine_args(options(**{name: "x"}), 131_072)
    assert caught.value.code == "unsupported_parameter"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"max_num_sequences": 3}, "max-num-sequences"),
        # No abbreviation stands for an option that was looked at.
        ({"trust_remote": True}, "trust-remote"),
        ({"max_logprobs": "many"}, "max-logprobs"),
        ({"dtype": "int3"}, "dtype"),
    ],
)
def test_vllms_parser_has_the_last_word(given: dict[str, Any], words: str) -> None:
    with pytest.raises(WorkerError, match=words) as caught:
        engine_args(options(**given), 131_072)
    assert caught.value.code == "invalid_request"


@pytest.mark.parametrize("given", [{"profile": "hf"}, {"num_threads": 4}, {"quantization": "awq"}])
def test_what_is_not_its_to_do(given: dict[str, Any]) -> None:
    with pytest.raises(WorkerError):
        engine_args(options(**given), 131_072)


def test_every_refused_option_is_one_of_vllms() -> None:
    known = {action.dest for action in option_parser()._actions}
    assert set(REFUSED) <= known


def test_the_table_that_the_platform_reads_is_this_packages() -> None:
    path = Path(module.__file__).with_name("options.json")
    assert json.loads(path.read_text(encoding="utf-8"))["options"] == option_table()
