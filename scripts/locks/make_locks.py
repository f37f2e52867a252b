"""Locks an engine's Python packages, or NVIDIA's for the native one: python scripts/locks/make_locks.py ENGINE, with `uv` on the PATH.

From workers/locks/ENGINE.in, which names what the worker imports, it makes

  ENGINE.txt       every package at one version, with the hashes of all its wheels, for all systems
  ENGINE-cpu.txt   the same with PyTorch's CPU build, for Linux without CUDA; only where ENGINE.in pins a
                   version of torch that torch-cpu-wheels.txt has

--refresh reads PyTorch's index of CPU builds anew first, and writes torch-cpu-wheels.txt.
"""

import re
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

LOCKS = Path(__file__).resolve().parents[2] / "workers" / "locks"
WHEELS = LOCKS / "torch-cpu-wheels.txt"
# The one place whose wheels are not the registry's.
TORCH_CPU = "https://download.pytorch.org/whl/cpu"
# Packages that only PyTorch's CUDA build needs.
CUDA_ONLY = re.compile(r"^(nvidia-|cuda-|triton)")
# What is named and never loaded.
LEFT_OUT = {
    # What XGrammar compiles masks' kernels with; we load its compiled part alone.
    "transformers": ["ninja", "mlx", "mlx-metal", "mlx-lm", "sentencepiece"],
    # vLLM's own HTTP server, Ray, and reports to others.
    "vllm": [
        "cupy-cuda12x", "cuda-pathfinder", "ray", "torchaudio", "uvicorn", "uvloop", "httptools",
        "watchfiles", "websockets", "fastapi-cli", "fastapi-cloud-cli", "sentry-sdk", "rignore",
        "fastar", "detect-installer", "agent-detector",
    ],
}  # fmt: skip
PYTHONS = {
    "transformers": ("3.11", "3.13"),
    "vllm": ("3.10", "3.12"),
    "cuda-13": ("3.9", "3.14"),
    "cuda-12": ("3.9", "3.14"),
}


def compile_lock(engine: str) -> str:
    lowest, _ = PYTHONS[engine]
    command = ["uv", "pip", "compile", str(LOCKS / f"{engine}.in"), "--quiet", "--universal"]
    command += ["--python-version", lowest, "--generate-hashes", "--only-binary", ":all:"]
    command += ["--no-header", "--no-annotate", "--no-emit-index-url"]
    for package in LEFT_OUT.get(engine, []):
        command += ["--no-emit-package", package]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def requirements(lock: str) -> list[str]:
    """The lock's entries, each with its continuation lines."""
    return [entry for entry in re.split(r"\n(?=\S)", lock.strip()) if not entry.startswith("#")]


def cpu_wheels() -> dict[str, str]:
    lines = WHEELS.read_text(encoding="utf-8").splitlines()
    return dict(line.split() for line in lines if line and not line.startswith("#"))


def refresh_cpu_wheels(version: str) -> None:
    with urllib.request.urlopen(f"{TORCH_CPU}/torch/", timeout=30) as reply:
        page = urllib.parse.unquote(reply.read().decode())
    found = re.findall(
        r"(torch-[^\s\"/#<>]+?manylinux[^\s\"/#<>]+?\.whl)#sha256=([0-9a-f]{64})", page
    )
    wanted = {name: digest for name, digest in found if name.startswith(f"torch-{version}+cpu-cp3")}
    if not wanted:
        raise SystemExit(f"the index has no CPU build of torch {version}")
    head = WHEELS.read_text(encoding="utf-8").splitlines()[0]
    rows = [f"{name} {digest}" for name, digest in sorted(wanted.items())]
    WHEELS.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")


def cpu_requirement(wheel: str, digest: str) -> str:
    tag = re.search(r"-cp3(\d+)-.*_(x86_64|aarch64)\.whl$", wheel)
    assert tag is not None, wheel
    marker = f'python_version == "3.{tag[1]}" and platform_machine == "{tag[2]}"'
    url = f"{TORCH_CPU}/{urllib.parse.quote(wheel)}"
    return f"torch @ {url} ; {marker} \\\n    --hash=sha256:{digest}"


def write(name: str, what: str, entries: list[str]) -> None:
    note = f"# {what} Made by scripts/locks/make_locks.py; do not edit.\n"
    (LOCKS / name).write_text(note + "\n".join(entries) + "\n", encoding="utf-8")
    print(f"{name}: {len(entries)} packages")


def main(engine: str, refresh: bool) -> None:
    entries = requirements(compile_lock(engine))
    write(f"{engine}.txt", "Every system, and Linux with CUDA.", entries)
    torch = next((entry for entry in entries if entry.startswith("torch==")), None)
    if torch is None:
        return
    version = torch.split()[0].removeprefix("torch==")
    if refresh:
        refresh_cpu_wheels(version)
    wheels = {name: digest for name, digest in cpu_wheels().items() if f"-{version}+cpu-" in name}
    if not wheels:
        return
    kept = [entry for entry in entries if entry != torch and not CUDA_ONLY.match(entry)]
    rows = [cpu_requirement(name, digest) for name, digest in wheels.items()]
    write(f"{engine}-cpu.txt", "Linux without CUDA: PyTorch's own CPU build.", kept + rows)


if __name__ == "__main__":
    names = [word for word in sys.argv[1:] if not word.startswith("--")]
    if len(names) != 1 or names[0] not in PYTHONS:
        raise SystemExit(f"usage: make_locks.py {'|'.join(PYTHONS)} [--refresh]")
    main(names[0], "--refresh" in sys.argv)
