"""Several turns as one: their choices numbered on, their usage added up."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import cast

import msgspec

from inhouse.agent.turn import Event, Events, Predicted
from inhouse.engines.text import Usage

AT_ONCE = 8
"""Turns of one request that run at the same time."""

Batch = Sequence[Event] | BaseException | None
"""What a turn hands over: events, what it failed of, or None at its end."""


async def merged(turns: Sequence[Events], choices: int) -> Events:
    """The batches of all turns as they come; turn k's choices start at k times `choices`.

    One usage comes at the end. The first failure ends all. Closing it closes every turn.
    """
    queue: asyncio.Queue[Batch] = asyncio.Queue(maxsize=2 * AT_ONCE)
    gate = asyncio.Semaphore(AT_ONCE)
    tasks = [
        asyncio.create_task(_pump(turn, at * choices, queue, gate)) for at, turn in enumerate(turns)
    ]
    used, running = Usage(0, 0), len(tasks)
    try:
        while running:
            batch = await queue.get()
            if batch is None:
                running -= 1
                continue
            if isinstance(batch, BaseException):
                raise batch
            used = _added(used, batch)
            yield [event for event in batch if not isinstance(event, Usage)]
        yield [used]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(
    turn: Events, base: int, queue: asyncio.Queue[Batch], gate: asyncio.Semaphore
) -> None:
    """Hand a turn's batches over, numbered from `base`, then its end."""
    async with gate, aclosing(turn):
        try:
            async for batch in turn:
                await queue.put([_moved(event, base) for event in batch])
            await queue.put(None)
        except Exception as error:  # noqa: BLE001 - raised again by the reader
            await queue.put(error)


def _moved(event: Event, base: int) -> Event:
    if not base or isinstance(event, Usage | Predicted):
        return event
    if isinstance(event, msgspec.Struct):
        return cast("Event", msgspec.structs.replace(event, choice=event.choice + base))
    return replace(event, choice=event.choice + base)


def _added(used: Usage, batch: Sequence[Event]) -> Usage:
    for event in batch:
        if isinstance(event, Usage):
            used = Usage(
                used.input + event.input,
                used.output + event.output,
                used.cached + event.cached,
                used.reasoning + event.reasoning,
            )
    return used
