"""What every manifest says about how its goldens were made."""

import importlib.metadata
import platform

import torch

PACKAGES = [
    "torch",
    "torchvision",
    "transformers",
    "tokenizers",
    "safetensors",
    "numpy",
    "pillow",
    "jinja2",
]

# |ours - golden| <= absolute + relative * |golden| for float32 runs. Everything else is exact.
LIMITS = {"absolute": 2e-5, "relative": 1e-5}


def made_with() -> dict:
    return {
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "cpuCapability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "attention": "eager",
        "computedIn": "float32",
        "imageProcessor": "Pillow back end",
    }
