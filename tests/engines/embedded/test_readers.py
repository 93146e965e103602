"""Several answers put together as one."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from inhouse.engines.embedded.constraints import OURS
from inhouse.engines.embedded.grammars import Held
from inhouse.engines.embedded.readers import Batches, guarded, merged, numbered, with_calls
from inhouse.engines.text import (
    Delta,
    Finish,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    Usage,
)
from inhouse.errors import BadRequest, ServerError


class Answer:
    """Yields batches; a number is a pause, an error is raised. Knows whether it was closed."""

    def __init__(self, *steps: Sequence[Delta] | float | Exception) -> None:
        self._steps = steps
        self.ended = False

    async def batches(self) -> Batches:
        try:
            for step in self._steps:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, int | float):
                    await asyncio.sleep(step)
                else:
                    yield step
        finally:
            self.ended = True


async def collect(batches: Batches) -> list[Delta]:
    return [delta async for batch in batches for delta in batch]


async def test_every_delta_can_be_counted_from_elsewhere() -> None:
    deltas = [
        Text(0, "a", [{}]),
        Reasoning(0, "b"),
        Refusal(1, "c"),
        ToolCall(0, 0, "{", "id", "f", "custom"),
        Finish(1, "stop"),
        Usage(1, 2),
    ]
    assert await collect(numbered(Answer(deltas).batches(), 2)) == [
        Text(2, "a", [{}]),
        Reasoning(2, "b"),
        Refusal(3, "c"),
        ToolCall(2, 0, "{", "id", "f", "custom"),
        Finish(3, "stop"),
        Usage(1, 2),
    ]


async def test_answers_come_as_they_come_with_one_usage_at_the_end() -> None:
    slow = Answer([Text(0, "a")], 0.03, [Finish(0, "stop"), Usage(1, 2, 3, 4)])
    fast = Answer([Text(1, "b"), Finish(1, "stop")], [Usage(10, 20, 30, 40)])
    assert await collect(merged([slow.batches(), fast.batches()])) == [
        Text(0, "a"),
        Text(1, "b"),
        Finish(1, "stop"),
        Finish(0, "stop"),
        Usage(11, 22, 33, 44),
    ]


async def test_the_failure_of_one_ends_all() -> None:
    endless = Answer([Text(0, "a")], 60)
    failing = Answer(0.01, ServerError("lost"))
    with pytest.raises(ServerError):
        await collect(merged([endless.batches(), failing.batches()]))
    assert endless.ended


async def test_closing_the_whole_closes_its_parts() -> None:
    parts = [Answer([Text(0, "a")], 60), Answer(60)]
    batches = merged([part.batches() for part in parts])
    await anext(batches)
    await batches.aclose()
    assert parts[0].ended


async def test_a_reader_that_does_not_read_holds_the_answers_back() -> None:
    answer = Answer(*[[Text(0, str(at))] for at in range(1000)])
    batches = merged([answer.batches()])
    await anext(batches)
    await asyncio.sleep(0.02)
    assert not answer.ended
    await batches.aclose()


async def test_calls_are_read_choice_by_choice() -> None:
    answer = Answer(
        [Text(0, "hel"), Text(1, '<tool_call>{"name":"f",')],
        [Text(0, "lo"), Text(1, '"arguments":{}}')],
        [Finish(0, "stop"), Finish(1, "stop"), Usage(1, 1)],
    )
    deltas = await collect(with_calls(answer.batches(), OURS))
    assert "".join(each.text for each in deltas if isinstance(each, Text)) == "hello"
    assert [each for each in deltas if isinstance(each, Finish)] == [
        Finish(0, "stop"),
        Finish(1, "tool_calls"),
    ]
    calls = [each for each in deltas if isinstance(each, ToolCall)]
    assert (calls[0].choice, calls[0].name, calls[1].arguments) == (1, "f", "{}")


def held() -> Held:
    return Held("%llguidance {}\nstart: /[a-z]+/", "tools[0].function.parameters")


async def test_an_output_that_its_grammar_allows_passes() -> None:
    deltas = [Text(0, "ab"), Text(1, "x"), Text(0, "c"), Finish(0, "stop"), Usage(1, 1)]
    assert await collect(guarded(Answer(deltas).batches(), held())) == deltas


async def test_an_output_that_left_its_grammar_is_an_error() -> None:
    answer = Answer([Text(0, "ab")], [Text(0, "1")])
    batches = guarded(answer.batches(), held())
    assert await anext(batches) == [Text(0, "ab")]
    with pytest.raises(BadRequest) as caught:
        await anext(batches)
    assert caught.value.code == "grammar_too_complex"
    assert caught.value.param == "tools[0].function.parameters"
    assert answer.ended


async def test_a_large_grammar_compiles_beside_the_loop_and_once() -> None:
    words = " | ".join(f'"w{at}"' for at in range(20_000))
    large = Held(f"%llguidance {{}}\nstart: {words} | /[a-z]+/", "")
    deltas = [Text(0, ""), Usage(1, 1)]
    before = time.thread_time()
    assert await collect(guarded(Answer(deltas).batches(), large)) == deltas
    assert time.thread_time() - before < 0.1  # of the loop's own thread
    before = time.process_time()
    assert await collect(guarded(Answer(deltas).batches(), large)) == deltas
    assert time.process_time() - before < 0.1


async def test_an_output_with_thoughts_taken_out_is_not_followed() -> None:
    deltas = [Reasoning(0, "1"), Text(0, "2"), Usage(1, 1)]
    assert await collect(guarded(Answer(deltas).batches(), held())) == deltas
