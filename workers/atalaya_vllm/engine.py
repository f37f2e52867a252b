"""vLLM's V0 engine behind our contract: one thread steps it, everything else asks that thread.

What arrives while a step runs is done before the next one: requests that were prepared elsewhere are
added, requests that were given up are dropped.
"""

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from vllm import LLMEngine, SamplingParams

from atalaya_worker import log
from atalaya_worker.contract import (
    Event,
    Finish,
    ImageReport,
    ModelInfo,
    Picture,
    Prompt,
    PromptToken,
    Sampling,
    Stats,
    Token,
    TokenLogprob,
)
from atalaya_worker.errors import WorkerError, internal_error
from atalaya_worker.grammars import Grammars
from atalaya_worker.lifetime import end_group

from .grammar_mask import GrammarMask
from .picture_report import report_of
from .sampling import check, to_sampling_params

MAX_WAITING = 256


@dataclass
class _Request:
    id: str
    inputs: Any
    params: SamplingParams
    receive: Callable[[Event | Exception], None]
    # As it was asked, where vLLM's own form says less.
    sampling: Sampling
    mask: GrammarMask | None
    num_tokens: int = 0
    # The answer so far, where a grammar has to follow it.
    answered: list[int] = field(default_factory=list)


class VllmEngine:
    def __init__(self, engine: LLMEngine, model: ModelInfo, grammars: Grammars) -> None:
        self._engine = engine
        self._grammars = grammars
        self._model = model
        self._vision_config = engine.model_config.hf_config.vision_config
        self._ids = itertools.count()
        # Requests to add, and ids to drop.
        self._inbox: queue.SimpleQueue[_Request | str] = queue.SimpleQueue()
        self._requests: dict[str, _Request] = {}
        self._num_preparing = 0
        # One at a time: a picture's preparation takes a core, and steps need one.
        self._preparing = ThreadPoolExecutor(1, thread_name_prefix="prepare")
        threading.Thread(target=self._run, name="vllm-steps", daemon=True).start()

    @property
    def model(self) -> ModelInfo:
        return self._model

    async def generate(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        """Events in order, then exactly one finish. Closing it drops the request before the next step."""
        self._check(prompt)
        check(prompt, sampling)
        mask = None
        if sampling.grammar is not None:
            state = await self._grammars.open(sampling.grammar, sampling.stop_token_ids)
            mask = GrammarMask(state, sampling)
        try:
            async with aclosing(self._generate(prompt, sampling, mask)) as events:
                async for event in events:
                    yield event
        finally:
            if mask is not None:
                mask.close()

    async def _generate(
        self, prompt: Prompt, sampling: Sampling, mask: GrammarMask | None
    ) -> AsyncGenerator[Event, None]:
        try:
            params = to_sampling_params(sampling, mask)
        except ValueError as error:
            raise WorkerError("invalid_request", f"vLLM does not take this: {error}") from error
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Event | Exception] = asyncio.Queue()

        def receive(event: Event | Exception) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event)

        inputs, prepare_ms = await self._prepare(prompt)
        for index, picture in enumerate(prompt.pictures):
            yield report_of(picture, index, self._vision_config, prepare_ms / len(prompt.pictures))
        if sampling.max_tokens == 0 and sampling.prompt_logprobs is None:
            yield Finish("length")
            return
        request = _Request(str(next(self._ids)), inputs, params, receive, sampling, mask)
        self._inbox.put(request)
        is_finished = False
        try:
            while not is_finished:
                event = await events.get()
                is_finished = isinstance(event, Finish)
                if isinstance(event, Exception):
                    is_finished = True
                    raise event
                yield event
        finally:
            if not is_finished:
                self._inbox.put(request.id)

    async def encode_image(self, picture: Picture) -> ImageReport:
        """vLLM keeps no picture beyond its request, so there is nothing to put anywhere."""
        return report_of(picture, 0, self._vision_config)

    def stats(self) -> Stats:
        scheduler = self._engine.scheduler[0]
        total = self._engine.cache_config.num_gpu_blocks or 0
        return Stats(
            num_running=len(scheduler.running),
            num_waiting=len(scheduler.waiting) + len(scheduler.swapped) + self._num_preparing,
            kv_blocks_used=total - scheduler.block_manager.get_num_free_gpu_blocks(),
            kv_blocks_total=total,
            cached_pictures=0,
            resident_bytes=_resident_bytes(),
        )

    def _check(self, prompt: Prompt) -> None:
        model = self._model
        num_tokens, num_pictures = len(prompt.token_ids), len(prompt.pictures)
        if num_tokens == 0:
            raise WorkerError("invalid_request", "The prompt is empty. Send at least one token.")
        if num_tokens >= model.context_length:
            raise WorkerError(
                "context_length_exceeded",
                f"The prompt has {num_tokens} tokens; this model takes {model.context_length - 1} "
                "and one for the answer. Shorten it, or launch with a larger --max-model-len.",
            )
        foreign = next((i for i in prompt.token_ids if i >= model.num_embeddings), None)
        if foreign is not None:
            raise WorkerError(
                "invalid_request",
                f"The token id {foreign} is not in the vocabulary of {model.num_embeddings}.",
            )
        num_markers = list(prompt.token_ids).count(model.image_token_id)
        if num_markers != num_pictures:
            raise WorkerError(
                "invalid_request",
                f"The prompt has {num_markers} image tokens and {num_pictures} pictures; each "
                "picture needs one.",
            )
        limit = self._engine.model_config.get_multimodal_config().get_limit_per_prompt("image")
        if num_pictures > limit:
            raise WorkerError(
                "invalid_request",
                f"The prompt has {num_pictures} pictures; this launch takes {limit}. Launch with "
                f"--limit-mm-per-prompt '{{\"image\": {num_pictures}}}' for more.",
            )
        if self._num_preparing + len(self._engine.scheduler[0].waiting) >= MAX_WAITING:
            raise WorkerError(
                "queue_full", f"{MAX_WAITING} requests are waiting already. Try again in a moment."
            )

    async def _prepare(self, prompt: Prompt) -> tuple[Any, float]:
        """What vLLM's own processor makes of the prompt, and the milliseconds it took."""
        loop = asyncio.get_running_loop()
        self._num_preparing += 1
        try:
            return await loop.run_in_executor(
                self._preparing, lambda: prepare(self._engine, prompt)
            )
        finally:
            self._num_preparing -= 1

    def _run(self) -> None:
        try:
            while True:
                self._take_messages()
                for output in self._engine.step():
                    self._deliver(output)
        except Exception as error:
            # What a step leaves behind when it fails is not to be trusted: a new process is.
            log.failure("a step failed", error)
            for request in self._requests.values():
                request.receive(internal_error())
            # So that they are told before the process is gone.
            time.sleep(0.2)
            end_group()

    def _take_messages(self) -> None:
        is_idle = not self._engine.has_unfinished_requests()
        while True:
            try:
                message = self._inbox.get(block=is_idle)
            except queue.Empty:
                return
            if isinstance(message, str):
                self._requests.pop(message, None)
                self._engine.abort_request(message)
            else:
                self._add(message)
            is_idle = is_idle and not self._engine.has_unfinished_requests()

    def _add(self, request: _Request) -> None:
        try:
            self._engine._add_processed_request(
                request_id=request.id,
                processed_inputs=request.inputs,
                params=request.params,
                arrival_time=time.time(),
                lora_request=None,
            )
        except ValueError as error:
            log.info("vLLM refused a request", why=str(error)[:300])
            request.receive(
                WorkerError(
                    "invalid_request",
                    f"vLLM does not take this request: {str(error)[:200]} Change it and try again.",
                )
            )
            return
        self._requests[request.id] = request

    def _deliver(self, output: Any) -> None:
        request = self._requests.get(output.request_id)
        if request is None:
            return
        (answer,) = output.outputs
        wanted = request.sampling.prompt_logprobs
        if wanted is not None and output.prompt_logprobs and request.num_tokens == 0:
            for position in range(wanted.start, len(output.prompt_logprobs)):
                token_id = output.prompt_token_ids[position]
                logprobs = output.prompt_logprobs[position]
                token = to_token(token_id, logprobs, wanted.num_alternatives)
                request.receive(PromptToken(token))
        if request.sampling.max_tokens == 0:
            del self._requests[request.id]
            self._engine.abort_request(request.id)
            request.receive(Finish("length"))
            return
        if request.mask is not None and request.mask.error is not None:
            del self._requests[request.id]
            self._engine.abort_request(request.id)
            request.receive(request.mask.error)
            return
        if request.mask is not None and not output.finished:
            request.answered.extend(answer.token_ids)
            request.mask.follow(request.answered)
        for index, token_id in enumerate(answer.token_ids):
            logprobs = answer.logprobs[index] if answer.logprobs else None
            request.receive(to_token(token_id, logprobs, request.params.logprobs or 0))
        request.num_tokens += len(answer.token_ids)
        if not output.finished:
            return
        del self._requests[request.id]
        if request.num_tokens == 0:
            # A prompt that the scheduler can never place ends before its first token.
            request.receive(
                WorkerError(
                    "context_length_exceeded",
                    "The prompt with its pictures needs more of vLLM's cache than there is. Shorten "
                    "it, send fewer or smaller pictures, or launch with less --max-num-seqs.",
                )
            )
        elif answer.finish_reason in ("stop", "length"):
            request.receive(Finish(answer.finish_reason))
        else:
            request.receive(internal_error())


