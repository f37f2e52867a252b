"""Requests in, events out: the loop that feeds a runner, on a thread of its own.

Each turn encodes at most one new picture, then runs one forward pass over what `plan_step` chose, then
samples. Requests join and leave between passes. A sequence that finds no room for its keys and values makes
the youngest give its room back; that one is computed again later from its own tokens, and loses nothing.
"""

import asyncio
import random as system_random
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from atalaya_worker import log
from atalaya_worker.contract import (
    Event,
    Finish,
    FinishReason,
    ImageReport,
    ModelInfo,
    Picture,
    Prompt,
    PromptToken,
    Sampling,
    Stats,
)
from atalaya_worker.errors import WorkerError
from atalaya_worker.grammars import Grammars, GrammarState
from atalaya_worker.memory import resident_bytes

from .attention import KvCache, PictureStates
from .picture_cache import HeldPicture, PictureCache
from .plan import plan_step
from .random_numbers import Random
from .runner import StepSequence
from .sampler import choose_token, is_usable, report

# Keys and values are counted in blocks of so many tokens.
BLOCK_SIZE = 64
MAX_BATCHED_TOKENS = 512
MAX_WAITING = 256
DEFAULT_MAX_NUM_SEQS = 16


class ModelRunner(Protocol):
    """What the loop needs of a model; tests have one without weights."""

    @property
    def weight_bytes(self) -> int: ...

    def encode(self, picture: Picture) -> tuple[PictureStates, ImageReport]: ...

    def step(self, batch: list[StepSequence]) -> list[npt.NDArray[np.float32]]: ...


class Sequence:
    """One request while it runs."""

    def __init__(
        self,
        arrival: int,
        prompt: Prompt,
        sampling: Sampling,
        image_token: int,
        grammar: GrammarState | None,
    ) -> None:
        self.arrival = arrival
        self.grammar = grammar
        self.prompt = prompt
        self.sampling = sampling
        self.tokens = list(prompt.token_ids)
        self.image_positions = [i for i, token in enumerate(self.tokens) if token == image_token]
        seed = sampling.seed
        self.random = Random(system_random.getrandbits(32) if seed is None else seed)
        self.pictures: list[HeldPicture] = []
        self.cache = KvCache()
        self.num_cached = 0
        self.num_blocks = 0
        # Of the prompt's own tokens that were asked for.
        self.num_reported = 0
        self.is_cancelled = False
        self.loop = asyncio.get_running_loop()
        # An event, or what went wrong; None is the end of one that was cancelled.
        self.events: asyncio.Queue[Event | WorkerError | None] = asyncio.Queue()

    @property
    def num_prompt(self) -> int:
        return len(self.prompt.token_ids)

    @property
    def generated(self) -> list[int]:
        return self.tokens[self.num_prompt :]

    @property
    def num_owed(self) -> int:
        return len(self.tokens) - self.num_cached

    @property
    def has_all_pictures(self) -> bool:
        return len(self.pictures) == len(self.prompt.pictures)

    def wanted_rows(self, count: int) -> list[int]:
        """Of the next `count` tokens, those whose logits are wanted."""
        rows: list[int] = []
        wanted = self.sampling.prompt_logprobs
        if wanted is not None:
            # A row predicts the token after it.
            first = max(wanted.start - 1 + self.num_reported, self.num_cached)
            last = min(self.num_prompt - 1, self.num_cached + count)
            rows = [position - self.num_cached for position in range(first, last)]
        if self.num_cached + count == len(self.tokens):
            rows.append(count - 1)
        return rows

    def push(self, event: Event | WorkerError | None) -> None:
        # The loop may have ended before us.
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)

    def release(self) -> None:
        for picture in self.pictures:
            picture.release()
        self.pictures = []
        self.cache = KvCache()
        self.num_cached = self.num_blocks = 0
        if self.grammar is not None:
            self.grammar.close()


