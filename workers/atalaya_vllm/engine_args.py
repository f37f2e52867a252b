"""A launch's options → vLLM's `EngineArgs`, read by vLLM's own parser."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from vllm.engine.arg_utils import EngineArgs
from vllm.utils import FlexibleArgumentParser

from atalaya_worker.contract import LoadOptions
from atalaya_worker.errors import WorkerError

from .checkpoint_config import adapt_config
from .options import REFUSED

# vLLM's own are 256 sequences and the model's 131,072 tokens, for which no card has the memory.
DEFAULT_MAX_NUM_SEQS = 16
DEFAULT_MAX_MODEL_LEN = 16_384
DEFAULT_PICTURES = 1

QUANTIZATIONS = {"none": None, "fp8": "fp8", "bitsandbytes": "bitsandbytes"}


class OptionParser(FlexibleArgumentParser):
    """Says what is wrong instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise WorkerError(
            "invalid_request",
            f"vLLM does not take these options: {message.strip()[:300]}. Correct them and launch again.",
        )


def option_parser() -> FlexibleArgumentParser:
    # An abbreviation would be an option that nobody has checked.
    return EngineArgs.add_cli_args(OptionParser(allow_abbrev=False))


def engine_args(options: LoadOptions, max_positions: int) -> tuple[EngineArgs, list[str]]:
    """The arguments, and a sentence for everything that is not as vLLM or the launch would have it.

    Raises WorkerError `unsupported_parameter` or `invalid_request`.
    """
    given = dict(options.engine_options)
    for name, value in (
        ("max_model_len", options.max_model_len),
        ("max_num_seqs", options.max_num_seqs),
        ("kv_cache_dtype", options.kv_cache_dtype),
    ):
        if value is not None:
            given[name] = value
    _refuse(given, options)
    notes: list[str] = []

    def default(name: str, value: Any, why: str) -> None:
        if name not in given:
            given[name] = value
            notes.append(f"{name} is {json.dumps(value)}: {why}.")

    default("enforce_eager", True, "recorded graphs take memory that pictures need")
    default("max_num_seqs", DEFAULT_MAX_NUM_SEQS, "vLLM sizes its buffers for all of them at once")
    default(
        "max_model_len",
        min(DEFAULT_MAX_MODEL_LEN, max_positions),
        f"the model has {max_positions} positions, whose cache would not fit",
    )
    default(
        "limit_mm_per_prompt",
        {"image": DEFAULT_PICTURES},
        "vLLM reserves five times what each picture of a prompt needs",
    )
    if options.quantization == "bitsandbytes" and given["enforce_eager"] is False:
        given["enforce_eager"] = True
        notes.append("enforce_eager is true: bitsandbytes and recorded graphs do not go together.")
    # The directory goes with them: without one vLLM looks for its default model on a hub.
    words = [f"--model={options.directory}", *_arguments(given)]
    args = EngineArgs.from_cli_args(option_parser().parse_args(words))
    args.tokenizer = options.directory
    args.quantization = QUANTIZATIONS[options.quantization]
    args.trust_remote_code = False
    args.generation_config = "vllm"
    args.hf_overrides = adapt_config
    args.distributed_executor_backend = "mp" if args.tensor_parallel_size > 1 else None
    args.enable_prefix_caching = False
    args.enable_chunked_prefill = False
    args.disable_log_stats = True
    args.use_tqdm_on_load = False
    return args, notes


def _refuse(given: Mapping[str, Any], options: LoadOptions) -> None:
    def unsupported(message: str) -> WorkerError:
        return WorkerError("unsupported_parameter", message)

    if options.profile != "ref":
        raise unsupported(
            'The engine vllm has the profile "ref" only. Leave --profile out, or launch with '
            "--model-engine transformers."
        )
    if options.quantization not in QUANTIZATIONS:
        raise unsupported(
            f"The engine vllm makes no {options.quantization!r} of weights; it knows "
            f"{', '.join(QUANTIZATIONS)}."
        )
    if "quantization" in given or options.num_threads is not None:
        name = "quantization" if "quantization" in given else "num_threads"
        raise unsupported(f'The engine vllm does not take "{name}" here. Leave it out.')
    for name, value in given.items():
        if name in REFUSED and value not in (False, None):
            raise unsupported(f'The engine vllm does not take "{name}": {REFUSED[name]}.')


def _arguments(given: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    for name, value in given.items():
        option = name.replace("_", "-")
        if value is None or name in REFUSED:
            continue
        if value is True:
            words.append(f"--{option}")
        elif value is False:
            # A switch that can only be put on is off when it is left out.
            if f"--no-{option}" in option_parser()._option_string_actions:
                words.append(f"--no-{option}")
        elif isinstance(value, list) and all(not isinstance(one, (dict, list)) for one in value):
            words += [f"--{option}", *map(str, value)]
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            words.append(f"--{option}={text}")
    return words
