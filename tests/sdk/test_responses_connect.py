"""client.responses.connect: Responses over a WebSocket, with the official client."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import openai
import pytest
from tests.conftest import House
from websockets.exceptions import InvalidStatus

from inhouse.engines.scripted import Scripted, Step, answer
from inhouse.engines.text import Finish, TextCall, ToolCall, Usage

if TYPE_CHECKING:
    from openai.resources.responses.responses import AsyncResponsesConnection

ENDS = {"response.completed", "response.incomplete", "response.failed", "error"}
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    "strict": False,
}


def echo(call: TextCall) -> list[Step]:
    """Says what was said so far, whoever said it; calls a tool that is there to be called."""
    messages = call.body["messages"]
    if call.body.get("tools") and messages[-1]["role"] == "user":
        called = ToolCall(0, 0, "{}", "call_1", "get_weather")
        return [[called], [Finish(0, "tool_calls"), Usage(input=1, output=1)]]
    said = [message["content"] for message in messages if message["role"] != "assistant"]
    return answer(*"-".join(str(text) for text in said), usage=Usage(input=1, output=1))


@pytest.fixture
def engine() -> Scripted:
    return Scripted(echo)


@pytest.fixture
async def connection(client: openai.AsyncOpenAI) -> AsyncIterator["AsyncResponsesConnection"]:
    async with asyncio.timeout(20), client.responses.connect() as opened:
        yield opened


async def rest(connection: "AsyncResponsesConnection") -> list[Any]:
    """The events up to the one that ends a response."""
    events: list[Any] = [await connection.recv()]
    while events[-1].type not in ENDS:
        events.append(await connection.recv())
    return events


async def test_a_response_comes_as_its_events(connection: "AsyncResponsesConnection") -> None:
    await connection.response.create(model="gpt-5.2", input="hi")
    events = await rest(connection)
    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(10))
    assert events[-1].response.output_text == "hi"


async def test_it_is_the_response_that_http_knows(
    connection: "AsyncResponsesConnection", client: openai.AsyncOpenAI
) -> None:
    await connection.response.create(model="gpt-5.2", input="one", metadata={"a": "b"})
    told = (await rest(connection))[-1].response
    stored = await client.responses.retrieve(told.id)
    assert stored == told
    await connection.response.create(
        model="gpt-5.2", input="two", previous_response_id=stored.id, store=True
    )
    second = (await rest(connection))[-1].response
    assert (second.output_text, second.previous_response_id) == ("one-two", told.id)
    third = await client.responses.create(
        model="gpt-5.2", input="three", previous_response_id=second.id
    )
    assert third.output_text == "one-two-three"


async def test_what_is_not_stored_is_continued_on_its_connection_only(
    connection: "AsyncResponsesConnection", client: openai.AsyncOpenAI
) -> None:
    await connection.response.create(model="gpt-5.2", input="one", store=False)
    first = (await rest(connection))[-1].response
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(first.id)
    await connection.response.create(
        model="gpt-5.2", input="two", previous_response_id=first.id, store=False
    )
    second = (await rest(connection))[-1].response
    assert (second.output_text, second.previous_response_id) == ("one-two", first.id)
    async with client.responses.connect() as other:
        await other.response.create(
            model="gpt-5.2", input="three", previous_response_id=second.id, store=False
        )
        (error,) = await rest(other)
        assert (error.type, error.error.code) == ("error", "previous_response_not_found")
        assert error.status == 400


async def test_an_unstored_response_may_be_continued_by_a_stored_one(
    connection: "AsyncResponsesConnection", client: openai.AsyncOpenAI
) -> None:
    await connection.response.create(model="gpt-5.2", input="one", store=False)
    first = (await rest(connection))[-1].response
    await connection.response.create(
        model="gpt-5.2", input="two", previous_response_id=first.id, store=True
    )
    second = (await rest(connection))[-1].response
    assert second.output_text == "one-two"
    assert await client.responses.retrieve(second.id) == second
    third = await client.responses.create(
        model="gpt-5.2", input="three", previous_response_id=second.id
    )
    assert third.output_text == "one-two-three"


@pytest.mark.parametrize("store", [True, False])
async def test_a_tools_turn(
    connection: "AsyncResponsesConnection",
    store: bool,  # noqa: FBT001 - a value of the API's
) -> None:
    await connection.response.create(model="gpt-5.2", input="hi", tools=[WEATHER], store=store)
    first = (await rest(connection))[-1].response
    (call,) = first.output
    assert (call.type, call.name) == ("function_call", "get_weather")
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    await connection.response.create(
        model="gpt-5.2",
        input=[output],
        tools=[WEATHER],
        previous_response_id=first.id,
        store=store,
    )
    assert (await rest(connection))[-1].response.output_text == "hi-sunny"


async def test_lanes_run_side_by_side(connection: "AsyncResponsesConnection") -> None:
    for lane in ("a", "b"):
        await connection.response.create(model="gpt-5.2", input=lane * 3, stream_id=lane)
    ended: dict[str, str] = {}
    while len(ended) < 2:
        event: Any = await connection.recv()
        if event.type == "response.completed":
            ended[event.stream_id] = event.response.output_text
    assert ended == {"a": "aaa", "b": "bbb"}


async def test_errors_say_what_is_wrong_and_the_connection_stays(
    connection: "AsyncResponsesConnection",
) -> None:
    await connection.response.create(model="nobody", input="hi")
    (error,) = await rest(connection)
    assert (error.status, error.error.code) == (404, "model_not_found")
    await connection.response.create(model="gpt-5.2", input="hi", temperature=7)
    (error,) = await rest(connection)
    assert (error.status, error.error.param) == (400, "temperature")
    await connection.response.create(model="gpt-5.2", input="hi", background=True)
    (error,) = await rest(connection)
    assert (error.status, error.error.param) == (400, "background")
    await connection.response.create(model="gpt-5.2", input="hi")
    assert (await rest(connection))[-1].type == "response.completed"


async def test_steering_is_given_back(connection: "AsyncResponsesConnection") -> None:
    await connection.response.create(model="gpt-5.2", input="hi")
    done = (await rest(connection))[-1].response
    await connection.response.steer(previous_response_id=done.id, input="Stop.")
    event: Any = await connection.recv()
    assert event.type == "response.steer.failed"
    assert event.error.code == "response_already_completed"
    assert event.steer.input == "Stop."


async def test_closing_in_the_middle_stops_the_model(
    client: openai.AsyncOpenAI, engine: Scripted
) -> None:
    engine.script = lambda _: [*answer("one")[:1], 30.0, *answer("two")]
    async with client.responses.connect() as connection:
        await connection.response.create(model="gpt-5.2", input="hi")
        created: Any = await connection.recv()
        response = created.response
        while (await connection.recv()).type != "response.output_text.delta":
            pass
    async with asyncio.timeout(5):
        stored = await client.responses.retrieve(response.id)
        while stored.status == "in_progress":
            await asyncio.sleep(0.02)
            stored = await client.responses.retrieve(response.id)
    assert (stored.status, engine.stopped) == ("cancelled", 1)


async def test_a_wrong_key_is_refused_at_the_handshake(house: House) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with house.client("sk-wrong").responses.connect():
            pass
    assert refused.value.response.status_code == 401