class TransformersEngine:
    def __init__(
        self,
        runner: ModelRunner,
        model: ModelInfo,
        *,
        num_blocks: int,
        picture_budget_bytes: int,
        max_picture_bytes: int = 0,
        max_num_seqs: int | None = None,
        grammars: Grammars | None = None,
    ) -> None:
        self.model = model
        self._grammars = grammars
        self._runner = runner
        self._num_blocks = num_blocks
        self._max_num_seqs = max_num_seqs or DEFAULT_MAX_NUM_SEQS
        self._pictures = PictureCache(runner.encode, picture_budget_bytes, max_picture_bytes)
        self._arrivals = 0
        self._waiting: list[Sequence] = []
        self._running: list[Sequence] = []
        self._to_encode: list[tuple[Picture, Future[ImageReport]]] = []
        # Guards the three lists, and is told when there is work.
        self._work = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------- on the worker's event loop

    async def generate(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        self._check(prompt)
        grammar = await self._open_grammar(sampling)
        sequence = Sequence(self._arrivals, prompt, sampling, self.model.image_token_id, grammar)
        self._arrivals += 1
        with self._work:
            self._waiting.append(sequence)
            self._work.notify()
        try:
            while True:
                event = await sequence.events.get()
                if event is None:
                    return
                if isinstance(event, WorkerError):
                    raise event
                yield event
                if isinstance(event, Finish):
                    return
        finally:
            with self._work:
                sequence.is_cancelled = True
                self._work.notify()

    async def _open_grammar(self, sampling: Sampling) -> GrammarState | None:
        """Before anything is computed, so that a form that cannot be kept is refused at once."""
        if sampling.grammar is None:
            return None
        if self._grammars is None:
            raise WorkerError(
                "unsupported_parameter",
                'This engine does not support "grammar". Leave it out.',
            )
        return await self._grammars.open(sampling.grammar, sampling.stop_token_ids)

    async def encode_image(self, picture: Picture) -> ImageReport:
        future: Future[ImageReport] = Future()
        with self._work:
            self._to_encode.append((picture, future))
            self._work.notify()
        return await asyncio.wrap_future(future)

    def stats(self) -> Stats:
        with self._work:
            running, waiting = list(self._running), len(self._waiting)
        return Stats(
            num_running=len(running),
            num_waiting=waiting,
            kv_blocks_used=sum(sequence.num_blocks for sequence in running),
            kv_blocks_total=self._num_blocks,
            cached_pictures=self._pictures.num_pictures,
            resident_bytes=resident_bytes(),
            weight_bytes=self._runner.weight_bytes,
            kv_cache_bytes=sum(sequence.cache.num_bytes for sequence in running),
            picture_bytes=self._pictures.num_bytes,
        )

    def close(self) -> None:
        with self._work:
            self._is_closed = True
            for sequence in [*self._waiting, *self._running]:
                sequence.is_cancelled = True
            self._work.notify()
        self._thread.join()
        if self._grammars is not None:
            self._grammars.end()

    def _check(self, prompt: Prompt) -> None:
        model, ids = self.model, prompt.token_ids
        if not ids:
            raise WorkerError("invalid_request", "The prompt is empty. Send at least one token.")
        if len(ids) >= model.context_length:
            raise WorkerError(
                "context_length_exceeded",
                f"The prompt has {len(ids)} tokens; this model takes {model.context_length - 1} and "
                "one for the answer. Shorten it, or launch with a larger --max-model-len.",
            )
        foreign = next((token for token in ids if token >= model.num_embeddings), None)
        if foreign is not None:
            raise WorkerError(
                "invalid_request",
                f"The token id {foreign} is not in the vocabulary of {model.num_embeddings}.",
            )
        markers = sum(token == model.image_token_id for token in ids)
        if markers != len(prompt.pictures):
            raise WorkerError(
                "invalid_request",
                f"The prompt has {markers} image tokens and {len(prompt.pictures)} pictures; each "
                "picture needs one.",
            )
        if len(self._waiting) >= MAX_WAITING:
            raise WorkerError(
                "queue_full",
                f"{len(self._waiting)} requests are waiting already. Try again in a moment.",
            )

    # ------------------------------------------------------------------------ on the engine's thread

    def _run(self) -> None:
        while True:
            with self._work:
                while not (self._waiting or self._running or self._to_encode or self._is_closed):
                    self._work.wait()
                if self._is_closed and not (self._waiting or self._running):
                    return
                self._drop_cancelled()
                self._admit()
                to_encode = self._to_encode.pop(0) if self._to_encode else None
            if to_encode is not None:
                self._encode_alone(*to_encode)
            self._encode_next_picture()
            self._step()

    def _drop_cancelled(self) -> None:
        for sequence in [*self._running, *self._waiting]:
            if sequence.is_cancelled:
                sequence.release()
                sequence.push(None)
        self._running = [one for one in self._running if not one.is_cancelled]
        self._waiting = [one for one in self._waiting if not one.is_cancelled]

    def _admit(self) -> None:
        """Oldest first, while there is a place and room for what it has so far."""
        while self._waiting and len(self._running) < self._max_num_seqs:
            if self._running and self._num_free < blocks_for(len(self._waiting[0].tokens)):
                return
            self._running.append(self._waiting.pop(0))

    @property
    def _num_free(self) -> int:
        return self._num_blocks - sum(sequence.num_blocks for sequence in self._running)

    def _encode_alone(self, picture: Picture, future: "Future[ImageReport]") -> None:
        try:
            held = self._pictures.acquire(picture)
            held.release()
            future.set_result(held.report)
        except Exception as error:
            future.set_exception(as_worker_error(error))

    def _encode_next_picture(self) -> None:
        """The oldest sequence's next picture; one a turn, so that running answers go on in between."""
        sequence = next((one for one in self._running if not one.has_all_pictures), None)
        if sequence is None:
            return
        index = len(sequence.pictures)
        picture = sequence.prompt.pictures[index]
        # Whoever can go on will let go of its pictures; when nobody can, this one must.
        others_go_on = any(one.has_all_pictures for one in self._running)
        if not self._pictures.has_room_for(picture) and others_go_on:
            return
        try:
            held = self._pictures.acquire(picture)
        except Exception as error:
            self._fail(sequence, as_worker_error(error))
            return
        sequence.pictures.append(held)
        sequence.push(replace(held.report, image_index=index))

    def _step(self) -> None:
        ready = [one for one in self._running if one.has_all_pictures]
        plan = [
            (sequence, count)
            for sequence, count in plan_step(ready, MAX_BATCHED_TOKENS, self._max_num_seqs)
            if self._reserve(sequence, count)
        ]
        # Making room for one may have taken that of another that was planned before it.
        plan = [(sequence, count) for sequence, count in plan if sequence in self._running]
        if not plan:
            return
        wanted = [sequence.wanted_rows(count) for sequence, count in plan]
        batch = [
            StepSequence(
                token_ids=sequence.tokens[sequence.num_cached : sequence.num_cached + count],
                start=sequence.num_cached,
                cache=sequence.cache,
                pictures=[held.states for held in sequence.pictures],
                image_positions=sequence.image_positions,
                wanted_rows=rows,
            )
            for (sequence, count), rows in zip(plan, wanted, strict=True)
        ]
        try:
            logits = self._runner.step(batch)
        except Exception as error:
            shown = as_worker_error(error)
            for sequence, _ in plan:
                self._fail(sequence, shown)
            return
        for (sequence, count), rows, numbers in zip(plan, wanted, logits, strict=True):
            if not sequence.is_cancelled:
                self._advance(sequence, count, rows, numbers)

    def _reserve(self, sequence: Sequence, count: int) -> bool:
        """Room for the tokens to be run; it is taken from the youngest when there is none."""
        if sequence not in self._running:
            return False
        wanted = blocks_for(sequence.num_cached + count)
        while self._num_free < wanted - sequence.num_blocks:
            holders = [one for one in self._running if one.num_blocks > 0 and one is not sequence]
            if not holders:
                self._fail(
                    sequence,
                    WorkerError(
                        "out_of_memory",
                        f"The KV cache holds {self._num_blocks * BLOCK_SIZE} tokens, and this request "
                        "needs more. Shorten it, or launch with more memory.",
                    ),
                )
                return False
            youngest = max([*holders, sequence], key=lambda one: one.arrival)
            self._preempt(youngest)
            if youngest is sequence:
                return False
        sequence.num_blocks = max(sequence.num_blocks, wanted)
        return True

    def _preempt(self, sequence: Sequence) -> None:
        """What its room held is computed again from the tokens. Its pictures stay."""
        sequence.cache = KvCache()
        sequence.num_cached = sequence.num_blocks = 0
        with self._work:
            self._running.remove(sequence)
            self._waiting.append(sequence)
            self._waiting.sort(key=lambda one: one.arrival)

    def _advance(
        self, sequence: Sequence, count: int, rows: list[int], logits: npt.NDArray[np.float32]
    ) -> None:
        is_complete = sequence.num_cached + count == len(sequence.tokens)
        reported = rows[:-1] if is_complete else rows
        for row, numbers in zip(reported, logits, strict=False):
            self._report_prompt(sequence, sequence.num_cached + row + 1, numbers)
        sequence.num_cached += count
        if not is_complete:
            return
        sampling = sequence.sampling
        if sampling.max_tokens == 0:
            self._finish(sequence, "length")
            return
        numbers = logits[-1]
        if not is_usable(numbers):
            self._fail(sequence, not_finite(len(sequence.generated) + 1))
            return
        grammar = sequence.grammar
        try:
            allowed = None if grammar is None else grammar.allowed()
        except WorkerError as error:
            self._fail(sequence, error)
            return
        chosen = choose_token(
            numbers,
            sampling,
            prompt=sequence.prompt.token_ids,
            generated=sequence.generated,
            random=sequence.random,
            allowed=allowed,
        )
        if chosen is None:
            self._fail(sequence, nothing_allowed(len(sequence.generated)))
            return
        sequence.tokens.append(chosen)
        if grammar is not None:
            grammar.accept(chosen)
        sequence.push(report(numbers, chosen, sampling.logprobs))
        reason = self._finish_reason(sequence)
        if reason is not None:
            self._finish(sequence, reason)

    def _report_prompt(
        self, sequence: Sequence, position: int, logits: npt.NDArray[np.float32]
    ) -> None:
        wanted = sequence.sampling.prompt_logprobs
        assert wanted is not None
        token = sequence.tokens[position]
        sequence.push(PromptToken(report(logits, token, wanted.num_alternatives)))
        sequence.num_reported += 1

    def _finish_reason(self, sequence: Sequence) -> FinishReason | None:
        if sequence.tokens[-1] in sequence.sampling.stop_token_ids:
            return "stop"
        num_generated = len(sequence.tokens) - sequence.num_prompt
        is_full = len(sequence.tokens) >= self.model.context_length
        return "length" if is_full or num_generated >= sequence.sampling.max_tokens else None

    def _finish(self, sequence: Sequence, reason: FinishReason) -> None:
        # Whoever hears of the end finds its room free.
        self._let_go(sequence)
        sequence.push(Finish(reason))

    def _fail(self, sequence: Sequence, error: WorkerError) -> None:
        self._let_go(sequence)
        sequence.push(error)

    def _let_go(self, sequence: Sequence) -> None:
        sequence.release()
        with self._work:
            self._running = [one for one in self._running if one is not sequence]


def blocks_for(num_tokens: int) -> int:
    return -(-num_tokens // BLOCK_SIZE)


def as_worker_error(error: Exception) -> WorkerError:
    """What a library says is for the log; want of memory is no bug."""
    if isinstance(error, WorkerError):
        return error
    log.failure("computing failed", error)
    text = str(error)
    if (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or ("can't allocate memory" in text)
    ):
        return WorkerError(
            "out_of_memory",
            "There is not enough memory to compute this request. Send fewer or smaller pictures, free "
            "some memory, or launch with a smaller --max-model-len.",
        )
    return WorkerError("worker_failed", "The engine failed while computing. Try again.")


def not_finite(number: int) -> WorkerError:
    return WorkerError(
        "worker_failed",
        f"The model's numbers for token {number} of the answer are not finite: its weights are "
        "damaged, or too large for their data type. Fetch the checkpoint again, or launch with "
        "--dtype float32.",
    )


def nothing_allowed(num_generated: int) -> WorkerError:
    return WorkerError(
        "invalid_request",
        f"No token may follow the {num_generated} of the answer: the bias and the grammar together rule "
        "all of them out. Ask for less.",
    )
