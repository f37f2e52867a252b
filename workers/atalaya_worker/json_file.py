"""A JSON object of a checkpoint, or the sentence that says what is wrong with it."""

import json
from pathlib import Path
from typing import Any

from .errors import WorkerError


def read_json(path: Path) -> dict[str, Any]:
    """Raises WorkerError `model_not_found` when there is no such file, `corrupt_model_file`."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WorkerError(
            "model_not_found",
            f"There is no checkpoint in Hugging Face layout: {path.name} is missing in the directory.",
        ) from error
    except ValueError as error:
        raise WorkerError(
            "corrupt_model_file", f"{path.name} is no JSON. Fetch the checkpoint again."
        ) from error
    if not isinstance(value, dict):
        raise WorkerError("corrupt_model_file", f"{path.name} is no JSON object. Fetch it again.")
    return value
