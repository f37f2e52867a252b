"""Our engine over vLLM's, on the CPU: what a caller of the contract sees."""

import asyncio
import dataclasses
import json
import math
import re
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("vllm", reason="there is no vllm in this Python")

from support import GOLDEN, cases, golden, make_engine, picture_of, prompt_of

from atalaya_vllm.engine import VllmEngine
from atalaya_vllm.load import _model_info
from atalaya_worker.contract import (
    Event,
    Finish,
    ImageReport,
    Prompt,
    PromptLogprobs,
    PromptToken,
    Sampling,
    Token,
)
from atalaya_worker.errors import WorkerError
from atalaya_worker.grammars import Grammars

CASES = cases("tiny-a")
GREEDY: dict[str, Any] = {
    "max_tokens": 24,
    "temperature": 0.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repetition_penalty": 1.0,
    "seed": None,
    "stop_token_ids": [],
    "logprobs": None,
}


def sampling(**changes: Any) -> Sampling:
    return dataclasses.replace(Sampling(**GREEDY), **changes)


def engine_over(inner: Any) -> VllmEngine:
    directory = str(GOLDEN / "tiny-a")
    model = _model_info(inner, directory)
    return VllmEngine(inner, model, Grammars(directory, model.vocab_size))


@pytest.fixture(scope="module")
def engine() -> VllmEngine:
    return engine_over(make_engine("tiny-a"))


async def collect(events: AsyncGenerator[Event, None]) -> list[Event]:
    return [event async for event in events]


def answer(engine: VllmEngine, prompt: Prompt, **changes: Any) -> list[Event]:
    return asyncio.run(collect(engine.generate(prompt, sampling(**changes))))


def ids_of(events: list[Event]) -> list[int]:
    return [event.token_id for event in events if isinstance(event, Token)]


def test_reports_then_tokens_then_one_finish(engine: VllmEngine) -> None:
    case = CASES["two-pictures"]
    events = answer(engine, prompt_of(case))
    assert [type(event) for event in events] == [ImageReport] * 2 + [Token] * 24 + [Finish]
    assert ids_of(events) == case["profiles"]["ref"]["generatedIds"]
    assert events[-1] == Finish("length")
    assert [event.image_index for event in events[:2]] == [0, 1]
    assert all(event.encode_ms > 0 for event in events[:2])


def test_the_model_says_what_it_is(engine: VllmEngine) -> None:
    model = engine.model
    assert (model.vocab_size, model.num_embeddings, model.image_token_id) == (256, 264, 256)
    assert (model.context_length, model.vision_tokens_per_tile, model.bos_token_id) == (512, 17, 1)
    assert list(model.stop_token_ids) != []


def test_a_stop_token_is_reported_and_ends_the_answer(engine: VllmEngine) -> None:
    case = CASES["one-tile"]
    expected = case["profiles"]["ref"]["generatedIds"]
    events = answer(engine, prompt_of(case), stop_token_ids=[expected[3]])
    assert ids_of(events) == expected[:4]
    assert events[-1] == Finish("stop")


def test_log_probabilities_are_the_models_own(engine: VllmEngine) -> None:
    """Before temperature and penalties, also when both are set."""
    case = CASES["one-tile"]
    logits = golden(case["profiles"]["ref"]["file"])["steps.logits"][0]
    expected = logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
    changes = {"temperature": 0.3, "repetition_penalty": 1.7, "top_k": 3, "seed": 5}
    for settings in ({}, changes):
        events = answer(engine, prompt_of(case), logprobs=5, max_tokens=1, **settings)
        (first,) = (event for event in events if isinstance(event, Token))
        assert [one.token_id for one in first.top_logprobs] == np.argsort(-logits)[:5].tolist()
        for one in [*first.top_logprobs, first]:
            assert math.isclose(one.logprob, expected[one.token_id], abs_tol=1e-4)
    (alone,) = (
        event
        for event in answer(engine, prompt_of(case), logprobs=0, max_tokens=1)
        if isinstance(event, Token)
    )
    assert alone.top_logprobs == []
    assert alone.logprob is not None


