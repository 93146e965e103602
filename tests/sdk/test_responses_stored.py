"""Stored responses: retrieved, listed, gone on from, deleted."""

import asyncio
from typing import Any

import pytest
from openai import AsyncOpenAI
from tests.conftest import House
from tests.sdk.conversing import stranger, texts
from tests.sdk.covering import Covering
from tests.sdk.responding import create, ended, heard, refusal, slow

from inhouse.contract import Contract
from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.text import Finish, Reasoning, Text, ToolCall, Usage
from inhouse.errors import ServerError

parameter = Covering()
NAMES = ("responses.retrieve", "responses.input_items.list")


def test_every_parameter_has_a_test() -> None:
    assert parameter.names == {
        f"{spec.name} {field}"
        for spec in Contract.load().operations.values()
        if spec.name in NAMES
        for field in spec.query_schema["properties"]
    }


def calling(call_id: str = "call_1") -> Any:
    """A script that calls a function."""
    call = ToolCall(0, 0, "{}", call_id, "get_time")
    return [[call, Finish(0, "tool_calls"), Usage(2, 2)]]


def asked_of(engine: Scripted) -> list[Any]:
    """Role and content of the messages that the model read last."""
    return [(m["role"], m["content"]) for m in engine.calls[-1].body["messages"]]


async def test_a_stored_response_is_retrieved_as_it_was_answered(client: AsyncOpenAI) -> None:
    made = await create(client, metadata={"a": "b"}, instructions="Be kind.")
    assert (await client.responses.retrieve(made.id)).to_dict() == made.to_dict()


async def test_a_response_that_is_not_stored_is_not_found(client: AsyncOpenAI) -> None:
    made = await create(client, store=False)
    assert await refusal(client.responses.retrieve(made.id)) == (404, "response_id", None)
    asked = create(client, previous_response_id=made.id)
    expected = (400, "previous_response_id", "previous_response_not_found")
    assert await refusal(asked) == expected


async def test_a_streamed_response_is_stored_as_its_last_event_said(client: AsyncOpenAI) -> None:
    events = await heard(await create(client, stream=True))
    told = events[-1].response
    assert (await client.responses.retrieve(told.id)).to_dict() == told.to_dict()


@parameter("responses.retrieve include")
async def test_logprobs_and_sealed_reasoning_are_shown_to_who_includes_them(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    token = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}
    engine.script = [
        [Reasoning(0, "Hm."), Text(0, "Hi", [token]), Finish(0, "stop"), Usage(1, 2, 0, 1)]
    ]
    include: Any = ["reasoning.encrypted_content", "message.output_text.logprobs"]
    made = await create(client, include=include)
    plain: Any = await client.responses.retrieve(made.id)
    assert plain.output[0].encrypted_content is None
    assert plain.output[1].content[0].logprobs == []
    more: Any = await client.responses.retrieve(made.id, include=include)
    assert more.output[0].encrypted_content
    assert more.output[1].content[0].logprobs[0].logprob == -0.1


