"""What is known about how vLLM fails to start → our codes, and what to do."""

import re

from atalaya_worker.errors import WorkerError

_LESS = (
    "Launch with a smaller --max-model-len or --max-num-seqs, with --quantization fp8 or "
    "bitsandbytes, or on more cards with --tensor-parallel-size."
)

# Pattern over what the exception says → code, sentence. `{0}`, `{1}`: its groups.
_KNOWN: list[tuple[str, str, str]] = [
    (
        r"CUDA out of memory|OutOfMemoryError",
        "out_of_memory",
        f"The graphics card's memory does not hold this model and its buffers. {_LESS}",
    ),
    (
        r"No available memory for the cache blocks",
        "out_of_memory",
        f"The model fits, and leaves no memory for its cache. {_LESS}",
    ),
    (
        r"max seq len \((\d+)\) is larger than the maximum number of tokens.*?\((\d+)\)",
        "out_of_memory",
        "A context of {0} tokens was asked for, and the card's memory holds the cache of {1}. "
        "Launch with --max-model-len {1}, or less.",
    ),
    (
        r"max_model_len \((\d+)\) is greater than the derived max_model_len.*?=(\d+)",
        "invalid_request",
        "--max-model-len {0} is more than the {1} positions of this model. Leave it out or lower it.",
    ),
    (
        r"Missing required keys in `rope_scaling`",
        "corrupt_model_file",
        "config.json gives rope_scaling in a form that Transformers 4.56 does not read. Rename its "
        "type to rope_type.",
    ),
    (
        r"Bfloat16 is only supported on GPUs with compute capability of at least 8\.0",
        "engine_unavailable",
        "This graphics card has no bfloat16. Launch with --dtype half.",
    ),
    (
        r"NVIDIA driver on your system is too old",
        "engine_unavailable",
        "The NVIDIA driver of this machine is too old for CUDA 12.8. Install version 570 or newer.",
    ),
    (
        r"Failed to infer device type|No CUDA GPUs are available|Found no NVIDIA driver",
        "engine_unavailable",
        "vLLM sees no NVIDIA graphics card. Launch with --model-engine native, which needs none.",
    ),
    (
        r"[Tt]otal number of attention heads \((\d+)\) must be divisible by tensor parallel size "
        r"\((\d+)\)",
        "invalid_request",
        "--tensor-parallel-size {1} does not divide the model's {0} heads. Take 1, 2, 4 or 8.",
    ),
]


def explain(error: BaseException) -> BaseException:
    """A WorkerError for what is known; anything else as it is, for the log."""
    if isinstance(error, WorkerError):
        return error
    said = f"{type(error).__name__}: {error}"
    for pattern, code, sentence in _KNOWN:
        if found := re.search(pattern, said, re.DOTALL):
            return WorkerError(code, sentence.format(*found.groups()))
    return error
