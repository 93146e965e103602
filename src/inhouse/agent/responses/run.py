"""A run: turn after turn, until the model is done, needs its client, or has no tokens left.

One generator tells it (`turns`); `whole` and `streamed` read it for the client who waits. A
background run (`background.py`) is the same generator with another reader.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Protocol

import msgspec

from inhouse.agent.responses.hosted import Work
from inhouse.agent.responses.places import rename
from inhouse.agent.responses.telling import Telling
from inhouse.agent.responses.window import Window
from inhouse.agent.tools.tool import Outcome, Tool
from inhouse.agent.turn import Call, CallTools, take
from inhouse.clock import Clock
from inhouse.engines.text import Json
from inhouse.errors import BadRequest
from inhouse.ids import IdMaker
from inhouse.scope import Scope

PATIENCE_SECONDS = 0.25
"""How long a stream waits with its first event for what the engine refuses: that has a status."""

Events = AsyncGenerator[Sequence[Json], None]


class Keeper(Protocol):
    """Keeps a response: `open` before the model is asked, `begin` before the first event is told,
    `end` before the last, also of a response that came to nothing.
    """

    async def open(self, response: Json) -> None: ...

    async def begin(self, response: Json) -> None: ...

    async def end(self, response: Json) -> None: ...


class Run(msgspec.Struct, frozen=True):
    """One response in the making.

    `context` are the items that the model reads first; `window` makes the engine's calls of items;
    `tools` are those of the house, by the name under which the model calls them, and
    `most_calls` is how many of their calls are done.
    """

    scope: Scope
    telling: Telling
    window: Window
    context: Sequence[Json]
    clock: Clock
    ids: IdMaker
    tools: Mapping[str, Tool]
    most_calls: int | None = None


async def turns(run: Run) -> Events:
    """The events of all turns, without those that begin and end the response. Closing it ends the
    generation and every tool's call.
    """
    telling, items, done = run.telling, list(run.context), 0
    while True:
        async for batch in _compaction(run, items):
            yield batch
        if run.window.only_compacts:
            return
        before = len(telling.output)
        async with aclosing(_turn(run, items)) as batches:
            async for batch in batches:
                yield batch
        end = telling.end
        if not isinstance(end, CallTools):
            return
        calls = end.calls[: _room(run, done)]
        done += len(calls)
        work = Work(calls, run.tools, telling, run.scope)
        said = telling.output[before:]
        async with aclosing(work.events(run.ids)) as batches:
            async for batch in batches:
                yield batch
        if end.client or not calls:
            return
        items += [*said, *_answered(calls, work.outcomes)]


async def _turn(run: Run, items: Sequence[Json]) -> Events:
    """One call of the model; shortened and tried again as long as it is too long and may be."""
    window, telling = run.window, run.telling
    while True:
        call, said = await window.call(items), False
        turn = take(window.engine, call, run.scope.usage, run.clock, run.tools)
        try:
            async with aclosing(turn) as batches:
                async for batch in batches:
                    said = True
                    yield telling.tell(batch)
        except BadRequest as error:
            shorter = None if said else window.shorter(items, error)
            if shorter is None:
                rename(error, call.body, window.body, items)
                raise
            items = shorter
        else:
            return


async def _compaction(run: Run, items: list[Json]) -> Events:
    """Sum up what the model has read, if it is time: the item goes into the output and behind
    `items`.
    """
    if not await run.window.full(items):
        return
    telling = run.telling
    item: Json = {"id": run.ids("cmp_"), "type": "compaction", "encrypted_content": ""}
    index, told = telling.open(item)
    yield [*told, *telling.between(index, item, "compaction.compacting", {})]
    item, usage = await run.window.summed_up(items, item["id"])
    telling.usage = telling.usage.plus([usage])
    items.append(item)
    yield telling.close(index, item)


def _room(run: Run, done: int) -> int | None:
    """How many more calls of the house's tools are done; None if there is no limit."""
    return None if run.most_calls is None else run.most_calls - done


async def whole(run: Run, keeper: Keeper) -> Json:
    """The response, once it has ended. Raises what the engine raises."""
    telling = run.telling
    await keeper.open(telling.response)
    try:
        async with aclosing(turns(run)) as batches:
            async for _ in batches:
                pass
        telling.finish()
    except BaseException as error:
        await _end_badly(telling, error, keeper)
        raise
    await keeper.end(telling.response)
    return telling.response


async def streamed(run: Run, keeper: Keeper) -> Events:
    """The response's events, as they come.

    Raises what the engine raises before the first event; later `response.failed` tells it.
    """
    telling, begun = run.telling, False
    await keeper.open(telling.response)
    opening = telling.begin("created", "in_progress")
    shown = dict(telling.response)
    batches = turns(run)
    first = asyncio.ensure_future(anext(batches, None))
    try:
        await asyncio.wait({first}, timeout=PATIENCE_SECONDS)
        batch = first.result() if first.done() else None
        await keeper.begin(shown)
        begun = True
        yield opening
        batch = await first
        while batch is not None:
            yield batch
            batch = await anext(batches, None)
        last = telling.finish()
    except BaseException as error:
        last = await _end_badly(telling, error, keeper)
        if not begun or not isinstance(error, Exception):
            raise
    else:
        await keeper.end(telling.response)
    finally:
        if not first.done():
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
        await batches.aclose()
    yield last


async def _end_badly(telling: Telling, error: BaseException, keeper: Keeper) -> Sequence[Json]:
    """Keep what was made until `error`, or until the client went: the last event, if there is one
    to tell.
    """
    last: Sequence[Json] = ()
    if isinstance(error, Exception):
        last = telling.fail(error)
    else:
        telling.stop()
    await keeper.end(telling.response)
    return last


def _answered(calls: Sequence[Call], outcomes: Mapping[str, Outcome]) -> list[Json]:
    """The calls and their outputs as the model reads them in the next turn."""
    asked = [
        {
            "type": "function_call",
            "id": outcomes[call.id].item["id"],
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
            "status": "completed",
        }
        for call in calls
    ]
    outputs = [
        {"type": "function_call_output", "call_id": call.id, "output": outcomes[call.id].output}
        for call in calls
    ]
    return [*asked, *outputs]
