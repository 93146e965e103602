"""The queue in front of one model: interactive before batch, fair between projects, bounded in
length and wait.

A call takes as many slots as it has choices (at most all of them) and holds them until its iterator
ends or is closed. Who waits is served in this order: interactive calls before batch ones, and among
either one call of each project in turn.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from inhouse.engines.text import Delta, TextCall, TextEngine
from inhouse.errors import RateLimited, Unavailable

Priority = Literal["interactive", "batch"]


@dataclass(eq=False, slots=True)
class _Waiter:
    project: str
    slots: int
    granted: asyncio.Future[None]


class _Line:
    """The waiters of one priority, project by project, in the order of their turns."""

    def __init__(self) -> None:
        self._projects: OrderedDict[str, deque[_Waiter]] = OrderedDict()

    def add(self, waiter: _Waiter) -> None:
        self._projects.setdefault(waiter.project, deque()).append(waiter)

    def first(self) -> _Waiter | None:
        return next((waiters[0] for waiters in self._projects.values()), None)

    def remove(self, waiter: _Waiter, *, served: bool) -> None:
        """Take a waiter out; a project that was served goes to the end of the turns."""
        waiters = self._projects.get(waiter.project)
        if waiters is None or waiter not in waiters:
            return
        waiters.remove(waiter)
        if not waiters:
            del self._projects[waiter.project]
        elif served:
            self._projects.move_to_end(waiter.project)


class Turns:
    """Who may use a model next: `slots` at once.

    More than `length` waiting: `RateLimited`. A wait longer than `wait_seconds`, or than a deadline
    (on the event loop's clock): `Unavailable`. Both say when to try again.
    """

    def __init__(self, slots: int, *, length: int = 256, wait_seconds: float = 120.0) -> None:
        self.slots = slots
        self._free = slots
        self._length = length
        self._wait_seconds = wait_seconds
        self._lines = {"interactive": _Line(), "batch": _Line()}
        self.waiting = 0
        self.refused = 0
        self.expired = 0

    async def take(
        self,
        slots: int = 1,
        *,
        project: str = "",
        priority: Priority = "interactive",
        deadline: float | None = None,
        begun: bool = False,
    ) -> None:
        """Wait for `slots`, which go back by `give`. What has begun is neither refused nor given
        up, but waits among the others."""
        if self._free >= slots and not self.waiting:
            self._free -= slots
            return
        if self.waiting >= self._length and not begun:
            self.refused += 1
            raise RateLimited(
                "The model is overloaded: too many requests are waiting for it. Please try again.",
                headers=self._retry_after(),
            )
        loop = asyncio.get_running_loop()
        waiter = _Waiter(project, slots, loop.create_future())
        line = self._lines[priority]
        line.add(waiter)
        self.waiting += 1
        patience = None if begun else self._wait_seconds
        if deadline is not None:
            left = deadline - loop.time()
            patience = left if patience is None else min(patience, left)
        try:
            async with asyncio.timeout(patience):
                await waiter.granted
        except BaseException as error:
            self._leave(line, waiter)
            if isinstance(error, TimeoutError):
                self.expired += 1
                raise Unavailable(
                    "The model is overloaded: the request waited too long for its turn.",
                    headers=self._retry_after(),
                ) from None
            raise

    def give(self, slots: int = 1) -> None:
        """Give slots back, and on to those whose turn it is."""
        self._free += slots
        self._serve()

    def _leave(self, line: _Line, waiter: _Waiter) -> None:
        """A waiter goes; slots that it was given in the same moment go on to the next."""
        if waiter.granted.done() and not waiter.granted.cancelled():
            self._free += waiter.slots
        else:
            line.remove(waiter, served=False)
            self.waiting -= 1
        self._serve()

    def _serve(self) -> None:
        """Give free slots to those whose turn it is; a call that needs more than are free is waited
        for."""
        for line in self._lines.values():
            while waiter := line.first():
                if waiter.slots > self._free:
                    return
                self._free -= waiter.slots
                line.remove(waiter, served=True)
                self.waiting -= 1
                waiter.granted.set_result(None)

    def _retry_after(self) -> dict[str, str]:
        return {"Retry-After": str(max(1, ceil(self._wait_seconds / 10)))}


class Queue:
    """A `TextEngine` that lets `slots` choices run at once; see `Turns` for its bounds."""

    def __init__(
        self, engine: TextEngine, slots: int, *, length: int = 256, wait_seconds: float = 120.0
    ) -> None:
        self._engine = engine
        self.turns = Turns(slots, length=length, wait_seconds=wait_seconds)
        """Shared with what else uses the model."""
        self.running = 0
        """Calls that run now."""

    @property
    def abilities(self) -> frozenset[str]:
        return self._engine.abilities

    @property
    def waiting(self) -> int:
        """Calls that wait now."""
        return self.turns.waiting

    @property
    def refused(self) -> int:
        """Calls refused so far because too many waited."""
        return self.turns.refused

    @property
    def expired(self) -> int:
        """Calls given up so far because they waited too long."""
        return self.turns.expired

    async def generate(self, call: TextCall) -> AsyncGenerator[Sequence[Delta], None]:
        """See `TextEngine`; the call waits for its turn at the first step."""
        batches = self._engine.generate(call)
        slots = min(self.turns.slots, choices(call))
        await self.turns.take(
            slots, project=call.project, priority=call.priority, deadline=call.deadline
        )
        self.running += 1
        try:
            async for batch in batches:
                yield batch
        finally:
            self.running -= 1
            try:
                await batches.aclose()
            finally:
                self.turns.give(slots)


def choices(call: TextCall) -> int:
    """How many texts a call generates."""
    body = call.body
    prompt = body.get("prompt")
    prompts = len(prompt) if isinstance(prompt, list) and prompt and _several(prompt) else 1
    return prompts * max(body.get("n") or 1, body.get("best_of") or 1)


def _several(prompt: list[object]) -> bool:
    """Whether a legacy prompt that is a list is a list of prompts, not of token ids."""
    return not isinstance(prompt[0], int)