def test_a_seed_repeats_and_settings_do_something(engine: VllmEngine) -> None:
    prompt = prompt_of(CASES["text-only"])
    warm = {"temperature": 1.5, "max_tokens": 12}
    first, again = (ids_of(answer(engine, prompt, seed=11, **warm)) for _ in range(2))
    assert first == again
    assert ids_of(answer(engine, prompt, seed=12, **warm)) != first
    largest = ids_of(answer(engine, prompt, seed=2**32 - 1, **warm))
    assert len(largest) == 12
    # One candidate is greedy, whatever the temperature.
    greedy = CASES["text-only"]["profiles"]["ref"]["generatedIds"][:12]
    assert ids_of(answer(engine, prompt, seed=1, top_k=1, **warm)) == greedy
    assert ids_of(answer(engine, prompt, seed=1, min_p=1.0, **warm)) == greedy
    assert ids_of(answer(engine, prompt, seed=1, top_p=1e-6, **warm)) == greedy


def test_a_penalty_with_an_image_token_in_the_prompt(engine: VllmEngine) -> None:
    """The image token has no row in the output head."""
    events = answer(engine, prompt_of(CASES["one-tile"]), repetition_penalty=1.3, max_tokens=8)
    assert len(ids_of(events)) == 8


def test_bias_and_least_length(engine: VllmEngine) -> None:
    prompt = prompt_of(CASES["one-tile"])
    assert ids_of(answer(engine, prompt, logit_bias=[(77, 100.0)], max_tokens=3)) == [77] * 3
    expected = CASES["one-tile"]["profiles"]["ref"]["generatedIds"]
    events = answer(engine, prompt, stop_token_ids=[expected[1]], min_tokens=4, max_tokens=6)
    assert len(ids_of(events)) >= 4
    assert expected[1] not in ids_of(events)[:4]


@pytest.mark.parametrize("max_tokens", [0, 4])
def test_log_probabilities_of_the_prompt(engine: VllmEngine, max_tokens: int) -> None:
    case = CASES["text-only"]
    logits = golden(case["profiles"]["ref"]["file"])["text.logits"]
    wanted = PromptLogprobs(start=2, num_alternatives=3)
    events = answer(engine, prompt_of(case), prompt_logprobs=wanted, max_tokens=max_tokens)
    told = [event.token for event in events if isinstance(event, PromptToken)]
    assert [one.token_id for one in told] == case["promptIds"][2:]
    for position, one in enumerate(told, start=2):
        row = logits[position - 1].astype(np.float64)
        expected = row - np.log(np.exp(row - row.max()).sum()) - row.max()
        assert math.isclose(one.logprob, expected[one.token_id], abs_tol=1e-4)
        top = [alternative.token_id for alternative in one.top_logprobs]
        assert top == np.argsort(-row)[:3].tolist()
    assert len(ids_of(events)) == max_tokens
    assert events[-1] == Finish("length")
    assert engine.stats().kv_blocks_used == 0


def test_nothing_is_wanted(engine: VllmEngine) -> None:
    assert answer(engine, prompt_of(CASES["text-only"]), max_tokens=0) == [Finish("length")]


def test_what_it_cannot_do_is_said(engine: VllmEngine) -> None:
    wanted = PromptLogprobs(start=1, num_alternatives=0)
    with pytest.raises(WorkerError, match="--model-engine native") as caught:
        answer(engine, prompt_of(CASES["one-tile"]), prompt_logprobs=wanted)
    assert caught.value.code == "unsupported_parameter"


def text_of(ids: list[int]) -> str:
    """Of an answer without its stop token."""
    vocabulary = json.loads((GOLDEN / "tiny-a" / "tokenizer.json").read_text(encoding="utf-8"))
    spelled = {index: text for text, index in vocabulary["model"]["vocab"].items()}
    return "".join(spelled[one] for one in ids if one != 2)


def test_an_answer_is_held_to_its_grammar(engine: VllmEngine) -> None:
    prompt = prompt_of(CASES["one-tile"])
    held = {"grammar": 'root ::= [ab]{3} "!"', "stop_token_ids": [2]}
    for settings in ({}, {"temperature": 1.5, "seed": 3}, {"repetition_penalty": 1.4}):
        events = answer(engine, prompt, **held, **settings)
        assert re.fullmatch("[ab]{3}!", text_of(ids_of(events)))
        assert ids_of(events)[-1] == 2
        assert events[-1] == Finish("stop")
    # A least length gives way where nothing but the end is left.
    assert len(ids_of(answer(engine, prompt, **held, min_tokens=20))) == 5
    longer = answer(engine, prompt, grammar="root ::= [ab]*", stop_token_ids=[2], min_tokens=7)
    assert len([one for one in ids_of(longer) if one != 2]) >= 7
    endless = answer(engine, prompt, grammar='root ::= "a" root', stop_token_ids=[2], max_tokens=9)
    assert set(text_of(ids_of(endless))) == {"a"}
    assert endless[-1] == Finish("length")


