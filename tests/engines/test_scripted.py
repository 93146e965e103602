"""The scripted engine does what its script says, and tells what was asked of it."""

import pytest

from inhouse.clock import FrozenClock
from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.text import Delta, Finish, Text, TextCall, Usage
from inhouse.errors import ServerError


async def collect(engine: Scripted, call: TextCall) -> list[Delta]:
    return [delta async for batch in engine.generate(call) for delta in batch]


CALL = TextCall("chat", {"messages": [{"role": "user", "content": "hello"}]})


async def test_an_answer_ends_with_one_finish_per_choice_and_the_usage() -> None:
    assert await collect(Scripted(answer("a", "b", choices=2, finish="length")), CALL) == [
        Text(0, "a"),
        Text(1, "a"),
        Text(0, "b"),
        Text(1, "b"),
        Finish(0, "length"),
        Finish(1, "length"),
        Usage(1, 4),
    ]


async def test_a_script_may_depend_on_the_call() -> None:
    engine = Scripted(lambda call: answer(call.body["messages"][0]["content"]))
    assert (await collect(engine, CALL))[0] == Text(0, "hello")
    assert engine.calls == [CALL]


async def test_pauses_pass_on_the_tests_own_clock() -> None:
    clock = FrozenClock(0)

    async def sleep(seconds: float) -> None:
        clock.advance(seconds)

    await collect(Scripted([1.5, 2, [Text(0, "late")]], sleep=sleep), CALL)
    assert clock.monotonic() == 3.5


async def test_a_failure_comes_where_the_script_has_it() -> None:
    engine = Scripted([[Text(0, "a")], ServerError("lost")])
    batches = engine.generate(CALL)
    assert await anext(batches) == [Text(0, "a")]
    with pytest.raises(ServerError):
        await anext(batches)
    assert engine.stopped == 0
