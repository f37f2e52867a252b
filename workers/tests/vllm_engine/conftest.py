"""vLLM's real package on the CPU; without it these tests are skipped by name."""

import importlib.util
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
sys.path[:0] = [str(HERE.parents[1]), str(HERE / "on_cpu"), str(REPOSITORY / "scripts" / "golden")]
os.environ["ATALAYA_VLLM_ON_CPU"] = "1"
os.environ["VLLM_PLUGINS"] = "atalaya_mllama,vllm_on_cpu"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["VLLM_LOGGING_LEVEL"] = "ERROR"

HAS_VLLM = importlib.util.find_spec("vllm") is not None

if HAS_VLLM:
    import torch

    # Tiny matrices: a second thread costs more than it does.
    torch.set_num_threads(1)

    from atalaya_vllm.load import ENVIRONMENT

    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
