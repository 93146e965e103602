"""Runs of background responses at their edges: cancelled, limited, deleted, read again."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from openai import AsyncOpenAI
from tests.conftest import House, running
from tests.sdk.conversing import stranger, texts
from tests.sdk.responding import create, ended, heard, refusal, slow

from inhouse.agent.responses.fold import Fold
from inhouse.engines.scripted import Scripted, Step, answer
from inhouse.engines.text import Finish, Reasoning, Refusal, Text, ToolCall, Usage
from inhouse.errors import RateLimited, ServerError
from inhouse.settings import Settings
from inhouse.stores.database import Statement

TOOLS: Any = [
    {"type": "function", "name": "add", "parameters": {"type": "object"}},
    {"type": "custom", "name": "look"},
]
EVERYTHING: list[Step] = [
    [Reasoning(0, "Let me "), Reasoning(0, "see.")],
    [Text(0, "So"), Text(0, "."), Refusal(0, "I'd "), Refusal(0, "rather not.")],
    [ToolCall(0, 0, '{"a"', "call_1", "add"), ToolCall(0, 0, ": 1}")],
    [ToolCall(0, 1, "he", "call_2", "look", "custom"), ToolCall(0, 1, "re", kind="custom")],
    [Finish(0, "tool_calls"), Usage(5, 7, 1, 2)],
]
"""A script with an item of every kind."""
Event = dict[str, Any]


async def followed(client: AsyncOpenAI, response_id: str, after: int | None = None) -> list[Event]:
    """The events of a stored response, to their end, as they came over the wire."""
    options: Any = {} if after is None else {"starting_after": after}
    stream = await client.responses.retrieve(response_id, stream=True, **options)
    return [event.to_dict() for event in await heard(stream)]


async def saying(client: AsyncOpenAI, response_id: str) -> Any:
    """A stream of the response, read up to its first text."""
    stream = await client.responses.retrieve(response_id, stream=True)
    async for event in stream:
        if event.type == "response.output_text.delta":
            return stream
    raise AssertionError("nothing was said")


async def asked(engine: Scripted, times: int = 1) -> None:
    """Until the model was asked."""
    async with asyncio.timeout(10):
        while len(engine.calls) < times:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def stopped(engine: Scripted) -> None:
    """Until the model was stopped."""
    async with asyncio.timeout(10):
        while not engine.stopped:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def numbers(events: Iterable[Event]) -> list[int]:
    return [event["sequence_number"] for event in events]


async def test_a_background_response_is_queued_and_completes(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    engine.script = slow("a", "b", before=0.2)
    made = await create(client, background=True, metadata={"a": "b"})
    assert (made.status, made.output, made.background) == ("queued", [], True)
    assert made.completed_at is None
    await asked(engine)
    under_way: Any = await client.responses.retrieve(made.id)
    assert (under_way.status, under_way.output) == ("in_progress", [])
    done = await ended(client, made.id)
    assert (done.status, done.output_text, done.metadata) == ("completed", "ab", {"a": "b"})
    assert done.usage.total_tokens == 5
    assert done.completed_at >= done.created_at


async def test_a_background_stream_tells_the_run_as_it_comes(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    engine.script = EVERYTHING
    stream = await create(client, background=True, stream=True, tools=TOOLS)
    events = [event.to_dict() for event in await heard(stream)]
    types = [event["type"] for event in events]
    assert types[:3] == ["response.created", "response.queued", "response.in_progress"]
    assert types[-1] == "response.completed"
    assert numbers(events) == list(range(len(events)))
    kept = (await client.responses.retrieve(events[0]["response"]["id"])).to_dict()
    assert events[-1]["response"] == kept
    assert Fold(events).output == kept["output"]
    assert len(Fold(events).output) == 4


async def test_events_come_while_the_run_goes_on(client: AsyncOpenAI, engine: Scripted) -> None:
    engine.script = slow("a", "b", pause=0.5)
    made = await create(client, background=True)
    stream = await saying(client, made.id)
    assert (await client.responses.retrieve(made.id)).status == "in_progress"
    assert (await heard(stream))[-1].response.output_text == "ab"


async def test_cancelling_before_the_start_means_that_the_model_is_never_asked(
    house: House, engine: Scripted
) -> None:
    client = house.client()
    await house.services.worker.close(0)
    made = await create(client, background=True)
    cancelled = await client.responses.cancel(made.id)
    assert (cancelled.status, cancelled.output) == ("cancelled", [])
    assert (await client.responses.retrieve(made.id)).to_dict() == cancelled.to_dict()
    events = await followed(client, made.id)
    assert [event["type"] for event in events] == ["response.created", "response.queued"]
    jobs = await house.services.database.read("SELECT state FROM jobs")
    assert jobs == [("cancelled",)]
    assert engine.calls == []


async def test_cancelling_in_prefill_stops_the_model(client: AsyncOpenAI, engine: Scripted) -> None:
    engine.script = slow("a", before=30)
    conversation = (await client.conversations.create()).id
    made = await create(client, background=True, conversation=conversation)
    await asked(engine)
    cancelled = await client.responses.cancel(made.id)
    assert (cancelled.status, cancelled.output) == ("cancelled", [])
    await stopped(engine)
    engine.script = answer("c")
    assert (await create(client, conversation=conversation)).output_text == "c"
    assert await texts(client, conversation) == ["Hi", "c"]


async def test_cancelling_in_decoding_keeps_what_was_said(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    thought: list[Step] = [[Reasoning(0, "Hm.")]]
    engine.script = [*thought, *slow("a", "b", pause=0.2), 30.0]
    made = await create(client, background=True)
    stream = await saying(client, made.id)
    cancelled: Any = await client.responses.cancel(made.id)
    assert cancelled.status == "cancelled"
    assert [item.type for item in cancelled.output] == ["reasoning", "message"]
    assert cancelled.output[1].status == "incomplete"
    assert cancelled.output_text in {"a", "ab"}
    await stopped(engine)
    assert all(event.type != "response.completed" for event in await heard(stream))
    assert (await client.responses.retrieve(made.id)).to_dict() == cancelled.to_dict()
    fold = Fold(await followed(client, made.id))
    assert not fold.ended
    said = [*fold.output, *fold.open][1]["content"][0]["text"]
    assert said == cancelled.output_text


async def test_cancelling_again_or_after_the_end_changes_nothing(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    made = await create(client, background=True)
    done = await ended(client, made.id)
    assert (await client.responses.cancel(made.id)).to_dict() == done.to_dict()
    engine.script = slow("a", before=30)
    made = await create(client, background=True)
    cancelled = await client.responses.cancel(made.id)
    assert (await client.responses.cancel(made.id)).to_dict() == cancelled.to_dict()


async def test_what_runs_in_the_foreground_or_elsewhere_is_not_cancelled(
    house: House, engine: Scripted
) -> None:
    client, other = house.client(), await stranger(house)
    made = await create(client)
    assert await refusal(client.responses.cancel(made.id)) == (400, "response_id", None)
    engine.script = slow("a", before=0.3)
    made = await create(client, background=True)
    assert await refusal(other.responses.cancel(made.id)) == (404, "response_id", None)
    assert await refusal(client.responses.cancel("resp_none")) == (404, "response_id", None)
    assert (await ended(client, made.id)).status == "completed"


async def test_a_reader_that_goes_away_stops_nothing_and_may_come_back(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    engine.script = slow("a", "b", "c", "d", pause=0.2)
    seen: list[Event] = []
    stream = await create(client, background=True, stream=True)
    async for event in stream:
        seen.append(event.to_dict())
        if event.type == "response.output_text.delta":
            break
    await stream.close()
    response_id = seen[0]["response"]["id"]
    rest = await followed(client, response_id, after=seen[-1]["sequence_number"])
    assert numbers([*seen, *rest]) == list(range(len(seen) + len(rest)))
    assert rest[-1]["response"]["output"][0]["content"][0]["text"] == "abcd"
    assert [*seen, *rest] == await followed(client, response_id)
    assert engine.stopped == 0


async def test_a_reader_may_come_when_the_run_has_ended(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    engine.script = EVERYTHING
    made = await create(client, background=True, tools=TOOLS)
    done = (await ended(client, made.id)).to_dict()
    events = await followed(client, made.id)
    assert Fold(events).response == done
    for after in (0, 5, len(events) - 2, len(events) - 1, 10**6):
        assert await followed(client, made.id, after) == events[after + 1 :]


@pytest.mark.parametrize("end", ["completed", "incomplete", "failed", "cancelled"])
async def test_events_made_again_tell_what_the_log_told(
    house: House, engine: Scripted, end: str
) -> None:
    client = house.client()
    endings: dict[str, list[Step]] = {
        "completed": EVERYTHING[-1:],
        "incomplete": [[Finish(0, "length"), Usage(5, 7)]],
        "failed": [ServerError("lost")],
        "cancelled": [30.0],
    }
    engine.script = [*EVERYTHING[:-1], *endings[end]]
    made = await create(client, background=True, tools=TOOLS, metadata={"a": "b"})
    if end == "cancelled":
        stream = await client.responses.retrieve(made.id, stream=True)
        async for event in stream:
            if event.type == "response.custom_tool_call_input.delta":
                break
        await client.responses.cancel(made.id)
    done: Any = (await ended(client, made.id)).to_dict()
    assert done["status"] == end
    logged = await followed(client, made.id)
    await forget_the_log(house)
    again = await followed(client, made.id)
    assert numbers(again) == list(range(len(again)))
    assert again[:3] == logged[:3]
    assert Fold(again).output == done["output"]
    if end != "cancelled":
        assert Fold(again).response == Fold(logged).response == done
        assert Fold(logged).ended
        assert {event["type"] for event in again} == {event["type"] for event in logged}


async def forget_the_log(house: House) -> None:
    """Let the events of all runs grow old, and look after them."""
    database = house.services.database
    await database.write(Statement("UPDATE responses SET ended = 1 WHERE ended > 1", ()))
    await house.services.upkeep.round()
    assert await database.read("SELECT COUNT(*) FROM run_log") == [(0,)]


async def test_the_log_of_a_run_under_way_is_kept(house: House, engine: Scripted) -> None:
    client = house.client()
    engine.script = slow("a", "b")
    made = await create(client, background=True)
    await (await saying(client, made.id)).close()
    await house.services.upkeep.round()
    done = await ended(client, made.id)
    await house.services.upkeep.round()
    events = await followed(client, made.id)
    assert events[-1]["response"] == done.to_dict()


async def test_deleting_a_run_stops_it_and_leaves_nothing(house: House, engine: Scripted) -> None:
    client = house.client()
    conversation = (await client.conversations.create()).id
    engine.script = [*slow("a", "b", pause=0.1), 30.0]
    made = await create(client, background=True, conversation=conversation)
    stream = await saying(client, made.id)
    await client.responses.delete(made.id)
    await stopped(engine)
    left = await heard(stream)
    assert all(event.type != "response.completed" for event in left)
    assert await refusal(client.responses.retrieve(made.id)) == (404, "response_id", None)
    for table, column in (("items", "owner"), ("run_log", "run"), ("responses", "id")):
        sql = f"SELECT COUNT(*) FROM {table} WHERE {column} = ?"  # noqa: S608
        assert await house.services.database.read(sql, (made.id,)) == [(0,)]
    engine.script = answer("c")
    assert (await create(client, conversation=conversation)).output_text == "c"


@pytest.mark.parametrize("when", ["at once", "later"])
async def test_an_engine_that_fails_ends_the_response_as_failed(
    client: AsyncOpenAI, engine: Scripted, when: str
) -> None:
    said = [] if when == "at once" else slow("a")[:2]
    engine.script = [*said, ServerError("lost")]
    made = await create(client, background=True)
    failed = await ended(client, made.id)
    assert (failed.status, failed.error.code) == ("failed", "server_error")
    assert failed.output_text == ("" if when == "at once" else "a")
    assert (await followed(client, made.id))[-1]["response"] == failed.to_dict()
    assert len(engine.calls) == 1


async def test_a_busy_engine_ends_the_response_with_its_code(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    engine.script = [RateLimited("busy")]
    made = await create(client, background=True)
    failed = await ended(client, made.id)
    assert (failed.status, failed.error.code) == ("failed", "rate_limit_exceeded")


async def test_a_used_up_limit_postpones_the_run(settings: Settings, engine: Scripted) -> None:
    async with running(replace(settings, requests_per_minute=30), engine) as house:
        client = house.client()
        await spend(house)
        made = await create(client, background=True)
        await asyncio.sleep(0.3)
        assert (await client.responses.retrieve(made.id)).status == "queued"
        assert engine.calls == []
        assert (await ended(client, made.id)).status == "completed"
        jobs = await house.services.database.read("SELECT state, attempt FROM jobs")
        assert jobs[0][0] == "done"
        assert jobs[0][1] > 1


async def test_a_key_that_is_revoked_before_the_start_fails_the_run(
    settings: Settings, engine: Scripted
) -> None:
    async with running(replace(settings, requests_per_minute=30), engine) as house:
        access = house.services.access
        key = await access.create_key("short-lived")
        await spend(house)
        made = await create(house.client(key.value), background=True)
        await access.revoke_key(key.key.id)
        failed = await ended(house.client(), made.id)
        assert (failed.status, failed.error.code) == ("failed", "server_error")
        assert "no longer valid" in failed.error.message
        assert engine.calls == []


async def test_a_run_whose_predecessor_is_deleted_before_the_start_fails(
    settings: Settings, engine: Scripted
) -> None:
    async with running(replace(settings, requests_per_minute=30), engine) as house:
        client = house.client()
        first = await create(client)
        await spend(house)
        made = await create(client, background=True, previous_response_id=first.id)
        await client.responses.delete(first.id)
        failed = await ended(client, made.id)
        assert failed.status == "failed"
        assert len(engine.calls) == 1


async def spend(house: House) -> None:
    """Use up the project's requests of this minute but for one, or none if time has passed."""
    access = house.services.access
    principal = await access.authenticate(f"Bearer {house.key}", None, None)
    left = 30
    while left > 1:
        headers = dict(access.reserve(principal, "scripted", 0).headers)
        left = int(headers["x-ratelimit-remaining-requests"])
