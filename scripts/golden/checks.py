"""Checks on the reference itself, made before its numbers are trusted; the largest differences go into the manifest."""

from pathlib import Path

import torch
from transformers import DynamicCache, MllamaForConditionalGeneration

from capture import capture
from case_goldens import case_inputs, load_model, load_processor
from cases import CASES_A, GREEDY_TOKENS, IMAGE, Case
from greedy import full_pass, greedy_cached, mask_rows, prefill
from inputs import Inputs, make_inputs
from pictures import picture
from profiles import profile
from tiny_models import TINY_A, TinyModel, is_gate

TOLERANCE = 5e-5
PAD = 3


def _case(name: str) -> Case:
    return next(case for case in CASES_A if case.name == name)


def _difference(left: torch.Tensor, right: torch.Tensor) -> float:
    return float((left - right).abs().max())


def _same(left: torch.Tensor, right: torch.Tensor) -> float:
    difference = _difference(left, right)
    assert difference < TOLERANCE, f"differs by {difference}"
    return difference


def check_gates(model: MllamaForConditionalGeneration) -> None:
    for name, value in model.named_parameters():
        if is_gate(name):
            assert abs(float(value.detach())) > 0.2, f"{name} is nearly closed"


def check_profiles_differ(model: MllamaForConditionalGeneration, inputs: Inputs) -> float:
    with profile(model, "ref"):
        ref = full_pass(model, inputs)
    difference = _difference(ref, full_pass(model, inputs))
    assert difference > 0.1, "the profiles agree"
    return difference


def check_library_generates_the_same(model: MllamaForConditionalGeneration, inputs: Inputs) -> None:
    ours = greedy_cached(model, inputs, GREEDY_TOKENS).token_ids
    theirs = model.generate(
        input_ids=inputs.token_ids,
        attention_mask=torch.ones_like(inputs.token_ids),
        **inputs.pictures(0, len(inputs.num_tiles)),
        cross_attention_mask=inputs.cross_attention_mask,
        max_new_tokens=GREEDY_TOKENS,
        min_new_tokens=GREEDY_TOKENS,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=PAD,
    )
    assert theirs[0, inputs.token_ids.shape[1] :].tolist() == ours


def check_chunked_prefill(model: MllamaForConditionalGeneration, inputs: Inputs) -> float:
    whole = full_pass(model, inputs)
    length = inputs.token_ids.shape[1]
    splits = [[cut] for cut in range(1, length)] + [list(range(1, length))]
    return max(_same(whole, prefill(model, inputs, cut)[0]) for cut in splits)


def check_later_picture(
    model: MllamaForConditionalGeneration, inputs: Inputs, turns: tuple[int, ...]
) -> float:
    """Each turn with its own picture, the earlier ones only in the cache. Holds in `ref` alone."""
    cache = DynamicCache(config=model.config.text_config)
    rows, start = [], 0
    for number, end in enumerate(turns):
        seen = mask_rows(inputs, start, end)["cross_attention_mask"][:, :, : number + 1]
        out = model(
            input_ids=inputs.token_ids[:, start:end],
            past_key_values=cache,
            use_cache=True,
            cross_attention_mask=seen,
            **inputs.pictures(number, number + 1),
        )
        rows.append(out.logits[0])
        start = end
    return _same(full_pass(model, inputs), torch.cat(rows))


def check_noise_in_unused_tile(model: MllamaForConditionalGeneration, inputs: Inputs) -> float:
    """Real tokens attend to unused tiles, so what is in them matters."""
    noisy = inputs.pixel_values.clone()
    noise = torch.randn(noisy[0, 0, -1].shape, generator=torch.Generator().manual_seed(1))
    assert not noisy[0, 0, -1].any(), "the last tile is in use"
    noisy[0, 0, -1] = noise
    pictures = inputs.pictures(0, 1)
    vision = model.model.vision_model
    clean = vision(**pictures).last_hidden_state
    changed = vision(**{**pictures, "pixel_values": noisy}).last_hidden_state
    difference = _difference(clean[0, 0, 0], changed[0, 0, 0])
    assert difference > 0.01, "noise in an unused tile changed nothing"
    return difference


