"""Puts a loaded model, its processor and the loop around them together."""

import os
from pathlib import Path

import torch

from atalaya_worker import log, memory
from atalaya_worker.contract import Engine, LoadOptions, OnProgress
from atalaya_worker.grammars import Grammars
from atalaya_worker.versions import installed

from .engine import BLOCK_SIZE, TransformersEngine, blocks_for
from .options import read_options
from .runner import Runner
from .tiles import Processor
from .weights import load_model

# Part of what is free once the weights are there that keys and values may take.
CPU_FRACTION = 0.25
CUDA_FRACTION = 0.7
# Sequences of full length that the cache holds, unless memory is short.
FULL_LENGTH_SEQUENCES = 4
PICTURE_FRACTION = 1 / 16
MAX_PICTURE_BUDGET = 2**30
# Below so many bytes of weights a second thread costs more than it saves.
SINGLE_THREAD_BYTES = 64e6


def assemble(options: LoadOptions, on_progress: OnProgress) -> Engine:
    set_threads(options)
    chosen = read_options(options)
    processor = Processor(options.directory)
    model = load_model(options.directory, chosen, options.profile, on_progress)
    runner = Runner(model, processor, options)
    context, num_blocks = cache_size(runner, options)
    info = runner.info(options.directory, context)
    log.info(
        "engine",
        transformers=installed("transformers"),
        torch=torch.__version__,
        device=str(runner.device),
        dtype=str(next(model.parameters()).dtype),
        threads=torch.get_num_threads(),
    )
    return TransformersEngine(
        runner,
        info,
        num_blocks=num_blocks,
        picture_budget_bytes=int(min(MAX_PICTURE_BUDGET, total_bytes(runner) * PICTURE_FRACTION)),
        max_picture_bytes=runner.max_picture_bytes,
        max_num_seqs=options.max_num_seqs,
        grammars=Grammars(options.directory, info.vocab_size),
    )


def set_threads(options: LoadOptions) -> None:
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    size = sum(file.stat().st_size for file in Path(options.directory).glob("*.safetensors"))
    default = 1 if size < SINGLE_THREAD_BYTES else cores
    torch.set_num_threads(min(options.num_threads or default, cores))


def cache_size(runner: Runner, options: LoadOptions) -> tuple[int, int]:
    """Tokens of prompt and answer together, and blocks of the cache; as `src/engines/memory.ts` does it."""
    limit = runner.max_positions
    if runner.device.type == "cuda":
        free = int(torch.cuda.mem_get_info(runner.device)[0] * CUDA_FRACTION)
    else:
        free = int(memory.available_bytes() * CPU_FRACTION)
    affordable = free // runner.kv_bytes_per_token
    context = options.max_model_len or min(limit, max(affordable, BLOCK_SIZE))
    per_sequence = blocks_for(context)
    sequences = min(options.max_num_seqs or FULL_LENGTH_SEQUENCES, FULL_LENGTH_SEQUENCES)
    return context, max(per_sequence, min(per_sequence * sequences, affordable // BLOCK_SIZE))


def total_bytes(runner: Runner) -> int:
    if runner.device.type == "cuda":
        return int(torch.cuda.mem_get_info(runner.device)[1])
    return memory.total_bytes()
