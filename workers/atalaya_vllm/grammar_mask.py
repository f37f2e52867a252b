"""An answer's grammar as vLLM's V0 engine takes one: a function from the tokens so far and a row of logits
to that row with what may not follow ruled out."""

from collections.abc import Sequence

import numpy as np
import torch

from atalaya_worker.contract import Sampling
from atalaya_worker.errors import WorkerError
from atalaya_worker.grammars import GrammarState


class GrammarMask:
    """For one request. An exception here would end vLLM's step for everyone, so what goes wrong is kept."""

    def __init__(self, state: GrammarState, sampling: Sampling) -> None:
        self._state = state
        self._min_tokens = sampling.min_tokens
        self._stops = list(sampling.stop_token_ids)
        # Why the answer cannot go on; the row is then left as it was, and its token is not to be used.
        self.error: WorkerError | None = None

    def __call__(self, past: Sequence[int], logits: torch.Tensor) -> torch.Tensor:
        """`logits` is [vocab_size]."""
        self.follow(past)
        if self.error is not None:
            return logits
        try:
            allowed = self._state.allowed()
        except WorkerError as error:
            self.error = error
            return logits
        if allowed is None:
            allowed = np.ones(logits.shape[0], np.bool_)
        # A grammar whose sentence is complete may leave nothing but the end.
        unstopped = allowed.copy()
        unstopped[self._stops] = False
        if len(past) < self._min_tokens and unstopped.any():
            allowed = unstopped
        ruled_out = torch.from_numpy(~allowed).to(logits.device)
        left = logits.masked_fill(ruled_out, -torch.inf)
        if not bool(torch.isfinite(left).any()):
            self.error = nothing_allowed(len(past))
            return logits
        return left

    def follow(self, past: Sequence[int]) -> None:
        """The answer so far is `past`. What comes next is then worked out beside the model."""
        for token_id in past[self._state.num_accepted :]:
            self._state.accept(token_id)

    def close(self) -> None:
        self._state.close()


def nothing_allowed(num_generated: int) -> WorkerError:
    return WorkerError(
        "invalid_request",
        f"No token may follow the {num_generated} of the answer: the bias and the grammar together rule "
        "all of them out. Ask for less.",
    )
