"""The desk between an event loop and the database's threads: hands units over, brings results back.

A unit that comes alone is handed over at the end of the loop's turn; those that follow closely
gather for a moment and go together, because a commit costs about the same for one and for many.
Results that come in while the loop is busy come back with one wake-up.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from inhouse.stores.database import Statement

GATHERING_SECONDS = 0.004
"""Between two hand-overs. No longer than a commit takes on most disks."""

Unit = tuple["Desk", "asyncio.Future[None]", Sequence[Statement], bool]
"""The desk it came over, the future to resolve, the statements, and whether the write is quiet."""


class Desk:
    """One per event loop. `submit` is called in the loop, `deliver` from any thread."""

    __slots__ = ("_hand_over", "_handed_over", "_out", "_results", "_woken", "loop")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, hand_over: Callable[[list[Unit]], None]
    ) -> None:
        self.loop = loop
        self._hand_over = hand_over
        self._handed_over = -GATHERING_SECONDS
        self._out: list[Unit] = []
        self._results: deque[tuple[asyncio.Future[Any], object, BaseException | None]] = deque()
        self._woken = False

    def submit(self, statements: Sequence[Statement], *, quiet: bool) -> "asyncio.Future[None]":
        """Hand the unit over at the end of this turn of the loop, or of the gathering."""
        future: asyncio.Future[None] = self.loop.create_future()
        if not self._out:
            wait = self._handed_over + GATHERING_SECONDS - self.loop.time()
            if wait > 0:
                self.loop.call_later(wait, self.flush)
            else:
                self.loop.call_soon(self.flush)
        self._out.append((self, future, statements, quiet))
        return future

    def flush(self) -> None:
        """Hand over what was submitted."""
        if self._out:
            out, self._out = self._out, []
            self._handed_over = self.loop.time()
            self._hand_over(out)

    def deliver(
        self, future: "asyncio.Future[Any]", result: object, error: BaseException | None
    ) -> None:
        """Lay a result down; `wake` takes it to the loop."""
        self._results.append((future, result, error))

    def deliver_all(self, units: Sequence[Unit], errors: Sequence[BaseException | None]) -> None:
        """Lay down the results of those writes that came over this desk, and wake the loop."""
        self._results.extend(
            [
                (future, None, error)
                for (desk, future, _, _), error in zip(units, errors, strict=True)
                if desk is self
            ]
        )
        self.wake()

    def wake(self) -> None:
        """See to it that the loop resolves what was delivered. One wake-up for any number of
        results.
        """
        if not self._woken:
            self._woken = True
            try:
                self.loop.call_soon_threadsafe(self._resolve)
            except RuntimeError:  # the loop is closed: nobody waits any more
                self._results.clear()

    def _resolve(self) -> None:
        self._woken = False  # before the results are taken: what comes later wakes again
        results = self._results
        while results:
            future, result, error = results.popleft()
            if future.done():  # its caller was cancelled
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
