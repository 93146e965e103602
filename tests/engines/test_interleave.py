"""Several streams are read as one, and end together."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from inhouse.engines.interleave import interleaved


class Streams:
    """Makes streams; knows how many run, how many ran at most, and which were closed."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.closed: list[str] = []

    async def of(self, name: str, *items: str | Exception) -> AsyncGenerator[str, None]:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            for item in items:
                await asyncio.sleep(0)
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.running -= 1
            self.closed.append(name)


async def test_each_stream_keeps_its_order_and_its_number() -> None:
    streams = Streams()
    given = [streams.of("a", "1", "2", "3"), streams.of("b"), streams.of("c", "4", "5")]
    seen = [item async for item in interleaved(given, 3)]
    assert [text for number, text in seen if number == 0] == ["1", "2", "3"]
    assert [text for number, text in seen if number == 2] == ["4", "5"]
    assert len(seen) == 5


async def test_no_more_run_at_once_than_may() -> None:
    streams = Streams()
    given = [streams.of(str(number), "x", "y") for number in range(9)]
    assert len([item async for item in interleaved(given, 2)]) == 18
    assert streams.most == 2


async def test_a_failure_ends_all() -> None:
    streams = Streams()
    endless = streams.of("endless", *["x"] * 10_000)
    with pytest.raises(ValueError, match="broken"):
        async for _ in interleaved([endless, streams.of("b", "y", ValueError("broken"))], 2):
            pass
    assert sorted(streams.closed) == ["b", "endless"]


async def test_closing_it_closes_what_has_begun() -> None:
    streams = Streams()
    given = [streams.of(str(number), *["x"] * 1000) for number in range(3)]
    async with aclosing(interleaved(given, 3)) as items:
        await anext(items)
    assert streams.running == 0


async def test_a_reader_that_waits_holds_the_streams_back() -> None:
    made = 0

    async def counted() -> AsyncGenerator[int, None]:
        nonlocal made
        for made in range(1, 1000):
            yield made

    async with aclosing(interleaved([counted()], 1)) as items:
        await anext(items)
        await asyncio.sleep(0.01)
        assert made < 50
