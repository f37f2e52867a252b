"""A checkpoint's configuration as vLLM 0.10.2 has to see it."""

from typing import Any

from .plugin import ARCHITECTURE


def adapt_config(config: Any) -> Any:
    """vLLM's `hf_overrides`, called with what Transformers made of config.json.

    Transformers 5 writes `rope_parameters`, which 4.56 keeps and does not read: without this the model
    would run with plain rotary embedding, and be a little wrong everywhere.
    """
    text = config.text_config
    parameters = getattr(text, "rope_parameters", None)
    if parameters:
        scaling = dict(parameters)
        text.rope_theta = scaling.pop("rope_theta", text.rope_theta)
        text.rope_scaling = scaling if scaling.get("rope_type", "default") != "default" else None
    config.architectures = [ARCHITECTURE]
    return config
