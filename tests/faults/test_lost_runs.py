"""A process that stood still while another took it for dead contradicts nothing when it wakes."""

import asyncio
from typing import Any

import aiohttp
import pytest
from tests.conftest import House
from tests.faults.asking import Asker, frames
from tests.sdk.responding import slow

from inhouse.agent.responses.upkeep import Upkeep
from inhouse.stores.run_log import RunLog

Json = dict[str, Any]


async def _taken_for_dead(house: House) -> None:
    """Another process looks after responses, and does not know this one."""
    services = house.services
    await Upkeep(services.database, services.clock, "srv_other").round()


@pytest.mark.parametrize("deleted", [False, True])
async def test_a_stream_whose_response_was_failed_meanwhile_does_not_say_that_it_is_complete(
    house: House, session: aiohttp.ClientSession, *, deleted: bool
) -> None:
    asker = Asker(session, house.url, house.key)
    conversation = (await asker.post({}, "/conversations")).json()["id"]
    house.engine.script = slow("a", "b", pause=0.3)
    body = {"model": "scripted", "input": "Hi", "stream": True, "conversation": conversation}
    events: list[Json] = []
    path = ""
    async with asker.open(body, "/responses") as answer:
        async for event in frames(answer):
            events.append(event)
            if not path:
                path = f"/responses/{event['response']['id']}"
                if deleted:
                    await asker.post(None, path, "DELETE")
                else:
                    await _taken_for_dead(house)
    kept = await asker.get(path)
    if deleted:
        assert (kept.status, events[-1]["type"]) == (404, "response.completed")
        return
    assert (kept.json()["status"], events[-1]["type"]) == ("failed", "error")
    assert "response.completed" not in {event["type"] for event in events}
    assert (await asker.get(f"/conversations/{conversation}/items")).json()["data"] == []


async def test_a_reader_whose_log_is_deleted_gets_the_end_whatever_it_has_seen(
    house: House, session: aiohttp.ClientSession
) -> None:
    asker = Asker(session, house.url, house.key)
    house.engine.script = slow(*"abcdefghijklmnopqrst", pause=0.01)
    body = {"model": "scripted", "input": "Hi", "stream": True, "background": True}
    answer = await asker.post(body, "/responses")
    events = answer.events()
    path = f"/responses/{events[0]['response']['id']}?stream=true&starting_after="
    services = house.services
    await RunLog(services.database).prune(int(services.clock.now()) + 60)
    for seen in (1, 8, 20):
        again = (await asker.get(f"{path}{seen}")).events()
        assert again[0]["sequence_number"] == seen + 1
        assert again[-1]["response"] == events[-1]["response"]
        assert again[-1]["type"] == "response.completed"
    assert (await asker.get(f"{path}20")).events() == again[-1:]


async def test_an_answer_whose_response_was_failed_meanwhile_is_an_error(
    house: House, session: aiohttp.ClientSession
) -> None:
    asker = Asker(session, house.url, house.key)
    conversation = (await asker.post({}, "/conversations")).json()["id"]
    house.engine.script = slow("a", "b", pause=0.3)
    body = {"model": "scripted", "input": "Hi", "conversation": conversation}
    asked = asyncio.create_task(asker.post(body, "/responses"))
    await asyncio.sleep(0.3)
    await _taken_for_dead(house)
    answer = await asked
    assert (answer.status, answer.error["type"]) == (500, "server_error")
