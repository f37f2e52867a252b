"""The worker's log: one JSON object a line on standard error. Never a prompt, never a picture."""

import contextlib
import json
import os
import sys
import time
import traceback
from typing import Any

INFO, WARN, ERROR = 30, 40, 50


def write(level: int, message: str, **fields: Any) -> None:
    line = {
        "level": level,
        "time": int(time.time() * 1000),
        "worker": os.getpid(),
        **fields,
        "msg": message,
    }
    # Nobody may listen any more: the platform was killed.
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(json.dumps(line, default=str) + "\n")
        sys.stderr.flush()


def info(message: str, **fields: Any) -> None:
    write(INFO, message, **fields)


def warn(message: str, **fields: Any) -> None:
    write(WARN, message, **fields)


def failure(message: str, error: BaseException) -> None:
    """With where it happened: on one line, as everything else."""
    write(ERROR, message, error=str(error), stack="".join(traceback.format_exception(error)))
