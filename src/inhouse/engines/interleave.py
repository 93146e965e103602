"""Several streams read at the same time, as one."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")

_AHEAD = 16
"""Items that the streams together may be ahead of the reader."""


async def interleaved(
    streams: Sequence[AsyncGenerator[T, None]], at_once: int
) -> AsyncGenerator[tuple[int, T], None]:
    """The items of all streams as they come, each with its stream's number.

    At most `at_once` streams run at the same time; the others begin as those end. The first failure
    ends all and is raised. Closing it closes every stream that has begun.
    """
    queue: asyncio.Queue[tuple[int, T] | Exception | None] = asyncio.Queue(_AHEAD)
    gate = asyncio.Semaphore(at_once)

    async def pump(number: int, stream: AsyncGenerator[T, None]) -> None:
        """Move a stream's items into the queue; at the end None, or the error that ended it."""
        end: Exception | None = None
        async with gate:
            try:
                async with aclosing(stream):
                    async for item in stream:
                        await queue.put((number, item))
            except Exception as error:  # noqa: BLE001 - it is raised where the items are read
                end = error
            await queue.put(end)

    tasks = [asyncio.create_task(pump(*each)) for each in enumerate(streams)]
    left = len(tasks)
    try:
        while left:
            said = await queue.get()
            if isinstance(said, Exception):
                raise said
            if said is None:
                left -= 1
            else:
                yield said
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