def test_a_grammar_that_cannot_be_kept_ends_its_own_answer(engine: VllmEngine) -> None:
    case = CASES["text-only"]
    for grammar, words in [
        ("root ::= other", '"other" is not defined'),
        ('root ::= root "a"', "No token may follow the 0 of the answer"),
    ]:
        with pytest.raises(WorkerError, match=words) as caught:
            answer(engine, prompt_of(case), grammar=grammar, stop_token_ids=[2])
        assert caught.value.code == "invalid_request"
    assert ids_of(answer(engine, prompt_of(case))) == case["profiles"]["ref"]["generatedIds"]
    assert engine.stats().kv_blocks_used == 0


def test_one_among_fifteen_neighbours(engine: VllmEngine) -> None:
    """Tokens and log-probabilities of every request are those it has alone."""
    names = [name for name in CASES if name != "long-text"][:16]

    async def run(some: list[str]) -> list[list[Event]]:
        return await asyncio.gather(
            *(
                collect(engine.generate(prompt_of(CASES[name]), sampling(logprobs=3)))
                for name in some
            )
        )

    together = asyncio.run(run(names))
    for name, events in zip(names, together, strict=True):
        (alone,) = asyncio.run(run([name]))
        assert ids_of(events) == ids_of(alone), name
        for one, other in zip(events, alone, strict=True):
            if isinstance(one, Token) and isinstance(other, Token):
                assert math.isclose(one.logprob, other.logprob, abs_tol=2e-5)


def test_giving_up_frees_the_blocks_within_a_step(engine: VllmEngine) -> None:
    async def run() -> None:
        events = engine.generate(prompt_of(CASES["one-tile"]), sampling(max_tokens=400))
        seen = 0
        async for event in events:
            seen += isinstance(event, Token)
            if seen == 3:
                break
        assert engine.stats().kv_blocks_used > 0
        await events.aclose()
        for _ in range(200):
            if engine.stats().num_running == 0:
                break
            await asyncio.sleep(0.01)
        stats = engine.stats()
        assert (stats.num_running, stats.num_waiting, stats.kv_blocks_used) == (0, 0, 0)

    asyncio.run(run())
    case = CASES["text-only"]
    assert ids_of(answer(engine, prompt_of(case))) == case["profiles"]["ref"]["generatedIds"]


def test_prompts_that_cannot_be_answered(engine: VllmEngine) -> None:
    picture = picture_of({"width": 28, "height": 28, "seed": 1})
    for prompt, code, words in [
        (Prompt([], []), "invalid_request", "empty"),
        (Prompt([1] * 512, []), "context_length_exceeded", "512 tokens; this model takes 511"),
        (Prompt([1, 264], []), "invalid_request", "264 is not in the vocabulary"),
        (Prompt([1, 256], []), "invalid_request", "1 image tokens and 0 pictures"),
        (Prompt([1, 2], [picture]), "invalid_request", "0 image tokens and 1 pictures"),
        (Prompt([256] * 5 + [1], [picture] * 5), "invalid_request", "this launch takes 4"),
    ]:
        with pytest.raises(WorkerError, match=words) as caught:
            answer(engine, prompt)
        assert caught.value.code == code


def test_what_vllm_refuses_is_said(engine: VllmEngine) -> None:
    with pytest.raises(WorkerError, match="top_p") as caught:
        answer(engine, prompt_of(CASES["text-only"]), top_p=7.0)
    assert caught.value.code == "invalid_request"


def test_the_answer_ends_with_the_context(engine: VllmEngine) -> None:
    events = answer(engine, Prompt([1] * 500, []), max_tokens=100)
    assert len(ids_of(events)) == 12
    assert events[-1] == Finish("length")


def test_a_prompt_that_can_never_be_placed() -> None:
    inner = make_engine("tiny-a", num_gpu_blocks_override=33)
    small = engine_over(inner)
    pictures = [picture_of({"width": 56, "height": 56, "seed": 1})] * 4
    with pytest.raises(WorkerError, match="more of vLLM's cache than there is"):
        answer(small, Prompt([256] * 4 + [1] * 300, pictures))