@parameter("responses.retrieve stream", "responses.retrieve starting_after")
async def test_events_of_a_stored_response_come_again_from_any_number(
    client: AsyncOpenAI,
) -> None:
    made = await create(client)
    events = await heard(await client.responses.retrieve(made.id, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].response.to_dict() == made.to_dict()
    for after in range(len(events)):
        rest = await client.responses.retrieve(made.id, stream=True, starting_after=after)
        assert [event.to_dict() for event in await heard(rest)] == [
            event.to_dict() for event in events[after + 1 :]
        ]


@parameter("responses.retrieve include_obfuscation")
async def test_events_come_padded_to_who_asks_for_it(client: AsyncOpenAI) -> None:
    made = await create(client)
    stream = await client.responses.retrieve(made.id, stream=True, include_obfuscation=True)
    deltas = [e for e in await heard(stream) if e.type == "response.output_text.delta"]
    assert all(event.obfuscation for event in deltas)


async def test_a_chain_of_responses_is_read_from_its_beginning(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    previous = None
    for number in range(3):
        engine.script = answer(f"Answer {number}")
        made = await create(
            client,
            input=f"Question {number}",
            instructions=f"Instruction {number}",
            previous_response_id=previous,
        )
        previous = made.id
    assert asked_of(engine) == [
        ("system", "Instruction 2"),
        ("user", "Question 0"),
        ("assistant", "Answer 0"),
        ("user", "Question 1"),
        ("assistant", "Answer 1"),
        ("user", "Question 2"),
    ]


@parameter(
    "responses.input_items.list after",
    "responses.input_items.list limit",
    "responses.input_items.list order",
)
async def test_input_items_are_listed_by_pages_in_both_orders(client: AsyncOpenAI) -> None:
    first = await create(client, input=[{"role": "user", "content": f"{n}"} for n in range(5)])
    second = await create(client, input="last", previous_response_id=first.id)
    listing = client.responses.input_items.list
    whole = [item async for item in listing(second.id, order="asc", limit=100)]
    told = [item.content[0].text for item in whole]  # type: ignore[union-attr]
    assert told == ["0", "1", "2", "3", "4", "Hello there.", "last"]
    ids = [item.id for item in whole]
    assert [item.id async for item in listing(second.id, order="asc", limit=2)] == ids
    assert [item.id async for item in listing(second.id, limit=3)] == ids[::-1]
    page = await listing(second.id, order="asc", after=ids[2] or "", limit=2)
    assert [item.id for item in page.data] == ids[3:5]
    assert page.has_more
    assert await refusal(_first(listing(second.id, after="msg_none"))) == (400, "after", None)
    assert (await refusal(_first(listing(second.id, limit=0))))[0] == 400


@parameter("responses.input_items.list include")
async def test_input_items_show_what_is_included(client: AsyncOpenAI, engine: Scripted) -> None:
    token = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}
    engine.script = [[Text(0, "Hi", [token]), Finish(0, "stop"), Usage(1, 1)]]
    include: Any = ["message.output_text.logprobs"]
    first = await create(client, include=include)
    second = await create(client, previous_response_id=first.id)
    listing = client.responses.input_items.list
    plain: Any = [item async for item in listing(second.id, order="asc")]
    assert plain[1].content[0].logprobs == []
    more: Any = [item async for item in listing(second.id, order="asc", include=include)]
    assert more[1].content[0].logprobs[0].logprob == -0.1


async def _first(pages: Any) -> Any:
    return await pages


async def test_an_item_may_be_named_in_place_of_being_sent(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    first = await create(client, input="Remember me.")
    reference: Any = {"type": "item_reference", "id": first.output[0].id}
    await create(client, input=[reference, {"role": "user", "content": "And?"}])
    assert asked_of(engine) == [("assistant", "Hello there."), ("user", "And?")]
    unknown: Any = {"type": "item_reference", "id": "msg_unknown"}
    assert await refusal(create(client, input=[unknown])) == (404, "input", None)


async def test_an_item_that_is_there_twice_is_refused(client: AsyncOpenAI) -> None:
    first = await create(client)
    reference: Any = {"type": "item_reference", "id": first.output[0].id}
    again = create(client, input=[reference], previous_response_id=first.id)
    assert await refusal(again) == (400, "input", None)


async def test_calls_and_their_outputs_belong_together(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    output: Any = {"type": "function_call_output", "call_id": "call_1", "output": "noon"}
    assert await refusal(create(client, input=[output])) == (400, "input", None)
    tools: Any = [{"type": "function", "name": "get_time", "parameters": {"type": "object"}}]
    engine.script = calling()
    asked = await create(client, tools=tools)
    engine.script = answer("It is noon.")
    left = create(client, input="And?", previous_response_id=asked.id, tools=tools)
    assert await refusal(left) == (400, "input", None)
    other: Any = {**output, "call_id": "call_2"}
    wrong = create(client, input=[other], previous_response_id=asked.id, tools=tools)
    assert await refusal(wrong) == (400, "input", None)
    done = await create(client, input=[output], previous_response_id=asked.id, tools=tools)
    assert done.output_text == "It is noon."
    assert engine.calls[-1].body["messages"][-1]["content"] == "noon"


async def test_what_another_project_keeps_is_not_there(house: House) -> None:
    client, other = house.client(), await stranger(house)
    made = await create(client)
    conversation = (await client.conversations.create()).id
    not_found = (404, "response_id", None)
    assert await refusal(other.responses.retrieve(made.id)) == not_found
    assert await refusal(other.responses.delete(made.id)) == not_found
    assert await refusal(other.responses.cancel(made.id)) == not_found
    assert (await refusal(_first(other.responses.input_items.list(made.id))))[0] == 404
    going_on = create(other, previous_response_id=made.id)
    assert (await refusal(going_on))[2] == "previous_response_not_found"
    assert (await refusal(create(other, conversation=conversation)))[0] == 404
    reference: Any = {"type": "item_reference", "id": made.output[0].id}
    assert (await refusal(create(other, input=[reference])))[0] == 404
    assert (await client.responses.retrieve(made.id)).id == made.id


async def test_a_deleted_response_is_gone_and_so_is_what_followed_it(client: AsyncOpenAI) -> None:
    first = await create(client)
    second = await create(client, previous_response_id=first.id)
    await client.responses.delete(first.id)
    assert await refusal(client.responses.retrieve(first.id)) == (404, "response_id", None)
    assert await refusal(client.responses.delete(first.id)) == (404, "response_id", None)
    expected = (400, "previous_response_id", "previous_response_not_found")
    assert await refusal(create(client, previous_response_id=first.id)) == expected
    assert await refusal(create(client, previous_response_id=second.id)) == expected
    assert (await client.responses.retrieve(second.id)).id == second.id


@pytest.mark.parametrize("end", ["failed", "cancelled", "in_progress"])
async def test_a_response_that_did_not_end_well_is_not_gone_on_from(
    client: AsyncOpenAI, engine: Scripted, end: str
) -> None:
    engine.script = [ServerError("lost")] if end == "failed" else slow("a", before=5)
    made = await create(client, background=True)
    if end == "failed":
        assert (await ended(client, made.id)).status == "failed"
    elif end == "cancelled":
        await client.responses.cancel(made.id)
    expected = (400, "previous_response_id", "previous_response_not_usable")
    assert await refusal(create(client, previous_response_id=made.id)) == expected
    if end == "in_progress":
        await client.responses.cancel(made.id)


async def test_a_conversation_takes_one_response_at_a_time(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    conversation = (await client.conversations.create()).id
    engine.script = slow("a", "b", before=0.3)
    first = asyncio.create_task(create(client, conversation=conversation))
    while not engine.calls:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    locked = (400, "conversation", "conversation_locked")
    assert await refusal(create(client, conversation=conversation)) == locked
    streamed = create(client, conversation=conversation, stream=True)
    assert await refusal(streamed) == locked
    background = create(client, conversation=conversation, background=True)
    assert await refusal(background) == locked
    assert (await first).output_text == "ab"
    engine.script = answer("c")
    await create(client, conversation=conversation, input="Again")
    assert await texts(client, conversation) == ["Hi", "ab", "Again", "c"]


async def test_a_response_that_fails_frees_its_conversation_and_leaves_nothing(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    conversation = (await client.conversations.create()).id
    engine.script = [ServerError("lost")]
    assert (await refusal(create(client, conversation=conversation)))[0] == 500
    engine.script = [*slow("a")[:2], ServerError("lost")]
    events = await heard(await create(client, conversation=conversation, stream=True))
    assert events[-1].type == "response.failed"
    assert events[-1].response.error.code == "server_error"
    assert await texts(client, conversation) == []
    engine.script = answer("c")
    assert (await create(client, conversation=conversation)).output_text == "c"


async def test_a_client_that_leaves_its_stream_stops_the_run(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    conversation = (await client.conversations.create()).id
    engine.script = slow("a", "b", "c", "d", "e", pause=0.3)
    stream = await create(client, conversation=conversation, stream=True)
    async for event in stream:
        if event.type == "response.created":
            response_id = event.response.id
        if event.type == "response.output_text.delta":
            break
    await stream.close()
    left = await ended(client, response_id)
    assert left.status == "cancelled"
    assert left.output_text in {"a", "ab"}
    assert engine.stopped == 1
    assert await texts(client, conversation) == []
    engine.script = answer("c")
    assert (await create(client, conversation=conversation)).output_text == "c"


async def test_deleting_a_response_under_way_leaves_nothing_behind(
    client: AsyncOpenAI, engine: Scripted, house: House
) -> None:
    engine.script = slow("a", "b", "c", pause=0.1)
    stream = await create(client, stream=True)
    events = []
    async for event in stream:
        events.append(event)
        if event.type == "response.output_text.delta" and event.delta == "a":
            await client.responses.delete(events[0].response.id)
    assert events[-1].type == "response.completed"
    response_id = events[0].response.id
    assert (await refusal(client.responses.retrieve(response_id)))[0] == 404
    rows = await house.services.database.read(
        "SELECT COUNT(*) FROM items WHERE owner = ?", (response_id,)
    )
    assert rows == [(0,)]
