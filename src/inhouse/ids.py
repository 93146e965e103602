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


class Ids:
    """Makes ids that grow. Thread-safe; `milliseconds` is injected by tests."""

    def __init__(self, milliseconds: Callable[[], int] | None = None) -> None:
        self._milliseconds = milliseconds or (lambda: time.time_ns() // 1_000_000)
        self._last = 0
        self._lock = threading.Lock()

    def __call__(self, prefix: str) -> str:
        """A fresh id: `prefix` and 30 hex digits (12 of time, 18 random)."""
        fresh = self._milliseconds() << _RANDOM_BITS | int.from_bytes(os.urandom(9), "big") >> 1
        with self._lock:
            self._last = fresh if fresh > self._last else self._last + 1
            return f"{prefix}{self._last:030x}"
