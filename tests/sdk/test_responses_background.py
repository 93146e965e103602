"""Background responses: nobody waits, everybody may read, cancel and come back."""

import asyncio
from typing import Any

import pytest
from openai import AsyncOpenAI
from tests.conftest import House
from tests.sdk.conversing import stranger, texts
from tests.sdk.responding import create, ended, heard, refusal, slow

from inhouse.agent.responses.fold import Fold
from inhouse.engines.scripted import Scripted, answer
from inhouse.errors import ServerError
from inhouse.stores import run_log
from inhouse.stores.database import Statement

Json = dict[str, Any]


async def begun(client: AsyncOpenAI, **asked: Any) -> Any:
    return await create(client, background=True, **asked)


async def asked_model(engine: Scripted, calls: int = 1) -> None:
    """Wait until the model was asked."""
    async with asyncio.timeout(10):
        while len(engine.calls) < calls:  # noqa: ASYNC110 - the engine knows no event
            await asyncio.sleep(0.01)


async def replayed(client: AsyncOpenAI, response_id: str, **options: Any) -> list[Json]:
    stream = await client.responses.retrieve(response_id, stream=True, **options)
    return [event.to_dict() for event in await heard(stream)]


async def test_the_request_is_answered_at_once_and_the_response_comes(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    engine.script = slow("a", "b", before=0.2)
    made = await begun(client, metadata={"a": "b"})
    assert (made.status, made.background, made.output) == ("queued", True, [])
    assert (await client.responses.retrieve(made.id)).status in {"queued", "in_progress"}
    done = await ended(client, made.id)
    assert (done.status, done.output_text, done.metadata) == ("completed", "ab", {"a": "b"})
    assert done.usage.output_tokens == 2


async def test_it_must_be_stored(client: AsyncOpenAI) -> None:
    assert await refusal(begun(client, store=False)) == (400, "background", None)


async def test_events_come_as_they_are_made_and_tell_the_object(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    engine.script = slow("a", "b")
    events = [e.to_dict() for e in await heard(await begun(client, stream=True))]
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["response.created", "response.queued", "response.in_progress"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    fold: Any = Fold(events)  # type: ignore[arg-type]
    kept = await client.responses.retrieve(fold.response["id"])
    assert fold.response == kept.to_dict()
    assert fold.output == fold.response["output"]


async def test_two_readers_and_one_who_comes_late_hear_the_same(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    engine.script = slow("a", "b", "c")
    made = await begun(client)
    first, second = await asyncio.gather(replayed(client, made.id), replayed(client, made.id))
    assert first == second == await replayed(client, made.id)
    assert first[-1]["type"] == "response.completed"


async def test_a_reader_that_was_cut_off_goes_on_where_it_was(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    engine.script = slow("a", "b", "c", "d", pause=0.1)
    stream = await begun(client, stream=True)
    seen: list[Json] = []
    async for event in stream:
        seen.append(event.to_dict())
        if event.type == "response.output_text.delta":
            break
    await stream.close()
    response_id = seen[0]["response"]["id"]
    seen += await replayed(client, response_id, starting_after=seen[-1]["sequence_number"])
    assert seen == await replayed(client, response_id)
    assert engine.stopped == 0


async def test_a_run_is_cancelled_while_the_model_reads(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    engine.script = slow("a", before=30)
    made = await begun(client)
    await asked_model(engine)
    stopped = await client.responses.cancel(made.id)
    assert (stopped.status, stopped.output) == ("cancelled", [])
    async with asyncio.timeout(5):
        while not engine.stopped:  # noqa: ASYNC110 - the engine knows no event
            await asyncio.sleep(0.01)
    assert (await ended(client, made.id)).status == "cancelled"
    assert [event["type"] for event in await replayed(client, made.id)][-1] != "response.completed"


async def test_a_run_is_cancelled_while_the_model_speaks(
    client: AsyncOpenAI, engine: Scripted
) -> None:
    conversation = (await client.conversations.create()).id
    engine.script = slow("a", "b", "c", pause=0.4)
    stream = await begun(client, stream=True, conversation=conversation)
    response_id = ""
    kinds = []
    async for event in stream:
        kinds.append(event.type)
        if event.type == "response.created":
            response_id = event.response.id
        if kinds.count("response.output_text.delta") == 1 and event.type.endswith("text.delta"):
            stopped: Any = await client.responses.cancel(response_id)
    assert stopped.status == "cancelled"
    assert stopped.output_text == "a"
    assert stopped.output[0].status == "incomplete"
    assert "response.completed" not in kinds
    assert (await client.responses.cancel(response_id)).to_dict() == stopped.to_dict()
    assert (await client.responses.retrieve(response_id)).to_dict() == stopped.to_dict()
    assert await texts(client, conversation) == []
    engine.script = answer("free")
    assert (await create(client, conversation=conversation)).output_text == "free"


async def test_cancelling_after_the_end_changes_nothing(client: AsyncOpenAI) -> None:
    made = await begun(client)
    done = await ended(client, made.id)
    assert (await client.responses.cancel(made.id)).to_dict() == done.to_dict()


async def test_only_background_responses_of_ones_own_are_cancelled(house: House) -> None:
    client = house.client()
    foreground = await create(client)
    assert await refusal(client.responses.cancel(foreground.id)) == (400, "response_id", None)
    made = await begun(client)
    foreign = (await stranger(house)).responses.cancel(made.id)
    assert await refusal(foreign) == (404, "response_id", None)
    assert (await ended(client, made.id)).status == "completed"


async def test_a_model_that_fails_fails_the_response(client: AsyncOpenAI, engine: Scripted) -> None:
    engine.script = [*slow("a")[:2], ServerError("lost")]
    done = await ended(client, (await begun(client)).id)
    assert (done.status, done.error.code, done.error.message) == ("failed", "server_error", "lost")
    assert done.output_text == "a"
    events = await replayed(client, done.id)
    assert events[-1]["type"] == "response.failed"
    assert events[-1]["response"] == done.to_dict()


async def test_deleting_stops_the_run(client: AsyncOpenAI, engine: Scripted) -> None:
    engine.script = slow("a", before=30)
    made = await begun(client)
    await asked_model(engine)
    await client.responses.delete(made.id)
    async with asyncio.timeout(5):
        while not engine.stopped:  # noqa: ASYNC110 - the engine knows no event
            await asyncio.sleep(0.01)
    assert (await refusal(client.responses.retrieve(made.id)))[0] == 404


async def test_events_are_made_again_when_their_log_is_gone(
    client: AsyncOpenAI, house: House
) -> None:
    made = await begun(client)
    done = await ended(client, made.id)
    logged = await replayed(client, made.id)
    await house.services.database.write(
        Statement("UPDATE responses SET ended = ended - 700 WHERE id = ?", (made.id,))
    )
    await house.services.upkeep.round()
    assert await run_log.RunLog(house.services.database).read(made.id, -1) == []
    again: Any = await replayed(client, made.id)
    assert Fold(again).response == done.to_dict() == Fold(logged).response  # type: ignore[arg-type]
    assert Fold(again).output == done.to_dict()["output"]
    rest = await replayed(client, made.id, starting_after=3)
    assert rest == again[4:]


async def test_a_revoked_key_ends_what_it_began(
    client: AsyncOpenAI, house: House, engine: Scripted
) -> None:
    services = house.services
    made = await services.access.create_key("short-lived")
    await services.worker.close()
    response = await begun(house.client(made.value))
    await services.access.revoke_key(made.key.id)
    await _work_again(house)
    done = await ended(client, response.id)
    assert done.status == "failed"
    assert "no longer valid" in done.error.message
    assert engine.calls == []


async def _work_again(house: House) -> None:
    """Start another worker, as the next process would."""
    from inhouse.jobs import Jobs, Worker  # noqa: PLC0415

    services = house.services
    jobs = Jobs(services.database, services.clock, services.ids)
    handlers = list(services.worker.handlers)
    services.worker = Worker(jobs, services.ids("srv_"), handlers)
    await services.worker.start()


def _message(text: str, status: str = "completed") -> Json:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [part],
    }


@pytest.mark.parametrize("left", ["nothing", "open", "closed"])
async def test_the_next_process_goes_on_from_a_closed_item_only(
    client: AsyncOpenAI, house: House, engine: Scripted, left: str
) -> None:
    services = house.services
    await services.worker.close()
    made = await begun(client)
    response = {**made.to_dict(), "status": "in_progress"}
    item = _message("seen")
    events: list[Json] = [{"type": "response.in_progress", "response": response}]
    if left != "nothing":
        shown = {**item, "status": "in_progress", "content": []}
        events.append({"type": "response.output_item.added", "output_index": 0, "item": shown})
    if left == "closed":
        events.append({"type": "response.output_item.done", "output_index": 0, "item": item})
    numbered = [{**event, "sequence_number": at} for at, event in enumerate(events, 2)]
    await services.database.write(run_log.appending(made.id, 1, numbered))
    engine.script = answer("anew")
    await _work_again(house)
    done = await ended(client, made.id)
    events_told = await replayed(client, made.id)
    assert [event["sequence_number"] for event in events_told] == list(range(len(events_told)))
    assert events_told[2 : 2 + len(numbered)] == [
        {**event, "sequence_number": at} for at, event in enumerate(events, 2)
    ]
    if left == "nothing":
        assert (done.status, done.output_text) == ("completed", "anew")
    elif left == "open":
        assert (done.status, done.error.code) == ("failed", "server_error")
        assert engine.calls == []
    else:
        assert (done.status, done.output_text) == ("completed", "seen")
        assert engine.calls == []


async def test_what_a_gone_process_ran_in_the_foreground_has_failed(
    client: AsyncOpenAI, house: House, engine: Scripted
) -> None:
    conversation = (await client.conversations.create()).id
    engine.script = slow("a", before=30)
    stream = await create(client, stream=True, conversation=conversation)
    response_id = ""
    async for event in stream:
        response_id = event.response.id
        break
    database = house.services.database
    await database.write(Statement("UPDATE responses SET server = 'srv_gone'"))
    await house.services.upkeep.round()
    failed = await client.responses.retrieve(response_id)
    assert failed.status == "failed"
    assert failed.error
    assert failed.error.code == "server_error"
    engine.script = answer("free")
    assert (await create(client, conversation=conversation)).output_text == "free"
    await stream.close()
