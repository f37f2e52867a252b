"""Where the processes of one engine meet: PyTorch's store, on this machine's own address alone.

`TCPStore` connects to the host it is given and listens on every address there is; it asks nobody who they are.
"""

import importlib
import socket
from typing import Any

from torch.distributed import TCPStore

LOOPBACK = "127.0.0.1"


def _store(*, host_name: str, port: int, is_master: bool = False, **rest: Any) -> TCPStore:
    """As PyTorch calls it. Whoever is given a socket that listens does not open one."""
    if not is_master or host_name != LOOPBACK:
        return TCPStore(host_name=host_name, port=port, is_master=is_master, **rest)
    listening = socket.create_server((LOOPBACK, port), backlog=128)
    return TCPStore(
        host_name=host_name,
        port=listening.getsockname()[1],
        is_master=True,
        # The store closes it.
        master_listen_fd=listening.detach(),
        **rest,
    )


def use_loopback_store() -> None:
    # In the package the name `rendezvous` is a function.
    module: Any = importlib.import_module("torch.distributed.rendezvous")
    module.TCPStore = _store
