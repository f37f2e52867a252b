"""A platform as vLLM's `vllm.platform_plugins` expect it."""

import os
from typing import Any

import torch
from vllm.platforms.interface import Platform, PlatformEnum


def find() -> str | None:
    """Only for who asks: the folder may be on the path for another reason."""
    return "vllm_on_cpu.platform.CpuForTests" if os.environ.get("ATALAYA_VLLM_ON_CPU") else None


class CpuForTests(Platform):
    _enum = PlatformEnum.OOT
    device_name = "cpu"
    device_type = "cpu"
    dispatch_key = "CPU"
    dist_backend = "gloo"
    simple_compile_backend = "eager"

    @classmethod
    def get_device_name(cls, device_id: int = 0) -> str:
        return "cpu"

    @classmethod
    def get_attn_backend_cls(cls, *_args: Any, **_kwargs: Any) -> str:
        return "vllm_on_cpu.attention.TorchBackend"

    @classmethod
    def is_async_output_supported(cls, enforce_eager: bool | None) -> bool:
        return False

    @classmethod
    def is_pin_memory_available(cls) -> bool:
        return False

    @classmethod
    def get_current_memory_usage(cls, device: Any = None) -> float:
        return 0

    @classmethod
    def check_if_supports_dtype(cls, torch_dtype: torch.dtype) -> None:
        pass

    @classmethod
    def check_and_update_config(cls, vllm_config: Any) -> None:
        vllm_config.parallel_config.worker_cls = "vllm_on_cpu.worker.CpuWorker"
        vllm_config.cache_config.block_size = vllm_config.cache_config.block_size or 16
        # Graphs are for cards.
        vllm_config.compilation_config.max_capture_size = 0
        vllm_config.compilation_config.compile_sizes = []
