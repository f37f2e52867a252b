"""Logits → token, by the rules of `src/engines/native/sampler.ts` and in its order.

Bias, penalties, what is ruled out, temperature, top-k, top-p, min-p, draw. Log-probabilities are those of
the model itself: of the raw logits, before any setting.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from atalaya_worker.contract import Sampling, Token, TokenLogprob

from .random_numbers import Random

# [vocab_size], float32.
Logits = npt.NDArray[np.float32]


def choose_token(
    logits: Logits,
    sampling: Sampling,
    *,
    prompt: Sequence[int],
    generated: Sequence[int],
    random: Random,
    allowed: npt.NDArray[np.bool_] | None = None,
) -> int | None:
    """None when every token is ruled out. `random` is drawn from only where the temperature is not 0."""
    scores = _with_bias(logits, sampling)
    scores = _penalize(scores, sampling, prompt, generated)
    scores = _rule_out(scores, sampling, len(generated), allowed)
    best = int(scores.argmax())
    if scores[best] == -np.inf:
        return None
    if sampling.temperature == 0:
        return best
    return _draw(scores, sampling, random.next())


def _with_bias(logits: Logits, sampling: Sampling) -> Logits:
    if not sampling.logit_bias:
        return logits
    scores = logits.copy()
    for token_id, bias in sampling.logit_bias:
        if token_id < len(scores):
            scores[token_id] += np.float32(bias)
    return scores


def _penalize(
    logits: Logits, sampling: Sampling, prompt: Sequence[int], generated: Sequence[int]
) -> Logits:
    presence, frequency = sampling.presence_penalty, sampling.frequency_penalty
    repetition = sampling.repetition_penalty
    if presence == 0 and frequency == 0 and repetition == 1:
        return logits
    scores = logits.copy()
    if repetition != 1:
        seen = np.unique(np.asarray([*prompt, *generated], dtype=np.int64))
        # The image token has no row in the head.
        seen = seen[seen < len(scores)]
        values = scores[seen].astype(np.float64)
        scores[seen] = np.where(values > 0, values / repetition, values * repetition)
    if generated:
        ids, counts = np.unique(np.asarray(generated, dtype=np.int64), return_counts=True)
        scores[ids] = scores[ids].astype(np.float64) - presence - frequency * counts
    return scores


def _rule_out(
    scores: Logits,
    sampling: Sampling,
    num_generated: int,
    allowed: npt.NDArray[np.bool_] | None,
) -> Logits:
    is_too_short = num_generated < sampling.min_tokens and len(sampling.stop_token_ids) > 0
    if allowed is None and not is_too_short:
        return scores
    left = scores.copy()
    if allowed is not None:
        left[~allowed] = -np.inf
    if not is_too_short:
        return left
    unstopped = left.copy()
    unstopped[list(sampling.stop_token_ids)] = -np.inf
    # A grammar whose sentence is complete may leave nothing but the end.
    return unstopped if unstopped.max() > -np.inf else left


def _draw(scores: Logits, sampling: Sampling, uniform: float) -> int:
    """`uniform` in [0, 1)."""
    wide = scores.astype(np.float64)
    weights = np.exp((wide - wide.max()) / sampling.temperature)
    top_k = sampling.top_k
    is_cut = 0 < top_k < len(weights)
    if not is_cut and sampling.top_p >= 1 and sampling.min_p == 0:
        return _pick(np.arange(len(weights)), weights, uniform)
    # Likeliest first; ties in the order of their index.
    order = _likely_first(weights, top_k if is_cut else None)
    kept = weights[order]
    if sampling.top_p < 1:
        # After top-k the probabilities are those among the k; without it, among all tokens.
        total = kept.sum() if is_cut else weights.sum()
        reached = np.searchsorted(np.cumsum(kept), sampling.top_p * total, side="left")
        order, kept = order[: reached + 1], kept[: reached + 1]
    is_likely_enough = kept >= sampling.min_p
    is_likely_enough[0] = True
    return _pick(order[is_likely_enough], kept[is_likely_enough], uniform)


def _likely_first(weights: npt.NDArray[np.float64], count: int | None) -> npt.NDArray[np.intp]:
    if count is None:
        return np.argsort(-weights, kind="stable")
    # All that are as likely as the last one that is kept, so that ties are cut in their order.
    threshold = np.partition(weights, len(weights) - count)[len(weights) - count]
    candidates = np.flatnonzero(weights >= threshold)
    return candidates[np.argsort(-weights[candidates], kind="stable")][:count]


def _pick(indices: npt.NDArray[np.intp], weights: npt.NDArray[np.float64], uniform: float) -> int:
    passed = np.cumsum(weights)
    place = int(np.searchsorted(passed, uniform * passed[-1], side="right"))
    return int(indices[min(place, int(np.flatnonzero(weights)[-1]))])


def is_usable(logits: Logits) -> bool:
    """Whether a token can be chosen: no NaN, and the largest is a number."""
    return bool(np.isfinite(logits.max()))


def report(logits: Logits, chosen: int, num_alternatives: int | None) -> Token:
    """The token with its log-probability and the most likely ones, from raw logits."""
    if num_alternatives is None:
        return Token(chosen)
    wide = logits.astype(np.float64)
    largest = wide.max()
    normalizer = largest + np.log(np.exp(wide - largest).sum())
    top = _likely_first(wide, num_alternatives) if num_alternatives > 0 else np.empty(0, np.intp)
    # A token without a row in the head, such as the image token, cannot be generated.
    own = float(wide[chosen] - normalizer) if chosen < len(wide) else None
    return Token(
        chosen,
        own,
        [TokenLogprob(int(index), float(wide[index] - normalizer)) for index in top],
    )
