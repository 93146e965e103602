"""Which models are in memory. Loads on demand, keeps to a budget, lets go of who was idle longest.

A model in use is never unloaded. Requests wait while their model loads, and while memory for it is
in use by others.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Literal, Protocol

from inhouse.engines.catalogue import Entry
from inhouse.engines.embeddings import EmbeddingEngine
from inhouse.engines.text import Json, TextEngine
from inhouse.errors import Unavailable

State = Literal["not loaded", "loading", "loaded"]


class Running(Protocol):
    """A model in memory. `bytes` is what it takes; a model makes text or embeddings or both."""

    @property
    def bytes(self) -> int: ...
    @property
    def text(self) -> TextEngine: ...
    @property
    def embeddings(self) -> EmbeddingEngine: ...

    async def tokenize(self, text: str) -> list[int]: ...
    async def detokenize(self, ids: Sequence[int]) -> str: ...
    async def count_chat(self, body: Json) -> int | None: ...
    async def stop(self) -> None: ...


class Loader(Protocol):
    """Brings models into memory. `estimate` says beforehand how many bytes that may take."""

    def estimate(self, entry: Entry) -> int: ...
    async def load(self, entry: Entry) -> Running: ...


@dataclass(eq=False, slots=True)
class _Seat:
    """A model's place in memory. `task` ends when the model can answer; `admitted` once the budget
    has room for it; `turn` says when it was last used."""

    entry: Entry
    bytes: int
    task: "asyncio.Task[Running]"
    admitted: bool = False
    uses: int = 0
    turn: int = 0

    @property
    def loaded(self) -> bool:
        task = self.task
        return task.done() and not task.cancelled() and task.exception() is None


class Residence:
    """The models in memory, within `budget` bytes. `wait_seconds` bounds the wait for memory."""

    def __init__(self, loader: Loader, budget: int, *, wait_seconds: float = 120.0) -> None:
        self._loader = loader
        self._budget = budget
        self._wait_seconds = wait_seconds
        self._seats: dict[str, _Seat] = {}
        self._leaving: dict[_Seat, asyncio.Task[None]] = {}
        self._turns = count()
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def use(self, entry: Entry) -> AsyncGenerator[Running]:
        """The running model, which stays in memory for the length of the block.

        Raises `Unavailable` when it cannot be loaded.
        """
        seat = self._seat(entry)
        seat.uses += 1
        try:
            yield await asyncio.shield(seat.task)
        finally:
            seat.uses -= 1
            seat.turn = next(self._turns)
            self._changed.set()

    def begin(self, entry: Entry) -> "asyncio.Task[Running]":
        """Load in the background."""
        return self._seat(entry).task

    def state(self, id: str) -> State:  # noqa: A002 - what it is called everywhere
        """Whether the model is in memory."""
        seat = self._seats.get(id)
        if seat is None:
            return "not loaded"
        return "loaded" if seat.loaded else "loading"

    def retire(self, id: str) -> None:  # noqa: A002 - likewise
        """Unload a model when nobody uses it any more; who asks for it from now on loads it
        anew."""
        seat = self._seats.pop(id, None)
        if seat is not None:
            self._leave(seat, at_once=False)

    async def close(self) -> None:
        """Unload everything."""
        seats, self._seats = list(self._seats.values()), {}
        await asyncio.gather(*(self._leave(seat) for seat in (*seats, *self._leaving)))

    def _seat(self, entry: Entry) -> _Seat:
        seat = self._seats.get(entry.id)
        if seat is None:
            size = self._loader.estimate(entry)
            task = asyncio.create_task(self._load(entry))  # begins after the next line
            seat = self._seats[entry.id] = _Seat(entry, size, task, turn=next(self._turns))
        return seat

    async def _load(self, entry: Entry) -> Running:
        seat = self._seats[entry.id]
        try:
            await self._make_space(seat)
            running = await self._loader.load(entry)
        except BaseException:
            if self._seats.get(entry.id) is seat:
                del self._seats[entry.id]
            self._changed.set()
            raise
        seat.bytes = running.bytes
        return running

    async def _make_space(self, seat: _Seat) -> None:
        """Unload idle models until the seat is within the budget."""
        name, size = seat.entry.id, seat.bytes
        if size > self._budget:
            raise Unavailable(
                f"The model `{name}` needs about {size >> 20} MiB, and the memory budget is "
                f"{self._budget >> 20} MiB.",
                code="model_does_not_fit",
            )
        try:
            async with asyncio.timeout(self._wait_seconds):
                while self._taken() + size > self._budget:
                    await self._unload_one()
        except TimeoutError:
            raise Unavailable(
                f"The model `{name}` waits for memory that others use.",
                code="model_overloaded",
                headers={"Retry-After": "10"},
            ) from None
        seat.admitted = True

    def _taken(self) -> int:
        seats = (*self._seats.values(), *self._leaving)
        return sum(seat.bytes for seat in seats if seat.admitted)

    async def _unload_one(self) -> None:
        """Unload who was idle longest; if nobody is, wait until something changes."""
        idle = [seat for seat in self._seats.values() if not seat.uses and seat.loaded]
        if idle:
            seat = min(idle, key=lambda seat: seat.turn)
            del self._seats[seat.entry.id]
            await asyncio.shield(self._leave(seat))
        else:
            self._changed.clear()
            await self._changed.wait()

    def _leave(self, seat: _Seat, *, at_once: bool = True) -> "asyncio.Task[None]":
        """Unload a seat; its memory counts until it is free. Whoever gives up waiting for it does
        not stop it."""
        earlier = self._leaving.get(seat)
        if earlier is not None and at_once:
            earlier.cancel()
        task = self._leaving[seat] = asyncio.create_task(self._unload(seat, at_once=at_once))
        return task

    async def _unload(self, seat: _Seat, *, at_once: bool) -> None:
        while seat.uses and not at_once:
            self._changed.clear()
            await self._changed.wait()
        try:
            seat.task.cancel()
            await asyncio.wait([seat.task])
            if seat.loaded:
                await seat.task.result().stop()
        finally:
            del self._leaving[seat]
            self._changed.set()
