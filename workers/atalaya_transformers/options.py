"""The engine's own options of a launch, checked."""

from dataclasses import dataclass

import torch

from atalaya_worker.contract import LoadOptions
from atalaya_worker.errors import WorkerError

QUANTIZATIONS = ("none", "4-bit", "8-bit")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
KNOWN = ("dtype", "device", "enforce_eager")


@dataclass(frozen=True)
class EngineOptions:
    device: torch.device
    # None: as stored, or wider where that costs nothing.
    dtype: torch.dtype | None
    quantization: str


def read_options(options: LoadOptions) -> EngineOptions:
    """Raises WorkerError `invalid_request`, `unsupported_parameter`, `engine_unavailable`."""
    given = options.engine_options
    unknown = next((name for name in given if name not in KNOWN), None)
    if unknown is not None:
        raise WorkerError(
            "unsupported_parameter",
            f'The engine transformers has no option "{unknown}"; it has {", ".join(KNOWN)}.',
        )
    if options.quantization not in QUANTIZATIONS:
        raise WorkerError(
            "invalid_request",
            f"--quantization {options.quantization} is not what this engine makes; choose one of: "
            f"{', '.join(QUANTIZATIONS)}.",
        )
    if options.kv_cache_dtype is not None:
        raise WorkerError(
            "unsupported_parameter",
            "The engine transformers keeps keys and values in the type it computes in. Leave "
            "--kv-cache-dtype out, or choose --dtype.",
        )
    dtype = given.get("dtype") or "auto"
    if dtype != "auto" and dtype not in DTYPES:
        raise WorkerError(
            "invalid_request", f"--dtype is {dtype!s:.40}; use auto, {', '.join(DTYPES)}."
        )
    return EngineOptions(
        device=_device(str(given.get("device") or "auto")),
        dtype=DTYPES.get(dtype),
        quantization=options.quantization,
    )


def _device(name: str) -> torch.device:
    has_cuda = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda:0" if has_cuda else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()):
        raise WorkerError(
            "invalid_request", f"--device is {name:.40}; use auto, cpu, cuda or cuda:1."
        )
    if kind == "cuda" and (not has_cuda or int(index or 0) >= torch.cuda.device_count()):
        there = torch.cuda.device_count() if has_cuda else 0
        raise WorkerError(
            "engine_unavailable",
            f"--device is {name}, and PyTorch finds {there} CUDA devices here. Use --device cpu, "
            "or see that the driver and the environment's build of PyTorch belong together.",
        )
    return torch.device("cuda", int(index or 0)) if kind == "cuda" else torch.device("cpu")
