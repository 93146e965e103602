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
    async def count_chat(self, body: Json) -> int: ...
    async def stop(self) -> None: ...


class Loader(Protocol):
    """Brings models into memory. `estimate` says beforehand how many bytes that may take."""

    def estimate(self, entry: Entry) -> int: ...
    async def load(self, entry: Entry) -> Running: ...


@dataclass(eq=False, slots=True)
class _Seat:
    """A model's place in memory. `task` ends when the model can answer."""

    id: str
    bytes: int
    task: "asyncio.Task[Running]"
    uses: int = 0
    turn: int = 0


class Residence:
    """The models in memory, within `budget` bytes. `wait_seconds` bounds the wait for memory."""

    def __init__(self, loader: Loader, budget: int, *, wait_seconds: float = 120.0) -> None:
        self._loader = loader
        self._budget = budget
        self._wait_seconds = wait_seconds
        self._seats: dict[str, _Seat] = {}
        self._turns = count()
        self._space = asyncio.Lock()
        self._left = asyncio.Event()

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
            self._left.set()

    def begin(self, entry: Entry) -> "asyncio.Task[Running]":
        """Load in the background."""
        return self._seat(entry).task

    def state(self, id: str) -> State:  # noqa: A002 - what it is called everywhere
        """Whether the model is in memory."""
        seat = self._seats.get(id)
        if seat is None:
            return "not loaded"
        return "loaded" if _loaded(seat) else "loading"

    async def drop(self, id: str) -> None:  # noqa: A002 - likewise
        """Unload a model, whoever uses it."""
        seat = self._seats.pop(id, None)
        if seat is not None:
            await _stop(seat)

    async def close(self) -> None:
        """Unload everything."""
        seats, self._seats = list(self._seats.values()), {}
        await asyncio.gather(*(_stop(seat) for seat in seats))

    def _seat(self, entry: Entry) -> _Seat:
        seat = self._seats.get(entry.id)
        if seat is None:
            size = self._loader.estimate(entry)
            seat = _Seat(entry.id, size, asyncio.ensure_future(self._load(entry, size)))
            self._seats[entry.id] = seat
        return seat

    async def _load(self, entry: Entry, size: int) -> Running:
        try:
            async with self._space:
                await self._make_space(entry, size)
                running = await self._loader.load(entry)
        except BaseException:
            self._seats.pop(entry.id, None)
            raise
        seat = self._seats.get(entry.id)
        if seat is not None:
            seat.bytes = running.bytes
        return running

    async def _make_space(self, entry: Entry, size: int) -> None:
        """Unload idle models until `size` bytes are free within the budget."""
        if size > self._budget:
            raise Unavailable(
                f"The model `{entry.id}` needs about {size >> 20} MiB, and the memory budget is "
                f"{self._budget >> 20} MiB.",
                code="model_does_not_fit",
            )
        try:
            async with asyncio.timeout(self._wait_seconds):
                while self._taken(entry.id) + size > self._budget:
                    await self._unload_one()
        except TimeoutError:
            raise Unavailable(
                f"The model `{entry.id}` waits for memory that others use.",
                code="model_overloaded",
                headers={"Retry-After": "10"},
            ) from None

    def _taken(self, without: str) -> int:
        return sum(seat.bytes for seat in self._seats.values() if seat.id != without)

    async def _unload_one(self) -> None:
        idle = [seat for seat in self._seats.values() if not seat.uses and _loaded(seat)]
        if idle:
            await self.drop(min(idle, key=lambda seat: seat.turn).id)
        else:
            self._left.clear()
            await self._left.wait()


def _loaded(seat: _Seat) -> bool:
    return seat.task.done() and not seat.task.cancelled() and seat.task.exception() is None


async def _stop(seat: _Seat) -> None:
    seat.task.cancel()
    await asyncio.wait([seat.task])
    if _loaded(seat):
        await seat.task.result().stop()
