import pytest

from inhouse.agent.merge import merged
from inhouse.agent.turn import Done, Event, take
from inhouse.clock import FrozenClock
from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.text import Text, TextCall, Usage
from inhouse.errors import ServerError
from inhouse.scope import Usage as Meter

CALL = TextCall("completion", {"prompt": "x"})


def turn(engine: Scripted, meter: Meter):
    return take(engine, CALL, meter, FrozenClock())


async def all_of(engines: list[Scripted], meter: Meter, choices: int = 1) -> list[Event]:
    turns = [turn(engine, meter) for engine in engines]
    return [event async for batch in merged(turns, choices) for event in batch]


async def test_choices_are_numbered_on_and_usage_comes_once_added_up() -> None:
    meter = Meter()
    engines = [Scripted(answer(text, choices=2, usage=Usage(3, 4, 1, 2))) for text in "ab"]
    events = await all_of(engines, meter, 2)
    assert sorted((e.choice, e.text) for e in events if isinstance(e, Text)) == [
        (0, "a"),
        (1, "a"),
        (2, "b"),
        (3, "b"),
    ]
    assert sorted(e.choice for e in events if isinstance(e, Done)) == [0, 1, 2, 3]
    assert [e for e in events if isinstance(e, Usage)] == [events[-1]] == [Usage(6, 8, 2, 4)]
    assert (meter.input, meter.output) == (6, 8)


async def test_more_turns_than_run_at_once_all_come_to_their_end() -> None:
    events = await all_of([Scripted(answer(str(n))) for n in range(50)], Meter())
    said = {e.choice: e.text for e in events if isinstance(e, Text)}
    assert said == {n: str(n) for n in range(50)}


async def test_the_first_failure_ends_all() -> None:
    slow = Scripted([[Text(0, "a")], 60.0, [Text(0, "b")]])
    with pytest.raises(ServerError, match="lost"):
        await all_of([slow, Scripted([ServerError("lost")])], Meter())
    assert slow.stopped == 1


async def test_closing_it_closes_every_engine() -> None:
    engines = [Scripted([[Text(0, "a")], 60.0, [Text(0, "b")]]) for _ in range(3)]
    events = merged([turn(engine, Meter()) for engine in engines], 1)
    await anext(events)
    await events.aclose()
    assert [engine.stopped for engine in engines if engine.calls] == [1] * 3
