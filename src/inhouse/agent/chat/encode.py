"""A chat turn as batches of chunks, or as one completion."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

import msgspec

from inhouse.agent.chat.choices import Choices
from inhouse.agent.chat.fold import Fold
from inhouse.agent.turn import Events
from inhouse.engines.text import Json

Keep = Callable[[Json], Awaitable[None]]
"""Takes the finished completion, before the client learns that it is finished."""


class Head(msgspec.Struct, frozen=True):
    """What every chunk of a completion, and the completion itself, begin with."""

    id: str
    created: int
    model: str
    fingerprint: str
    service_tier: str = "default"

    def of(self, kind: str) -> Json:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "service_tier": self.service_tier,
            "system_fingerprint": self.fingerprint,
        }


class Telling(msgspec.Struct, frozen=True):
    """How a completion is told.

    `legacy`: tool calls as `function_call`; `include_usage`: usage in a chunk of its own;
    `keep`: what to do with the completion before its end is told.
    """

    head: Head
    legacy: bool = False
    include_usage: bool = False
    keep: Keep | None = None


async def chunks(events: Events, telling: Telling) -> AsyncGenerator[Sequence[Json], None]:
    """Batches of `chat.completion.chunk`. Closing it ends the turn."""
    choices = Choices(legacy=telling.legacy)
    head = telling.head.of("chat.completion.chunk")
    tail: Json = {"usage": None} if telling.include_usage else {}
    fold = Fold() if telling.keep is not None else None
    async with aclosing(events):
        async for batch in events:
            told = choices.tell(batch)
            if fold is not None:
                fold.add(told)
            told = [{**head, "choices": [each], **tail} for each in told]
            if choices.usage is not None:
                if telling.keep is not None and fold is not None:
                    await telling.keep(_completion(telling.head, fold, choices))
                if telling.include_usage:
                    told.append({**head, "choices": [], "usage": choices.usage})
            yield told


async def completion(events: Events, telling: Telling) -> Json:
    """The turn to its end, as one `chat.completion`."""
    choices, fold = Choices(legacy=telling.legacy), Fold()
    try:
        async for batch in events:
            fold.add(choices.tell(batch))
    finally:
        await events.aclose()
    whole = _completion(telling.head, fold, choices)
    if telling.keep is not None:
        await telling.keep(whole)
    return whole


def _completion(head: Head, fold: Fold, choices: Choices) -> Json:
    return {
        **head.of("chat.completion"),
        "choices": fold.choices(),
        "usage": choices.usage,
    }
