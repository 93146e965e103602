"""Wake-ups: who waits for news of which name, in this process.

A write names what it is news for (`Database.write(..., wakes=["run:resp_1"])`); after its commit
everyone who watches that name wakes. A wake-up says that something may have changed, never what:
whoever wakes reads. One may be missed when a connection between processes breaks, so nobody waits
without a limit.
"""

import asyncio
from collections.abc import Iterable
from typing import Self


class Watch:
    """One waiter for one name, from `with` on: a wake-up before `wait` is not missed."""

    __slots__ = ("_event", "_name", "_watches")

    def __init__(self, watches: "Watches", name: str) -> None:
        self._watches = watches
        self._name = name
        self._event = asyncio.Event()

    def __enter__(self) -> Self:
        self._watches.add(self._name, self)
        return self

    def __exit__(self, *_: object) -> None:
        self._watches.remove(self._name, self)

    def wake(self) -> None:
        """Let `wait` return."""
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for news since the last `wait`, no longer than `seconds`. Whether there was any."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Watches:
    """All who wait. Used in one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[Watch]] = {}

    def watch(self, name: str) -> Watch:
        """A context manager that waits for news of `name`."""
        return Watch(self, name)

    def add(self, name: str, watch: Watch) -> None:
        """`watch` begins."""
        self._waiting.setdefault(name, set()).add(watch)

    def remove(self, name: str, watch: Watch) -> None:
        """`watch` ends."""
        waiting = self._waiting.get(name)
        if waiting is not None:
            waiting.discard(watch)
            if not waiting:
                del self._waiting[name]

    def wake(self, names: Iterable[str]) -> None:
        """There is news of `names`."""
        for name in names:
            for watch in self._waiting.get(name, ()):
                watch.wake()

    def wake_all(self) -> None:
        """There may be news of anything."""
        self.wake(list(self._waiting))
