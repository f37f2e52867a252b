"""vLLM loads this in every process of an engine: `vllm.general_plugins` of `entry_points.txt`."""

# Not the name that checkpoints give: an engine process without this plugin knows no such model and
# stops, rather than to answer with vLLM's own.
ARCHITECTURE = "AtalayaMllamaForConditionalGeneration"


def register() -> None:
    """May be called several times."""
    from vllm import ModelRegistry

    from .loopback_store import use_loopback_store
    from .model import Mllama
    from .raw_logprobs import use_raw_logprobs

    # The class, not its name: for a name vLLM starts a process that does not know our folder.
    if ARCHITECTURE not in ModelRegistry.get_supported_archs():
        ModelRegistry.register_model(ARCHITECTURE, Mllama)
    use_raw_logprobs()
    use_loopback_store()