def check_unused_tiles_are_alike(
    model: MllamaForConditionalGeneration, tiny: TinyModel, inputs: Inputs
) -> float:
    """With zero table slots the unused tiles of a one-tile picture stay identical; with others they do not."""
    with capture(model, "hf") as stages:
        full_pass(model, inputs)
    tiles = stages["vision.global.1"][0].reshape(4, -1, tiny.vision["hidden_size"])
    difference = max(_difference(tiles[1], tiles[2]), _difference(tiles[1], tiles[3]))
    assert (difference < TOLERANCE) == tiny.zero_unused_slots
    return difference


def check_batch(model: MllamaForConditionalGeneration, alone: list[Inputs]) -> float:
    """A left-padded batch with 1 and 2 pictures gives what each prompt gives alone. Holds in `ref` alone."""
    length = max(one.token_ids.shape[1] for one in alone)
    slots = max(len(one.num_tiles) for one in alone)
    ids, attended, masks, pixels, ratio_ids, ratio_masks = [], [], [], [], [], []
    for one in alone:
        padding = length - one.token_ids.shape[1]
        empty = slots - len(one.num_tiles)
        ids.append(torch.nn.functional.pad(one.token_ids, (padding, 0), value=PAD))
        attended.append(torch.nn.functional.pad(torch.ones_like(one.token_ids), (padding, 0)))
        masks.append(
            torch.nn.functional.pad(one.cross_attention_mask, (0, 0, 0, empty, padding, 0))
        )
        pixels.append(torch.nn.functional.pad(one.pixel_values, (0, 0, 0, 0, 0, 0, 0, 0, 0, empty)))
        ratio_ids.append(torch.nn.functional.pad(one.aspect_ratio_ids, (0, empty)))
        ratio_mask = torch.nn.functional.pad(one.aspect_ratio_mask, (0, 0, 0, empty))
        if empty:
            ratio_mask[:, -empty:, 0] = 1
        ratio_masks.append(ratio_mask)
    attention = torch.cat(attended)
    out = model(
        input_ids=torch.cat(ids),
        attention_mask=attention,
        position_ids=(attention.cumsum(-1) - 1).clamp(min=0),
        pixel_values=torch.cat(pixels),
        aspect_ratio_ids=torch.cat(ratio_ids),
        aspect_ratio_mask=torch.cat(ratio_masks),
        cross_attention_mask=torch.cat(masks),
        use_cache=False,
    )
    return max(
        _same(full_pass(model, one), out.logits[index, -one.token_ids.shape[1] :])
        for index, one in enumerate(alone)
    )


def check_reference(root: Path) -> dict[str, float]:
    """Everything above on tiny-a. Returns the largest difference of each check that has one."""
    model, processor = load_model(root / TINY_A.name), load_processor(root / TINY_A.name)
    names = ["one-tile", "two-rows", "two-pictures", "three-consecutive", "second-picture-later"]
    inputs = {name: case_inputs(_case(name), TINY_A, processor, 0) for name in names}
    check_gates(model)
    check_library_generates_the_same(model, inputs["one-tile"])
    check_library_generates_the_same(model, inputs["two-pictures"])
    found = {
        "profilesDiffer": check_profiles_differ(model, inputs["one-tile"]),
        "chunkedPrefill.hf": check_chunked_prefill(model, inputs["two-pictures"]),
        "noiseInUnusedTile": check_noise_in_unused_tile(model, inputs["two-rows"]),
        "unusedTilesAlike": check_unused_tiles_are_alike(model, TINY_A, inputs["one-tile"]),
    }
    with profile(model, "ref"):
        found["chunkedPrefill.ref"] = check_chunked_prefill(model, inputs["two-pictures"])
        later = _case("second-picture-later")
        found["laterPicture.ref"] = check_later_picture(model, inputs[later.name], later.turns)
        group = [inputs[name] for name in ("one-tile", "two-pictures", "three-consecutive")]
        found["leftPaddedBatch.ref"] = check_batch(model, group)
    return found


def check_variant(tiny: TinyModel, root: Path) -> None:
    model, processor = load_model(root / tiny.name), load_processor(root / tiny.name)
    check_gates(model)
    one_tile = make_inputs([1, IMAGE, 40], [picture(tiny.side, tiny.side, 5)], processor)
    check_profiles_differ(model, one_tile)
    check_unused_tiles_are_alike(model, tiny, one_tile)
