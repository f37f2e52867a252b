"""Engines on the CPU, and the goldens that they are held against."""

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from pictures import picture_bytes

from atalaya_vllm.checkpoint_config import adapt_config
from atalaya_worker.contract import Picture, Prompt

GOLDEN = Path(__file__).resolve().parents[3] / "test" / "golden" / "mllama"

Case = dict[str, Any]


@functools.cache
def cases(model: str) -> dict[str, Case]:
    manifest = json.loads((GOLDEN / "manifest.json").read_text(encoding="utf-8"))
    return {one["case"]: one for one in manifest["cases"] if one["model"] == model}


def prompt_of(case: Case) -> Prompt:
    return Prompt(case["promptIds"], [picture_of(one) for one in case["pictures"]])


def picture_of(one: dict[str, Any]) -> Picture:
    pixels = picture_bytes(one["width"], one["height"], one["seed"])
    return Picture(one["width"], one["height"], pixels.tobytes(), f"{one}")


@functools.cache
def golden(case_file: str) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(GOLDEN / case_file)


def make_engine(model: str, hf_overrides: Any = adapt_config, **options: Any) -> Any:
    """vLLM's own V0 engine over a tiny checkpoint, in float32."""
    from vllm import LLMEngine
    from vllm.engine.arg_utils import EngineArgs

    return LLMEngine.from_engine_args(
        EngineArgs(
            **{
                "model": str(GOLDEN / model),
                "dtype": "float32",
                "enforce_eager": True,
                "max_num_seqs": 16,
                "max_model_len": 512,
                "limit_mm_per_prompt": {"image": 4},
                "num_gpu_blocks_override": 2048,
                "block_size": 16,
                "hf_overrides": hf_overrides,
                "disable_log_stats": True,
                **options,
            }
        )
    )


def greedy(engine: Any, asked: list[Case], num_tokens: int = 24) -> dict[str, list[int]]:
    """The cases' answers; all of them are in the engine at once."""
    from vllm import SamplingParams

    from atalaya_vllm.engine import prepare

    for case in asked:
        inputs, _ = prepare(engine, prompt_of(case))
        params = SamplingParams(
            temperature=0, max_tokens=num_tokens, ignore_eos=True, detokenize=False
        )
        engine._add_processed_request(case["case"], inputs, params, 0.0, None)
    answers: dict[str, list[int]] = {}
    while engine.has_unfinished_requests():
        for output in engine.step():
            if output.finished:
                answers[output.request_id] = list(output.outputs[0].token_ids)
    return answers
