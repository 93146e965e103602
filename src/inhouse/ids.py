"""Ids in OpenAI's form: a prefix, 48 bits of milliseconds, random bytes, in hex.

Ids made by one process grow: within a millisecond the random part is counted upwards.
"""

import os
import threading
import time
from collections.abc import Callable

IdMaker = Callable[[str], str]
"""Takes a prefix (`chatcmpl-`, `file-`, `req_`) and returns a fresh id."""

_RANDOM_BITS = 72
_RANDOM_BYTES = 9
_SUPPLY_BYTES = 512 * _RANDOM_BYTES
"""Random bytes are fetched from the system this many at once: a call of it per id costs more."""


class Ids:
    """Makes ids that grow. Thread-safe; `milliseconds` is injected by tests."""

    def __init__(self, milliseconds: Callable[[], int] | None = None) -> None:
        self._milliseconds = milliseconds or (lambda: time.time_ns() // 1_000_000)
        self._last = 0
        self._lock = threading.Lock()
        self._supply = b""
        self._taken = 0

    def __call__(self, prefix: str) -> str:
        """A fresh id: `prefix` and 30 hex digits (12 of time, 18 random)."""
        milliseconds = self._milliseconds()
        with self._lock:
            fresh = milliseconds << _RANDOM_BITS | self._random() >> 1
            self._last = fresh if fresh > self._last else self._last + 1
            return f"{prefix}{self._last:030x}"

    def _random(self) -> int:
        if self._taken >= len(self._supply):
            self._supply, self._taken = os.urandom(_SUPPLY_BYTES), 0
        start = self._taken
        self._taken = start + _RANDOM_BYTES
        return int.from_bytes(self._supply[start : self._taken], "big")
