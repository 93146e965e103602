"""A turn: one call of a model, as deltas of its choices, each choice ending in one of four ways.

Done        the model said all it had to say
CallTools   it called tools that this house runs; the turn goes on once they have answered
NeedsClient it called tools that only the client can answer
Limit       it ran into the token limit

A turn knows no wire format. Chat and legacy completions are encoders over it.
"""

from collections.abc import (
    AsyncGenerator,
    Collection,
    Sequence,
)
from dataclasses import dataclass
from typing import Any, Literal

from inhouse.clock import Clock
from inhouse.engines.text import (
    Delta,
    Finish,
    Json,
    Reasoning,
    Refusal,
    Text,
    TextCall,
    TextEngine,
    ToolCall,
    Usage,
)
from inhouse.scope import Usage as Meter

_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Call:
    """A whole tool call. `arguments` is JSON text for a function, free text for a custom tool."""

    index: int
    id: str
    name: str
    arguments: str
    kind: Literal["function", "custom"] = "function"


@dataclass(frozen=True, slots=True)
class Done:
    """Choice `choice` is complete; `filtered` says that content was held back."""

    choice: int
    filtered: bool = False


@dataclass(frozen=True, slots=True)
class CallTools:
    """Choice `choice` waits for tools of the house; `client` are calls beside them that the client
    has to answer.
    """

    choice: int
    calls: tuple[Call, ...]
    client: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class NeedsClient:
    """Choice `choice` waits for the client to answer its calls."""

    choice: int
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """Choice `choice` has used up its tokens; what it has may be cut anywhere."""

    choice: int


@dataclass(frozen=True, slots=True)
class Predicted:
    """How many of the predicted tokens came true; says so before `Usage`."""

    accepted: int
    rejected: int


End = Done | CallTools | NeedsClient | Limit
Said = Text | Reasoning | Refusal | ToolCall
Event = Said | End | Predicted | Usage
Events = AsyncGenerator[Sequence[Event], None]
"""Batches, as the engine gave them. Closing it closes the engine's iterator at once."""


class _Calls:
    """The calls of all choices as they grow, and the translation of the engine's endings."""

    def __init__(self, hosted: Collection[str], meter: Meter) -> None:
        self._hosted = hosted
        self._meter = meter
        self._first: dict[tuple[int, int], ToolCall] = {}
        self._pieces: dict[tuple[int, int], list[str]] = {}
        self.counted = False

    def translate(self, batch: Sequence[Delta]) -> list[Event]:
        """The batch as events; calls and usage are taken note of."""
        return [self._event(delta) for delta in batch]

    def _event(self, delta: Delta) -> Event:
        if isinstance(delta, Finish):
            return self._end(delta)
        if isinstance(delta, ToolCall):
            key = delta.choice, delta.index
            if delta.id is not None or key not in self._first:
                self._first[key] = delta
            self._pieces.setdefault(key, []).append(delta.arguments)
        elif isinstance(delta, Usage):
            count(self._meter, delta)
            self.counted = True
        return delta

    def _end(self, finish: Finish) -> End:
        if finish.reason == "length":
            return Limit(finish.choice)
        calls = self._of(finish.choice) if self._first else ()
        if not calls:
            return Done(finish.choice, filtered=finish.reason == "content_filter")
        ours = tuple(call for call in calls if call.name in self._hosted)
        if not ours:
            return NeedsClient(finish.choice, calls)
        others = tuple(call for call in calls if call.name not in self._hosted)
        return CallTools(finish.choice, ours, others)

    def _of(self, choice: int) -> tuple[Call, ...]:
        return tuple(
            Call(key[1], first.id or "", first.name or "", "".join(self._pieces[key]), first.kind)
            for key, first in sorted(self._first.items())
            if key[0] == choice
        )


async def take(
    engine: TextEngine,
    call: TextCall,
    meter: Meter,
    clock: Clock,
    hosted: Collection[str] = frozenset(),
) -> Events:
    """Take one turn: yield the engine's batches, with endings in the place of finish reasons.

    `meter` is filled on the way, also when the reader goes before the model has counted: then by
    what came so far. The time to the first token is measured where deltas are wanted as they come.
    `hosted` names the tools that the house runs itself. Raises what the engine raises.
    """
    started = clock.monotonic() if call.body.get("stream") else None
    calls = _Calls(hosted, meter)
    heard = 0
    batches = engine.generate(call)
    try:
        async for batch in batches:
            if started is not None and meter.first_token_seconds is None:
                meter.first_token_seconds = clock.monotonic() - started
            heard += len(batch)
            for delta in batch:
                if type(delta) is not Text:
                    yield calls.translate(batch)
                    break
            else:
                yield batch  # pyright: ignore[reportReturnType] - nothing but text is in it
    finally:
        await batches.aclose()
        if heard and not calls.counted:
            count(meter, Usage(input=estimate(call.body), output=heard))


def count(meter: Meter, usage: Usage) -> None:
    """Add one call's tokens to what the request has used."""
    meter.input += usage.input
    meter.cached += usage.cached
    meter.output += usage.output
    meter.reasoning += usage.reasoning


def estimate(body: Json) -> int:
    """Tokens of a call's input, by its characters, where no one has counted them."""
    given: Any = body.get("messages") or body.get("prompt") or ""
    return _characters(given) // _CHARACTERS_PER_TOKEN


def _characters(value: Any) -> int:
    match value:
        case str():
            return 0 if value.startswith("data:") else len(value)
        case dict():
            return sum(_characters(each) for each in value.values())
        case list():
            return sum(_characters(each) for each in value)
        case int():
            return _CHARACTERS_PER_TOKEN
        case _:
            return 0