def prepare(engine: LLMEngine, prompt: Prompt) -> tuple[Any, float]:
    """Token ids and pictures as vLLM's scheduler takes them, and the milliseconds that took."""
    started = time.perf_counter()
    inputs: dict[str, Any] = {"prompt_token_ids": list(prompt.token_ids)}
    if prompt.pictures:
        inputs["multi_modal_data"] = {
            "image": [
                Image.frombytes("RGB", (one.width, one.height), one.pixels)
                for one in prompt.pictures
            ]
        }
    processed = engine.input_preprocessor.preprocess(inputs)
    # vLLM puts a start of text before every prompt that has none in front; ours are as they are.
    processed["decoder"]["prompt_token_ids"] = list(prompt.token_ids)
    return processed, (time.perf_counter() - started) * 1000


def to_token(token_id: int, logprobs: dict[int, Any] | None, num_alternatives: int) -> Token:
    if logprobs is None:
        return Token(token_id)
    # The chosen token is among them, also where it is none of the most likely: then it ranks last.
    ranked = sorted(logprobs.items(), key=lambda item: item[1].rank)
    return Token(
        token_id,
        logprob=logprobs[token_id].logprob,
        top_logprobs=[TokenLogprob(other, one.logprob) for other, one in ranked[:num_alternatives]],
    )


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096
