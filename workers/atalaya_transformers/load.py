"""A launch's options → an engine that can answer. What can be said without PyTorch is said before it is read."""

from pathlib import Path
from typing import Any

from atalaya_worker.contract import Engine, LoadOptions, OnProgress
from atalaya_worker.errors import WorkerError
from atalaya_worker.json_file import read_json

from . import versions

# `config.json` may leave out what is its default.
DEFAULT_POSITIONS = 131_072


def load(options: LoadOptions, on_progress: OnProgress) -> Engine:
    problem = versions.problem()
    if problem is not None:
        raise WorkerError(
            "engine_unavailable", f"The Python of this engine does not do: {problem}."
        )
    refuse_long_context(options, read_json(Path(options.directory) / "config.json"))
    on_progress("reading the checkpoint", None)
    # PyTorch and Transformers take seconds to read.
    from .assemble import assemble

    return assemble(options, on_progress)


def refuse_long_context(options: LoadOptions, config: dict[str, Any]) -> None:
    text = config.get("text_config")
    limit = text.get("max_position_embeddings", DEFAULT_POSITIONS) if isinstance(text, dict) else 0
    if options.max_model_len is not None and options.max_model_len > limit:
        raise WorkerError(
            "invalid_request",
            f"--max-model-len {options.max_model_len} is more than the {limit} positions of this "
            "model. Leave it out or lower it.",
        )
