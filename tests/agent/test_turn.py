import pytest

from inhouse.agent.turn import Call, CallTools, Done, Events, Limit, NeedsClient, estimate, take
from inhouse.clock import FrozenClock
from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.text import Finish, Text, TextCall, ToolCall, Usage
from inhouse.errors import ServerError
from inhouse.scope import Usage as Meter

BODY = {"messages": [{"role": "user", "content": "x" * 40}]}


def turn(script: object, meter: Meter | None = None, hosted: tuple[str, ...] = ()) -> Events:
    engine = Scripted(script)  # type: ignore[arg-type]
    return take(engine, TextCall("chat", BODY), meter or Meter(), FrozenClock(), hosted)


async def all_of(events: Events) -> list[object]:
    return [event async for batch in events for event in batch]


async def test_text_ends_in_done() -> None:
    events = await all_of(turn(answer("Hello", " you")))
    assert events == [Text(0, "Hello"), Text(0, " you"), Done(0), Usage(1, 2)]


async def test_a_token_limit_ends_in_limit_even_in_the_middle_of_a_call() -> None:
    script = [[ToolCall(0, 0, '{"a', "call_1", "add"), Finish(0, "length"), Usage(1, 1)]]
    assert (await all_of(turn(script)))[1] == Limit(0)


async def test_held_back_content_ends_in_done_and_filtered() -> None:
    assert (await all_of(turn(answer("x", finish="content_filter"))))[1] == Done(0, filtered=True)


CALLS = [
    [ToolCall(0, 0, '{"a":', "call_1", "add"), ToolCall(1, 0, "x", "call_9", "look", "custom")],
    [ToolCall(0, 0, "1}"), ToolCall(0, 1, "{}", "call_2", "search")],
    [Finish(0, "tool_calls"), Finish(1, "tool_calls"), Usage(3, 4)],
]
ADD = Call(0, "call_1", "add", '{"a":1}')
SEARCH = Call(1, "call_2", "search", "{}")


async def test_calls_of_the_clients_tools_end_in_needs_client_with_whole_arguments() -> None:
    ends = (await all_of(turn(CALLS)))[-3:-1]
    assert ends == [
        NeedsClient(0, (ADD, SEARCH)),
        NeedsClient(1, (Call(0, "call_9", "look", "x", "custom"),)),
    ]


async def test_calls_of_hosted_tools_end_in_call_tools_with_the_clients_calls_beside_them() -> None:
    assert (await all_of(turn(CALLS, hosted=("search",))))[-3] == CallTools(0, (SEARCH,), (ADD,))


async def test_a_turn_without_calls_never_waits_for_tools() -> None:
    assert (await all_of(turn([[Finish(0, "tool_calls"), Usage(1, 0)]])))[0] == Done(0)


async def test_usage_is_added_to_what_earlier_turns_used() -> None:
    meter = Meter(input=1, cached=2, output=3, reasoning=4)
    await all_of(turn([[Finish(0, "stop"), Usage(10, 20, 30, 40)]], meter))
    assert (meter.input, meter.output, meter.cached, meter.reasoning) == (11, 23, 32, 44)


@pytest.mark.parametrize(("stream", "seconds"), [(True, 2.0), (False, None)])
async def test_the_time_to_the_first_token_is_measured_once_and_in_streams(
    *, stream: bool, seconds: float | None
) -> None:
    clock, meter = FrozenClock(), Meter()

    async def pass_time(seconds: float) -> None:
        clock.advance(seconds)

    engine = Scripted([2.0, [Text(0, "a")], 3.0, [Text(0, "b")]], sleep=pass_time)
    async for _ in take(engine, TextCall("chat", {**BODY, "stream": stream}), meter, clock):
        pass
    assert meter.first_token_seconds == seconds


async def test_a_reader_who_goes_closes_the_engine_and_pays_for_what_was_said() -> None:
    meter = Meter()
    engine = Scripted(answer("a", "b", "c"))
    events = take(engine, TextCall("chat", BODY), meter, FrozenClock())
    await anext(events)
    await anext(events)
    await events.aclose()
    assert engine.stopped == 1
    assert (meter.input, meter.output) == (11, 2)


async def test_an_engine_that_fails_before_it_spoke_costs_nothing() -> None:
    meter = Meter()
    with pytest.raises(ServerError):
        await all_of(turn([ServerError("lost")], meter))
    assert meter.total == 0


async def test_an_estimate_counts_no_image_data() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4000}}
    text = {"type": "text", "text": "x" * 400}
    assert 100 <= estimate({"messages": [{"role": "user", "content": [text, image]}]}) < 120
    assert estimate({"prompt": [5, 6, 7]}) == 3
