"""The service over a scripted engine, asked through a real socket as the platform asks it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest

from atalaya_worker import messages
from atalaya_worker.contract import (
    Event,
    Finish,
    ImageReport,
    ModelInfo,
    Picture,
    Prompt,
    Sampling,
    Stats,
    Token,
    TokenLogprob,
)
from atalaya_worker.errors import WorkerError
from atalaya_worker.service import CODE_KEY, EngineService, start_server

MODEL = ModelInfo(
    context_length=100,
    vocab_size=64,
    num_embeddings=72,
    image_token_id=64,
    bos_token_id=1,
    stop_token_ids=[2, 6],
    vision_tokens_per_tile=17,
)
REPORT = ImageReport(
    width=2, height=1, rows=1, columns=2, resized_width=4, resized_height=2,
    aspect_ratio_id=3, cached=False, encode_ms=1.5,
)  # fmt: skip


class ScriptedEngine:
    model = MODEL

    def __init__(self) -> None:
        self.closed: list[int] = []

    async def generate(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Event, None]:
        try:
            if prompt.token_ids == [13]:
                raise WorkerError("context_length_exceeded", "Zu lang — kürzer bitte.")
            if prompt.token_ids == [14]:
                raise RuntimeError("/secret/path")
            for _ in prompt.pictures:
                yield REPORT
            number = 0
            while number < sampling.max_tokens:
                yield Token(number, -0.5, [TokenLogprob(number, -0.5)])
                number += 1
                await asyncio.sleep(0)
            yield Finish("length")
        finally:
            self.closed.append(len(prompt.token_ids))

    async def encode_image(self, picture: Picture) -> ImageReport:
        return REPORT

    def stats(self) -> Stats:
        return Stats(1, 2, 3, 4, 5, 6)


class Client:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        def stream(name: str, reply):
            path = f"/{messages.PACKAGE}.Engine/{name}"
            return channel.unary_stream(path, lambda m: m.SerializeToString(), reply.FromString)

        def unary(name: str, reply):
            path = f"/{messages.PACKAGE}.Engine/{name}"
            return channel.unary_unary(path, lambda m: m.SerializeToString(), reply.FromString)

        self.load = stream("Load", messages.LoadReply)
        self.generate = stream("Generate", messages.GenerateReply)
        self.encode_image = unary("EncodeImage", messages.ImageReport)
        self.stats = unary("Stats", messages.StatsReply)
        self.health = unary("Health", messages.HealthReply)


@asynccontextmanager
async def serving(directory, load=None):
    engine = ScriptedEngine()

    def load_scripted(options, on_progress):
        on_progress("reading", None)
        on_progress("loading", 0.5)
        return engine

    service = EngineService(lambda: load or load_scripted)
    server = await start_server(service, f"{directory}/engine")
    try:
        async with grpc.aio.insecure_channel(f"unix:{directory}/engine") as channel:
            yield Client(channel), engine
    finally:
        await server.stop(None)


def request(token_ids, max_tokens=3, **fields):
    sampling = {"max_tokens": max_tokens, "repetition_penalty": 1.0, "top_p": 1.0}
    return messages.GenerateRequest(token_ids=token_ids, sampling=sampling, **fields)


async def events_of(call):
    return [reply async for reply in call]


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 30))


def code_of(error: grpc.aio.AioRpcError) -> str | None:
    return dict(error.trailing_metadata()).get(CODE_KEY)


def test_a_model_is_loaded_once_and_answers(tmp_path):
    async def go():
        async with serving(tmp_path) as (client, _):
            assert (await client.health(messages.HealthRequest())).state == "starting"
            with pytest.raises(grpc.aio.AioRpcError) as early:
                await client.stats(messages.StatsRequest())
            assert code_of(early.value) == "model_not_ready"

            replies = await events_of(client.load(messages.LoadRequest(directory="/m")))
            assert [reply.WhichOneof("reply") for reply in replies] == ["progress"] * 2 + ["model"]
            assert not replies[0].progress.HasField("fraction")
            assert replies[1].progress.fraction == 0.5
            assert list(replies[2].model.stop_token_ids) == [2, 6]
            assert (await client.health(messages.HealthRequest())).state == "ready"
            with pytest.raises(grpc.aio.AioRpcError) as again:
                await events_of(client.load(messages.LoadRequest(directory="/m")))
            assert code_of(again.value) == "model_already_launched"

            picture = {"width": 2, "height": 1, "pixels": bytes(6), "content_hash": "ab"}
            replies = await events_of(client.generate(request([1, 64], pictures=[picture])))
            assert [reply.WhichOneof("event") for reply in replies] == [
                "image",
                "token",
                "token",
                "token",
                "finish",
            ]
            assert replies[0].image.resized_width == 4
            assert replies[1].token.top_logprobs[0].logprob == -0.5
            assert replies[4].finish.reason == "length"
            assert (await client.stats(messages.StatsRequest())).resident_bytes == 6
            report = await client.encode_image(messages.EncodeImageRequest(picture=picture))
            assert report.columns == 2

    run(go())


def test_a_cancelled_call_closes_its_generator(tmp_path):
    async def go():
        async with serving(tmp_path) as (client, engine):
            await events_of(client.load(messages.LoadRequest(directory="/m")))
            call = client.generate(request([1, 2, 3], max_tokens=1_000_000))
            async for _ in call:
                break
            call.cancel()
            while engine.closed != [3]:
                await asyncio.sleep(0.01)

    run(go())


@pytest.mark.parametrize(
    ("token_ids", "fields", "code", "says"),
    [
        ([13], {}, "context_length_exceeded", "Zu lang — kürzer bitte."),
        ([14], {}, "worker_failed", "failed inside itself"),
        (
            [1],
            {"pictures": [{"width": 2, "height": 2, "pixels": b"123"}]},
            "worker_failed",
            "failed inside itself",
        ),
    ],
)
def test_an_error_keeps_its_code_and_a_bug_its_text(tmp_path, token_ids, fields, code, says):
    async def go():
        async with serving(tmp_path) as (client, _):
            await events_of(client.load(messages.LoadRequest(directory="/m")))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await events_of(client.generate(request(token_ids, **fields)))
            assert code_of(refused.value) == code
            assert says in refused.value.details()
            assert "/secret" not in refused.value.details()
            # It lives on.
            assert len(await events_of(client.generate(request([1])))) == 4

    run(go())


def test_a_failed_load_says_why(tmp_path):
    def load(options, on_progress):
        raise WorkerError("corrupt_model_file", "A tensor is missing.")

    async def go():
        async with serving(tmp_path, load) as (client, _):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await events_of(client.load(messages.LoadRequest(directory="/m")))
            assert code_of(refused.value) == "corrupt_model_file"
            assert (await client.health(messages.HealthRequest())).state == "failed"

    run(go())
