"""The machine's memory and our own, where the system tells without a library's help."""

import contextlib
import os
import resource
import sys


def total_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def available_bytes() -> int:
    """What a program could get now, caches that would make room included; half of all when nobody tells."""
    with contextlib.suppress(OSError, ValueError), open("/proc/meminfo", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return total_bytes() // 2


def resident_bytes() -> int:
    with (
        contextlib.suppress(OSError, ValueError),
        open("/proc/self/statm", encoding="ascii") as line,
    ):
        return int(line.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    # The most there was so far; in kilobytes everywhere but on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
