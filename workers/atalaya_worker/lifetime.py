"""A worker ends when its platform has ended, and takes the processes it started with it."""

import contextlib
import os
import signal
import threading
from pathlib import Path

from . import log


def end_with_parent(socket_path: str) -> None:
    """Standard input stays open as long as the platform lives; its end is ours."""

    def wait() -> None:
        while True:
            try:
                if os.read(0, 4096) == b"":
                    break
            except InterruptedError:
                continue
            except OSError:
                break
        log.info("parent gone")
        remove_socket(socket_path)
        end_group()

    threading.Thread(target=wait, name="end-with-parent", daemon=True).start()


def end_group() -> None:
    """At once: no library's clean-up may keep a process that nobody can reach any more."""
    if os.getpgrp() == os.getpid():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(0)


def remove_socket(path: str) -> None:
    """The platform removes it too, unless it was killed."""
    with contextlib.suppress(OSError):
        Path(path).unlink(missing_ok=True)
        Path(path).parent.rmdir()
