"""Several turns as one: their choices numbered on, their usage added up."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import cast

import msgspec

from inhouse.agent.turn import Event, Events, Predicted
from inhouse.engines.interleave import interleaved
from inhouse.engines.text import Usage

AT_ONCE = 8
"""Turns of one request that run at the same time."""


async def merged(turns: Sequence[Events], choices: int) -> Events:
    """The batches of all turns as they come; turn k's choices start at k times `choices`.

    One usage comes at the end. The first failure ends all. Closing it closes every turn.
    """
    used = Usage(0, 0)
    async with aclosing(interleaved(turns, AT_ONCE)) as batches:
        async for at, batch in batches:
            used = used.plus(batch)
            yield [_moved(event, at * choices) for event in batch if not isinstance(event, Usage)]
    yield [used]


def _moved(event: Event, base: int) -> Event:
    if not base or isinstance(event, Usage | Predicted):
        return event
    if isinstance(event, msgspec.Struct):
        return cast("Event", msgspec.structs.replace(event, choice=event.choice + base))
    return replace(event, choice=event.choice + base)
