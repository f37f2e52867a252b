"""Pictures' states by content: one is encoded once, however many prompts show it.

Those in use stay; of the others the least recently used go first to make room.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from atalaya_worker.contract import ImageReport, Picture

from .attention import PictureStates

Key = tuple[str, int | None]


@dataclass
class _Entry:
    states: PictureStates
    report: ImageReport
    num_users: int = 0


class HeldPicture:
    """States that stay until they are released."""

    def __init__(self, entry: _Entry, report: ImageReport) -> None:
        self._entry: _Entry | None = entry
        self.states = entry.states
        self.report = report

    def release(self) -> None:
        if self._entry is not None:
            self._entry.num_users -= 1
        self._entry = None


class PictureCache:
    def __init__(
        self,
        encode: Callable[[Picture], tuple[PictureStates, ImageReport]],
        budget_bytes: int,
        max_picture_bytes: int,
    ) -> None:
        self._encode = encode
        self._budget = budget_bytes
        self._largest = max_picture_bytes
        # In the order of their last use.
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()

    @property
    def num_pictures(self) -> int:
        return len(self._entries)

    @property
    def num_bytes(self) -> int:
        return sum(entry.states.num_bytes for entry in self._entries.values())

    def has_room_for(self, picture: Picture) -> bool:
        """Whether it can be held within the budget, beside those that are in use."""
        found = self._entries.get(_key(picture))
        if found is not None and found.num_users > 0:
            return True
        in_use = sum(e.states.num_bytes for e in self._entries.values() if e.num_users > 0)
        return in_use + self._largest <= self._budget

    def acquire(self, picture: Picture) -> HeldPicture:
        key = _key(picture)
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
            report = replace(entry.report, cached=True, encode_ms=0.0)
        else:
            self._drop_unused(self._budget - self._largest)
            start = time.perf_counter()
            states, seen = self._encode(picture)
            report = replace(seen, encode_ms=(time.perf_counter() - start) * 1000)
            entry = self._entries[key] = _Entry(states, report)
        entry.num_users += 1
        self._drop_unused(self._budget)
        return HeldPicture(entry, report)

    def _drop_unused(self, max_bytes: int) -> None:
        left = self.num_bytes
        for key, entry in list(self._entries.items()):
            if left <= max_bytes:
                return
            if entry.num_users == 0:
                left -= entry.states.num_bytes
                del self._entries[key]


def _key(picture: Picture) -> Key:
    return picture.content_hash, picture.max_tiles
