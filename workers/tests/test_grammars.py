"""Masks from the real library, over the tiny model's vocabulary; what goes wrong stays with its own answer."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import pytest

from atalaya_worker import grammars as module
from atalaya_worker.errors import WorkerError
from atalaya_worker.grammars import Grammars, GrammarState

if not module.is_installed():
    pytest.skip("there is no xgrammar in this Python", allow_module_level=True)

DIRECTORY = Path(__file__).resolve().parents[2] / "test" / "golden" / "mllama" / "tiny-a"
TOKENIZER = json.loads((DIRECTORY / "tokenizer.json").read_text(encoding="utf-8"))
VOCABULARY: dict[str, int] = TOKENIZER["model"]["vocab"]
SPELLED = {index: text for text, index in VOCABULARY.items()}
STOP = 2


def shown(state: GrammarState) -> list[str]:
    allowed = state.allowed()
    assert allowed is not None
    assert allowed.shape == (256,)
    ids = allowed.nonzero()[0].tolist()
    return sorted("<stop>" if index == STOP else SPELLED[index] for index in ids)


@pytest.fixture
def grammars():
    made = Grammars(str(DIRECTORY), 256)
    yield made
    made.end()


def test_it_goes_on_with_the_answer_and_ends_where_a_sentence_is_complete(grammars):
    async def run():
        state = await grammars.open('root ::= "a" ("b" | "c")?', [STOP])
        assert shown(state) == ["a"]
        state.accept(VOCABULARY["a"])
        assert shown(state) == ["<stop>", "b", "c"]
        state.accept(VOCABULARY["c"])
        assert shown(state) == ["<stop>"]
        state.accept(STOP)
        assert state.allowed() is None
        state.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "grammar", ["root ::= [^x]*", r'root ::= "" | ([\0-\x7f] | [^\0-\x7f]) root']
)
def test_it_ends_where_anything_may_follow_and_with_its_own_ends_alone(grammars, grammar):
    async def run():
        state = await grammars.open(grammar, [STOP])
        for _ in range(2):
            allowed = shown(state)
            assert {"<stop>", "a", "b"} <= set(allowed)
            assert [text for text in allowed if text.startswith("<|")] == []
            state.accept(VOCABULARY["a"])
        state.accept(STOP)
        assert state.allowed() is None
        state.close()

    asyncio.run(run())


def test_a_special_token_is_no_text(grammars):
    async def run():
        allowed = shown(await grammars.open("root ::= [^x]*", [STOP]))
        assert "<" in allowed
        assert [text for text in allowed if text.startswith("<|")] == []

    asyncio.run(run())


@pytest.mark.parametrize(
    ("grammar", "words"),
    [
        ("root ::= other", '"other" is not defined'),
        ('first ::= "a"', "root"),
        ('root ::= ("a"', "grammar cannot be used"),
        ("", "grammar cannot be used"),
    ],
)
def test_one_that_cannot_be_used_says_why_and_no_other_suffers(grammars, grammar, words):
    async def run():
        before = await grammars.open('root ::= "a"', [STOP])
        with pytest.raises(WorkerError, match=words) as caught:
            await grammars.open(grammar, [STOP])
        assert caught.value.code == "invalid_request"
        assert "/" not in caught.value.message
        assert shown(before) == ["a"]
        assert shown(await grammars.open('root ::= "b"', [STOP])) == ["b"]

    asyncio.run(run())


def nested(depth: int, count: int) -> str:
    return f"root ::= {'(' * depth}[a-z]{f'{{1,{count}}})' * depth}"


@pytest.mark.parametrize("grammar", [nested(12, 200), nested(3, 60), f"root ::= {'(' * 60_000}"])
def test_one_that_takes_too_much_ends_there_and_alone(grammar):
    grammars = Grammars(str(DIRECTORY), 256, try_seconds=0.5)

    async def run():
        before = await grammars.open('root ::= "a"', [STOP])
        with pytest.raises(WorkerError) as caught:
            await grammars.open(grammar, [STOP])
        assert caught.value.code == "invalid_request"
        assert shown(before) == ["a"]
        assert shown(await grammars.open('root ::= "b"', [STOP])) == ["b"]

    try:
        asyncio.run(run())
    finally:
        grammars.end()


def test_the_loop_and_other_answers_go_on_while_one_is_tried(grammars):
    async def run():
        state = await grammars.open("root ::= [ab]*", [STOP])
        slow = asyncio.create_task(grammars.open(nested(2, 40), [STOP]))
        longest, last, count = 0.0, time.perf_counter(), 0
        while not slow.done():
            state.accept(VOCABULARY["a"])
            assert "b" in shown(state)
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last, count = max(longest, now - last), now, count + 1
        await slow
        assert count > 20
        assert longest < 2

    asyncio.run(run())


def test_answers_outlive_the_process_that_serves_them(grammars):
    async def run():
        state = await grammars.open('root ::= "a" "b" "c"', [STOP])
        other = await grammars.open('root ::= "b" "c"', [STOP])
        state.accept(VOCABULARY["a"])
        shown(state)
        process = grammars._process._process
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        # One that is asked, one that goes on: both are begun again in the process that takes its place.
        assert shown(state) == ["b"]
        other.accept(VOCABULARY["b"])
        assert shown(other) == ["c"]
        assert shown(state) == ["b"]

    asyncio.run(run())


def test_its_processes_end_with_whoever_asks(grammars):
    async def run():
        await grammars.open('root ::= "a"', [STOP])

    asyncio.run(run())
    processes = [grammars._trial._process, grammars._process._process]
    for process in processes:
        # As when the worker is killed.
        process.stdin.close()
        assert process.wait(10) == 0


def test_nothing_is_started_without_a_grammar():
    grammars = Grammars(str(DIRECTORY), 256)
    assert grammars._trial._process is None
    grammars.end()
