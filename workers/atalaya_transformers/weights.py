"""Reads a checkpoint into Transformers' own class, and sees that all of it was there."""

import contextlib
import logging
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from transformers import MllamaConfig, MllamaForConditionalGeneration, core_model_loading
from transformers.utils import logging as library_logging

from atalaya_worker import log, memory
from atalaya_worker.contract import OnProgress, Profile
from atalaya_worker.errors import WorkerError

from . import attention
from .options import EngineOptions

# Part of the free memory that weights in float32 may take when nobody chose a type.
WIDE_FRACTION = 0.6
# Kept as they are when the rest is quantized: they are small, and errors in them are seen in every token.
NOT_QUANTIZED = ("lm_head", "multi_modal_projector", "vision_model", "cross_attn")


def load_model(
    directory: str, options: EngineOptions, profile: Profile, on_progress: OnProgress
) -> MllamaForConditionalGeneration:
    """Raises WorkerError `corrupt_model_file`, `out_of_memory`, `engine_unavailable`, `invalid_request`."""
    library_logging.set_verbosity_error()
    library_logging.disable_progress_bar()
    logging.captureWarnings(True)
    attention.register()
    config = read_config(directory)
    dtype = options.dtype or default_dtype(config, options)
    arguments: dict[str, Any] = {
        "config": config,
        "dtype": dtype,
        "attn_implementation": {"text_config": attention.NAME, "vision_config": "sdpa"},
        "use_safetensors": True,
        "local_files_only": True,
        "output_loading_info": True,
    }
    if options.quantization != "none":
        arguments["quantization_config"] = quantization(options, dtype)
        arguments["device_map"] = {"": options.device}
    try:
        with told(on_progress):
            model, found = MllamaForConditionalGeneration.from_pretrained(directory, **arguments)
        check_tensors(found)
        if options.quantization == "none":
            model = model.to(options.device)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise out_of_memory(options) from error
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        if "can't allocate memory" in str(error):
            raise out_of_memory(options) from error
        log.failure("the library could not read the checkpoint", error)
        raise WorkerError(
            "corrupt_model_file",
            "Transformers could not read the weights of this checkpoint: a file is missing, cut "
            "short, or of another model. Fetch it again; the server's log has the reason.",
        ) from error
    apply_profile(model, profile)
    return model.eval()


def read_config(directory: str) -> MllamaConfig:
    try:
        config = MllamaConfig.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise WorkerError(
            "corrupt_model_file", "config.json is missing, or is not one of Llama 3.2 Vision."
        ) from error
    # Old files say so in odd places, and it never was.
    config.tie_word_embeddings = False
    config.text_config.tie_word_embeddings = False
    return config


def default_dtype(config: MllamaConfig, options: EngineOptions) -> torch.dtype:
    """As stored; on a processor float32, which it computes faster, where the weights then fit with room."""
    stored = config.dtype or config.text_config.dtype or torch.bfloat16
    if isinstance(stored, str):
        stored = getattr(torch, stored)
    if options.device.type != "cpu" or stored == torch.float32:
        return stored
    with torch.device("meta"):
        numel = sum(p.numel() for p in MllamaForConditionalGeneration(config).parameters())
    fits = 4 * numel <= WIDE_FRACTION * memory.available_bytes()
    # Of float16 a processor knows little; bfloat16 has its range.
    return torch.float32 if fits else torch.bfloat16


def quantization(options: EngineOptions, dtype: torch.dtype) -> Any:
    try:
        import bitsandbytes  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:
        raise WorkerError(
            "engine_unavailable",
            f"--quantization {options.quantization} needs bitsandbytes, which does not load here. "
            "Install the environment anew (atalaya engine install transformers), or use none.",
        ) from error
    from transformers import BitsAndBytesConfig

    if options.quantization == "4-bit":
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=list(NOT_QUANTIZED),
        )
    return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=list(NOT_QUANTIZED))


def check_tensors(found: Any) -> None:
    """What the library fills with random numbers, or leaves out, is a damaged checkpoint to us."""
    for key, says in (
        ("missing_keys", "is missing"),
        ("mismatched_keys", "has another shape than config.json says"),
        ("error_msgs", "could not be read"),
        ("unexpected_keys", "is not one of this model's"),
    ):
        names = sorted(map(str, found.get(key, ())))
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise WorkerError(
                "corrupt_model_file",
                f"The tensor {names[0]:.120}{more} {says}. Fetch the checkpoint again.",
            )


def apply_profile(model: MllamaForConditionalGeneration, profile: Profile) -> None:
    """Profile `ref`: the taps are the inputs of the named layers, which are the outputs of those before.

    Masked rows are the step's part, see `engine.py`.
    """
    if profile != "ref":
        return
    vision = model.model.vision_model
    taps = [int(index) for index in vision.intermediate_layers_indices]
    if 0 in taps:
        raise WorkerError(
            "invalid_request",
            "This model taps the input of the vision tower's first layer, which Transformers does not "
            "keep. Launch it with --profile hf, or with --model-engine native.",
        )
    vision.intermediate_layers_indices = [index - 1 for index in taps]


@contextlib.contextmanager
def told(on_progress: OnProgress) -> Iterator[None]:
    """The library counts the tensors it reads for a bar of its own; here the count is passed on."""
    on_progress("loading weights", 0.0)
    original = getattr(core_model_loading, "tqdm", None)

    def counted(iterable: Iterable[Any], *_: Any, **__: Any) -> Iterator[Any]:
        items = list(iterable)
        shown = 0
        for number, item in enumerate(items, start=1):
            yield item
            percent = 100 * number // len(items)
            if percent > shown:
                shown = percent
                on_progress("loading weights", number / len(items))

    if original is not None:
        core_model_loading.tqdm = counted
    try:
        yield
    finally:
        if original is not None:
            core_model_loading.tqdm = original


def out_of_memory(options: EngineOptions) -> WorkerError:
    where = "on the card" if options.device.type == "cuda" else "in memory"
    return WorkerError(
        "out_of_memory",
        f"There is no room {where} for the weights. Launch with --quantization 4-bit, with --dtype "
        "bfloat16, or a smaller model.",
    )
