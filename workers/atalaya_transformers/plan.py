"""Decide what runs in the next forward pass. Pure; `src/engines/native/plan-step.ts` has the same rule."""

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Owing(Protocol):
    arrival: int

    @property
    def num_owed(self) -> int:
        """Tokens whose keys and values are not in the cache yet."""
        ...


Sequence_ = TypeVar("Sequence_", bound=Owing)


def plan_step(
    sequences: Iterable[Sequence_], max_tokens: int, max_sequences: int
) -> list[tuple[Sequence_, int]]:
    """First come first served, within the budget: sequences, and how many tokens of each.

    A long prompt owes thousands of tokens and is paid in pieces; a sequence that decodes owes one.
    """
    plan: list[tuple[Sequence_, int]] = []
    left = max_tokens
    for sequence in sorted(sequences, key=lambda one: one.arrival):
        if left == 0 or len(plan) == max_sequences:
            break
        count = min(sequence.num_owed, left)
        if count > 0:
            plan.append((sequence, count))
            left -= count
    return plan
