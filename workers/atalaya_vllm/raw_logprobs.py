"""Log-probabilities of what the model says, as every engine here reports them.

vLLM's V0 sampler reports them after penalties, temperature and cut-offs.
"""

from typing import Any

import torch
from vllm.model_executor.layers import sampler
from vllm.model_executor.layers.logits_processor import LogitsProcessor

_processed_logprobs = sampler.get_logprobs


class RawLogits(LogitsProcessor):
    """Keeps the log-probabilities of one step until the sampler asks for them."""

    # [rows, vocabulary], float32; None unless a request of this step wants them.
    latest: torch.Tensor | None = None
    _is_wanted = False

    def forward(
        self, lm_head: Any, hidden_states: torch.Tensor, sampling_metadata: Any = None, *rest: Any
    ) -> torch.Tensor | None:
        groups = getattr(sampling_metadata, "seq_groups", None) or ()
        params = [group.sampling_params for group in groups]
        self._is_wanted = any(
            one.logprobs is not None or one.prompt_logprobs is not None for one in params
        )
        RawLogits.latest = None
        return super().forward(lm_head, hidden_states, sampling_metadata, *rest)

    def _get_logits(self, *arguments: Any) -> torch.Tensor | None:
        logits = super()._get_logits(*arguments)
        if logits is not None and self._is_wanted:
            RawLogits.latest = torch.log_softmax(logits, dim=-1, dtype=torch.float32)
        return logits


def _get_logprobs(processed: torch.Tensor, *rest: Any) -> Any:
    raw, RawLogits.latest = RawLogits.latest, None
    return _processed_logprobs(processed if raw is None else raw, *rest)


def use_raw_logprobs() -> None:
    sampler.get_logprobs = _get_logprobs
