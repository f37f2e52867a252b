"""Checkpoint directory in, engine out. Imports vLLM only after its environment is as it must be."""

import logging
import os
from pathlib import Path
from typing import Any

from atalaya_worker import log
from atalaya_worker.contract import LoadOptions, ModelInfo, OnProgress
from atalaya_worker.errors import WorkerError
from atalaya_worker.grammars import Grammars
from atalaya_worker.json_file import read_json

from .versions import problem

# V1 does not have this model. No telemetry, no plugin but ours, no address but this machine's; worker
# processes start afresh, as CUDA asks for.
ENVIRONMENT = {
    "VLLM_USE_V1": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "VLLM_PLUGINS": "atalaya_mllama",
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_LOOPBACK_IP": "127.0.0.1",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}

# The beginning of a line of vLLM's log → the stage that it begins.
STAGES = {
    "Starting to load model": "reading weights",
    "Starting profile run": "measuring memory with made-up pictures",
    "# cuda blocks": "reserving the cache",
    "Capturing cudagraphs": "recording graphs",
}


def load(options: LoadOptions, on_progress: OnProgress) -> Any:
    """Raises WorkerError; called on a thread of its own."""
    if os.environ.get("VLLM_USE_V1", "0") != "0":
        raise WorkerError(
            "engine_unavailable",
            "VLLM_USE_V1 asks for vLLM's V1 engine, which does not have this model. Unset it.",
        )
    lacking = problem()
    if lacking is not None:
        raise WorkerError(
            "engine_unavailable",
            f"The Python of the engine vllm does not do: {lacking}. Make its environment anew with "
            "atalaya engine install vllm.",
        )
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    on_progress("reading the checkpoint", None)
    config = read_json(Path(options.directory) / "config.json")
    if config.get("model_type") != "mllama":
        raise WorkerError(
            "corrupt_model_file", "config.json is not that of a Llama 3.2 Vision model."
        )
    on_progress("starting vLLM", None)
    return _start(options, config, on_progress)


def _start(options: LoadOptions, config: dict[str, Any], on_progress: OnProgress) -> Any:
    from vllm import LLMEngine

    from .engine import VllmEngine
    from .engine_args import engine_args
    from .failures import explain

    text = config["text_config"]
    args, notes = engine_args(options, text["max_position_embeddings"])
    for note in notes:
        log.info("option", note=note)
    handler = _StageHandler(on_progress)
    logging.getLogger("vllm").addHandler(handler)
    try:
        engine = LLMEngine.from_engine_args(args)
    except Exception as error:
        raise explain(error) from error
    finally:
        logging.getLogger("vllm").removeHandler(handler)
    model = _model_info(engine, options.directory)
    return VllmEngine(engine, model, Grammars(options.directory, model.vocab_size))


def _model_info(engine: Any, directory: str) -> ModelInfo:
    from .model import tokens_per_tile

    config = engine.model_config.hf_config
    text = config.text_config
    return ModelInfo(
        context_length=engine.model_config.max_model_len,
        vocab_size=text.vocab_size,
        num_embeddings=text.vocab_size + 8,
        image_token_id=config.image_token_index,
        bos_token_id=text.bos_token_id,
        stop_token_ids=_stop_token_ids(Path(directory), text.eos_token_id),
        vision_tokens_per_tile=tokens_per_tile(config.vision_config),
    )


def _stop_token_ids(directory: Path, fallback: Any) -> list[int]:
    """From generation_config.json, else config.json."""
    path = directory / "generation_config.json"
    ids = read_json(path).get("eos_token_id") if path.exists() else None
    ids = fallback if ids is None else ids
    return [ids] if isinstance(ids, int) else list(ids or [])


class _StageHandler(logging.Handler):
    def __init__(self, on_progress: OnProgress) -> None:
        super().__init__()
        self._on_progress = on_progress

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        for beginning, stage in STAGES.items():
            if message.startswith(beginning):
                self._on_progress(stage, None)
