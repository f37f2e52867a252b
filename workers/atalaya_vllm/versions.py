"""Which installations this engine takes. Imports nothing of them."""

import importlib.metadata

# The last that has this model; its V0 engine is what runs here.
VLLM = "0.10.2"
# 4.55's vision encoder is broken, 5 has no `all_special_tokens_extended`.
TRANSFORMERS = "4.56."


def problem() -> str | None:
    """What speaks against the installed versions, as a sentence's end; None when nothing does."""
    versions: dict[str, str] = {}
    for package in ("vllm", "torch", "transformers", "grpcio", "protobuf"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return f"it has no {package}"
    if versions["vllm"].split("+")[0] != VLLM:
        return (
            f"it has vLLM {versions['vllm']}, and {VLLM} is the one version that has this model "
            "and that this engine was written for"
        )
    if not versions["transformers"].startswith(TRANSFORMERS):
        return (
            f"it has Transformers {versions['transformers']}, and vLLM {VLLM} gives right answers "
            f"with {TRANSFORMERS}x only"
        )
    return None
