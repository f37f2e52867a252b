"""The service of engine.proto over an engine; the native worker's `serve-worker.ts` is its twin."""

import asyncio
import platform
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, NoReturn

import grpc
import grpc.aio

from . import log, messages, wire
from .contract import Engine, EngineLoader, LoadOptions
from .errors import WorkerError, internal_error, module_missing

# A prompt's pictures travel with it: eight of 50 megapixels, three bytes each.
MAX_MESSAGE_BYTES = 2**31 - 1
MAX_STREAMS = 4096
# Where the code of an error travels beside its sentence; see `wire-error.ts`.
CODE_KEY = "atalaya-error-code"

Context = Any  # grpc.aio.ServicerContext, which has no types


class EngineService:
    def __init__(self, find_loader: Callable[[], EngineLoader]) -> None:
        self._find_loader = find_loader
        self._engine: Engine | None = None
        self._state = "starting"
        self._is_loading = False

    async def load(self, request: Any, context: Context) -> AsyncIterator[Any]:
        """Progress, then one message with the model's numbers."""
        if self._is_loading or self._engine is not None:
            await refuse(
                context,
                WorkerError("model_already_launched", "This worker has a model already."),
            )
        self._is_loading = True
        try:
            options = wire.from_load_request(request)
            async for progress in self._load(options):
                yield progress
            assert self._engine is not None
            self._state = "ready"
            log.info("model loaded", directory=options.directory)
            yield messages.LoadReply(model=wire.to_model_info(self._engine.model))
        except Exception as error:
            self._state = "failed"
            log.failure("loading failed", error)
            await refuse(context, error)
        finally:
            self._is_loading = False

    async def _load(self, options: LoadOptions) -> AsyncIterator[Any]:
        loop = asyncio.get_running_loop()
        # None: loading has ended.
        steps: asyncio.Queue[tuple[str, float | None] | None] = asyncio.Queue()

        def on_progress(stage: str, fraction: float | None) -> None:
            loop.call_soon_threadsafe(steps.put_nowait, (stage, fraction))

        loading = loop.run_in_executor(None, lambda: self._find_loader()(options, on_progress))
        loading.add_done_callback(lambda _: steps.put_nowait(None))
        while (step := await steps.get()) is not None:
            stage, fraction = step
            progress: dict[str, Any] = {"stage": stage}
            if fraction is not None:
                progress["fraction"] = fraction
            yield messages.LoadReply(progress=progress)
        self._engine = await loading

    async def generate(self, request: Any, context: Context) -> AsyncIterator[Any]:
        """Events in order, then one finish. A call that is cancelled closes the generator."""
        try:
            engine = self._loaded()
            prompt, sampling = wire.from_generate_request(request)
            async with aclosing(engine.generate(prompt, sampling)) as events:
                async for event in events:
                    yield wire.to_generate_reply(event)
        except Exception as error:
            await refuse(context, error)

    async def encode_image(self, request: Any, context: Context) -> Any:
        try:
            if not request.HasField("picture"):
                raise ValueError("the request has no picture")
            picture = wire.from_picture(request.picture)
            return wire.to_image_report(await self._loaded().encode_image(picture))
        except Exception as error:
            await refuse(context, error)

    async def stats(self, _request: Any, context: Context) -> Any:
        try:
            return wire.to_stats_reply(self._loaded().stats())
        except Exception as error:
            await refuse(context, error)

    async def health(self, _request: Any, _context: Context) -> Any:
        version = f"Python {platform.python_version()}"
        return messages.HealthReply(state=self._state, version=version)

    def _loaded(self) -> Engine:
        if self._engine is None:
            raise WorkerError("model_not_ready", "The model is still being loaded.")
        return self._engine

    def handlers(self) -> grpc.GenericRpcHandler:
        def serialize(message: Any) -> bytes:
            return message.SerializeToString()

        def unary(method: Any, request: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(method, request.FromString, serialize)

        def stream(method: Any, request: Any) -> Any:
            return grpc.unary_stream_rpc_method_handler(method, request.FromString, serialize)

        return grpc.method_handlers_generic_handler(
            f"{messages.PACKAGE}.Engine",
            {
                "Load": stream(self.load, messages.LoadRequest),
                "Generate": stream(self.generate, messages.GenerateRequest),
                "EncodeImage": unary(self.encode_image, messages.EncodeImageRequest),
                "Stats": unary(self.stats, messages.StatsRequest),
                "Health": unary(self.health, messages.HealthRequest),
            },
        )


async def refuse(context: Context, error: Exception) -> NoReturn:
    """End the call with what is meant to be read; anything else keeps its text to the log."""
    # What `abort` itself raises to end a call passes through here again.
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, WorkerError):
        shown = error
    elif isinstance(error, ModuleNotFoundError):
        shown = module_missing(error)
    else:
        log.failure("a call failed", error)
        shown = internal_error()
    await context.abort(
        grpc.StatusCode.FAILED_PRECONDITION,
        shown.message,
        trailing_metadata=((CODE_KEY, shown.code),),
    )
    raise AssertionError("abort returned")


async def start_server(service: EngineService, socket_path: str) -> grpc.aio.Server:
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_concurrent_streams", MAX_STREAMS),
            ("grpc.so_reuseport", 0),
        ]
    )
    server.add_generic_rpc_handlers((service.handlers(),))
    server.add_insecure_port(f"unix:{socket_path}")
    await server.start()
    return server
