"""Greedy decoding, step by step, with the cache or without."""

from dataclasses import dataclass

import torch
from transformers import DynamicCache, MllamaForConditionalGeneration

from inputs import Inputs


@dataclass(frozen=True)
class Greedy:
    token_ids: list[int]
    # [steps, vocabulary]: row i is what token i was chosen from.
    logits: torch.Tensor

    def gaps(self) -> list[float]:
        """Distance between the two best logits of each step."""
        best = self.logits.topk(2).values
        return (best[:, 0] - best[:, 1]).tolist()


def mask_rows(inputs: Inputs, start: int, end: int) -> dict[str, torch.Tensor]:
    """Rows start to end of the cross-attention mask; past the prompt, its last row again."""
    mask = inputs.cross_attention_mask
    if mask is None:
        return {}
    missing = end - mask.shape[1]
    if missing > 0:
        mask = torch.cat([mask, mask[:, -1:].expand(-1, missing, -1, -1)], dim=1)
    return {"cross_attention_mask": mask[:, start:end]}


def prefill(
    model: MllamaForConditionalGeneration, inputs: Inputs, splits: list[int] | None = None
) -> tuple[torch.Tensor, DynamicCache]:
    """The prompt in one call or cut at `splits`, all pictures with the first call. Logits [P, V]."""
    length = inputs.token_ids.shape[1]
    bounds = [0, *(splits or []), length]
    cache = DynamicCache(config=model.config.text_config)
    rows = []
    for start, end in zip(bounds[:-1], bounds[1:], strict=True):
        pictures = inputs.pictures(0, len(inputs.num_tiles)) if start == 0 else {}
        out = model(
            input_ids=inputs.token_ids[:, start:end],
            past_key_values=cache,
            use_cache=True,
            **pictures,
            **mask_rows(inputs, start, end),
        )
        rows.append(out.logits[0])
    return torch.cat(rows), cache


def full_pass(
    model: MllamaForConditionalGeneration, inputs: Inputs, token_ids: torch.Tensor | None = None
) -> torch.Tensor:
    """All rows at once, no cache. Logits [P, V]."""
    ids = inputs.token_ids if token_ids is None else token_ids
    out = model(
        input_ids=ids,
        use_cache=False,
        **inputs.pictures(0, len(inputs.num_tiles)),
        **mask_rows(inputs, 0, ids.shape[1]),
    )
    return out.logits[0]


def greedy_cached(model: MllamaForConditionalGeneration, inputs: Inputs, steps: int) -> Greedy:
    logits, cache = prefill(model, inputs)
    position = inputs.token_ids.shape[1]
    rows, ids = [logits[-1]], [int(logits[-1].argmax())]
    while len(ids) < steps:
        out = model(
            input_ids=torch.tensor([[ids[-1]]]),
            past_key_values=cache,
            use_cache=True,
            **mask_rows(inputs, position, position + 1),
        )
        position += 1
        rows.append(out.logits[0, -1])
        ids.append(int(rows[-1].argmax()))
    return Greedy(ids, torch.stack(rows))


def greedy_uncached(model: MllamaForConditionalGeneration, inputs: Inputs, steps: int) -> Greedy:
    ids, rows = inputs.token_ids, []
    for _ in range(steps):
        rows.append(full_pass(model, inputs, ids)[-1])
        ids = torch.cat([ids, rows[-1].argmax().view(1, 1)], dim=1)
    return Greedy(ids[0, inputs.token_ids.shape[1] :].tolist(), torch.stack(rows))
