"""Holds answers to grammars. What may come next is worked out in a process while the model computes, so
it is there when the logits are.

There are two such processes. One tries out every grammar that is new, within limits of time and memory;
the other serves the answers, and is only given what the first one got through.
"""

import asyncio
import contextlib
import functools
import hashlib
import importlib.metadata
import json
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import grammar_process, log
from .errors import WorkerError

# [vocab_size]: whether a token may come next.
Allowed = npt.NDArray[np.bool_]

TRY_SECONDS = 10.0
# Reading the vocabulary and starting the library, on a machine that is busy.
START_SECONDS = 60.0
# To work out the next tokens, where nothing is wrong: far less than a millisecond.
ANSWER_SECONDS = 30.0
# A vocabulary of 128,000 tokens takes 140 MB of it.
MEMORY_BYTES = 2**30
# Grammars that are known to be usable, by their hashes.
MAX_KNOWN = 4096
# Requests whose grammar waits for its trial.
MAX_TRIALS = 64


class ProcessEnded(Exception):
    """It crashed, was ended because it took too long, or is new and knows nothing of the answer."""


class _Process:
    """One `grammar_process.py`, started by its first question and again after its end."""

    def __init__(self, hello: dict[str, Any]) -> None:
        self._hello = hello
        # Held while a question is written, so that they are in the order of their numbers.
        self._writing = threading.Lock()
        # Guards what follows; never held while anything waits.
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: dict[int, Future[bytes | None]] = {}
        self._number = 0

    def ask(self, question: dict[str, Any], *, is_answered: bool = True) -> "Future[bytes | None]":
        """The next tokens' bits, or None. Raises in the future: ProcessEnded, WorkerError."""
        with self._writing:
            if self._process is None:
                self._start()
            return self._put(question, is_answered)

    def start(self) -> None:
        """Returns once it answers. Raises ProcessEnded."""
        with self._writing:
            started = self._start() if self._process is None else None
        if started is not None:
            self._await(started, START_SECONDS)

    def wait(self, question: dict[str, Any], seconds: float) -> bytes | None:
        """Ask, and end the process when the answer takes longer."""
        return self._await(self.ask(question), seconds)

    def end(self) -> None:
        with self._lock:
            process, self._process = self._process, None
            waiting, self._waiting = self._waiting, {}
        if process is not None:
            process.kill()
            process.wait()
        for future in waiting.values():
            if future.set_running_or_notify_cancel():
                future.set_exception(ProcessEnded())

    def _await(self, future: "Future[bytes | None]", seconds: float) -> bytes | None:
        try:
            return future.result(seconds)
        except FutureTimeout as error:
            self.end()
            raise ProcessEnded from error

    def _start(self) -> "Future[bytes | None]":
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(Path(grammar_process.__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # What the library says may contain what was asked for.
            stderr=subprocess.DEVNULL,
        )
        with self._lock:
            self._process, self._waiting, self._number = process, {}, 0
        started = self._put({"type": "hello", **self._hello}, True)
        threading.Thread(target=self._read, args=(process,), name="grammars", daemon=True).start()
        return started

    def _put(self, question: dict[str, Any], is_answered: bool) -> "Future[bytes | None]":
        future: Future[bytes | None] = Future()
        with self._lock:
            process, number = self._process, self._number
            self._number += 1
            if process is None:
                future.set_exception(ProcessEnded())
                return future
            if is_answered:
                self._waiting[number] = future
        text = json.dumps(question).encode()
        assert process.stdin is not None
        # Its end is noticed where it is read.
        with contextlib.suppress(OSError, ValueError):
            process.stdin.write(grammar_process.QUESTION.pack(len(text)) + text)
            process.stdin.flush()
        return future

    def _read(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        header = grammar_process.ANSWER
        while len(head := process.stdout.read(header.size)) == header.size:
            length, number, kind = header.unpack(head)
            content = process.stdout.read(length)
            with self._lock:
                if self._process is not process:
                    return
                future = self._waiting.pop(number, None)
            if future is not None and future.set_running_or_notify_cancel():
                settle(future, kind, content)
        with self._lock:
            is_current = self._process is process
        if is_current:
            self.end()


def settle(future: "Future[bytes | None]", kind: int, content: bytes) -> None:
    if kind == grammar_process.UNUSABLE:
        future.set_exception(unusable(content.decode(errors="replace")))
    elif kind == grammar_process.TOO_MUCH:
        future.set_exception(too_much())
    elif kind == grammar_process.UNKNOWN:
        future.set_exception(ProcessEnded())
    else:
        future.set_result(content if kind == grammar_process.MASK else None)


class GrammarState:
    """One answer under its grammar. It may be closed while another thread asks it."""

    def __init__(
        self, process: _Process, answer_id: int, grammar: str, stops: Sequence[int], vocab_size: int
    ) -> None:
        self._process = process
        self._id = answer_id
        self._grammar = grammar
        self._stops = list(stops)
        self._vocab_size = vocab_size
        self._accepted: list[int] = []
        self._is_closed = False
        # Of the tokens that may come next.
        self._next = self._open()

    @property
    def num_accepted(self) -> int:
        return len(self._accepted)

    async def until_ready(self) -> None:
        """Raises ProcessEnded, WorkerError."""
        await asyncio.wrap_future(self._next)

    def allowed(self) -> Allowed | None:
        """Tokens that may come next; None: all, because the answer is complete. Raises WorkerError."""
        try:
            bits = self._wait()
        except ProcessEnded:
            if self._is_closed:
                return None
            # From the beginning, in a process that is new.
            self._next = self._open()
            try:
                bits = self._wait()
            except ProcessEnded as error:
                raise failed() from error
        if bits is None:
            return None
        wide = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")
        return wide[: self._vocab_size].astype(np.bool_)

    def accept(self, token_id: int) -> None:
        """The answer goes on with this token."""
        if self._is_closed:
            return
        self._accepted.append(token_id)
        self._next = self._process.ask({"type": "accept", "id": self._id, "token_id": token_id})

    def close(self) -> None:
        self._is_closed = True
        self._process.ask({"type": "close", "id": self._id}, is_answered=False)

    def _open(self) -> "Future[bytes | None]":
        return self._process.ask(
            {
                "type": "open",
                "id": self._id,
                "grammar": self._grammar,
                "stop_token_ids": self._stops,
                "accepted": self._accepted,
            }
        )

    def _wait(self) -> bytes | None:
        try:
            return self._next.result(ANSWER_SECONDS)
        except FutureTimeout as error:
            self._process.end()
            raise ProcessEnded from error


class Grammars:
    """For one model. Nothing is started before the first grammar is asked for."""

    def __init__(self, directory: str, vocab_size: int, try_seconds: float = TRY_SECONDS) -> None:
        hello = {
            "tokenizer": str(Path(directory) / "tokenizer.json"),
            "vocab_size": vocab_size,
            "memory_bytes": MEMORY_BYTES,
        }
        self._vocab_size = vocab_size
        self._try_seconds = try_seconds
        self._trial = _Process(hello)
        self._process = _Process(hello)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._num_opened = 0
        self._num_trials = 0
        self._turn = asyncio.Lock()

    async def open(self, grammar: str, stop_token_ids: Sequence[int]) -> GrammarState:
        """Begin an answer.

        Raises WorkerError: `invalid_request` when the grammar cannot be used, or takes more time or
        memory than it may; `unsupported_parameter` where XGrammar is not installed; `queue_full`.
        """
        if not is_installed():
            raise WorkerError(
                "unsupported_parameter",
                'This engine does not support "grammar", because its Python has no xgrammar. Make its '
                "environment anew with atalaya engine install, or ask without a form.",
            )
        await self._try(grammar)
        self._num_opened += 1
        answer_id = self._num_opened
        # Writing the question may take a moment.
        state = await asyncio.to_thread(
            lambda: GrammarState(
                self._process, answer_id, grammar, stop_token_ids, self._vocab_size
            )
        )
        try:
            await state.until_ready()
        except ProcessEnded as error:
            raise too_much() from error
        except BaseException:
            state.close()
            raise
        return state

    def end(self) -> None:
        self._trial.end()
        self._process.end()

    async def _try(self, grammar: str) -> None:
        key = hashlib.sha256(grammar.encode()).digest()
        if key in self._known:
            return
        if self._num_trials >= MAX_TRIALS:
            raise WorkerError(
                "queue_full",
                f"{MAX_TRIALS} forms of answers wait to be prepared. Try again in a moment.",
            )
        self._num_trials += 1
        try:
            async with self._turn:
                await asyncio.to_thread(self._try_now, grammar)
        finally:
            self._num_trials -= 1
        self._known[key] = None
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def _try_now(self, grammar: str) -> None:
        try:
            self._trial.start()
        except ProcessEnded as error:
            log.warn("the process for grammars did not start")
            raise failed() from error
        try:
            self._trial.wait({"type": "try", "grammar": grammar}, self._try_seconds)
        except ProcessEnded as error:
            raise too_much() from error


@functools.cache
def is_installed() -> bool:
    try:
        return importlib.metadata.files("xgrammar") is not None
    except importlib.metadata.PackageNotFoundError:
        return False


def unusable(reason: str) -> WorkerError:
    return WorkerError(
        "invalid_request",
        f"The grammar cannot be used: {reason}. Write it in XGrammar's EBNF, starting from the rule "
        '"root".',
    )


def too_much() -> WorkerError:
    return WorkerError(
        "invalid_request",
        "The form of the answer takes more time or memory to prepare than it may. Ask for less: shorter "
        "strings of a bounded length, fewer repetitions, a smaller grammar.",
    )


def failed() -> WorkerError:
    return WorkerError(
        "worker_failed",
        "The engine failed while it prepared the form of the answer. Try again, or ask without it.",
    )
