"""A worker's process: listen, say so, serve until the platform ends."""

import asyncio
import importlib
import os
import sys

from . import log
from .contract import EngineLoader
from .lifetime import end_with_parent
from .service import EngineService, start_server

ENGINES = ("transformers", "vllm")


def main(arguments: list[str]) -> None:
    if len(arguments) != 2 or arguments[0] not in ENGINES:
        raise SystemExit(f"usage: start.py {'|'.join(ENGINES)} SOCKET")
    engine, socket_path = arguments
    asyncio.run(serve(engine, socket_path))


async def serve(engine: str, socket_path: str) -> None:
    def find_loader() -> EngineLoader:
        return importlib.import_module(f"atalaya_{engine}.load").load

    # Held: a server that nobody holds is stopped.
    server = await start_server(EngineService(find_loader), socket_path)
    say_ready()
    end_with_parent(socket_path)
    log.info("listening", engine=engine, python=sys.version.split()[0])
    await server.wait_for_termination()


def say_ready() -> None:
    """One line on standard output says that we listen; what libraries print there later is log."""
    os.write(1, b"ready\n")
    os.dup2(2, 1)
