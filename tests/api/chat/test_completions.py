"""Chat completions over the whole way: what a broken connection, a failure and a count leave."""

import asyncio
import json
from typing import Any

import pytest
from tests.asgi import Received, ask
from tests.conftest import KEY, House

from inhouse.app import edge
from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.text import Finish, Text, Usage
from inhouse.errors import RateLimited, ServerError, Unavailable

Json = dict[str, Any]
BODY: Json = {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}]}


async def post(
    house: House, body: Json, path: str = "/v1/chat/completions", gone: asyncio.Event | None = None
) -> Received:
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    raw = json.dumps(body).encode()
    return await ask(edge(house.services), "POST", path, headers=headers, body=raw, gone=gone)


async def used(house: House) -> list[tuple[int, int, int, int]]:
    """Input, cached, output and reasoning tokens of the requests so far."""
    return await house.services.database.read("SELECT input, cached, output, reasoning FROM usage")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
async def test_the_generation_stops_when_the_client_goes(
    house: House, engine: Scripted, stream: object, path: str
) -> None:
    gone = asyncio.Event()

    async def leave(_: float) -> None:
        gone.set()
        await asyncio.sleep(30)

    engine.script = [[Text(0, "Hel")], 1.0, [Text(0, "lo"), Finish(0, "stop"), Usage(1, 2)]]
    engine._sleep = leave
    body = BODY if "chat" in path else {"model": "scripted", "prompt": ["a", "b"]}
    async with asyncio.timeout(10):
        await post(house, {**body, "stream": stream}, path, gone)
    assert engine.stopped == len(engine.calls) > 0
    assert [(row[0] + row[2]) > 0 for row in await used(house)] == [True]


@pytest.mark.parametrize("stream", [True, False])
async def test_what_a_request_used_is_recorded_once(
    house: House, engine: Scripted, stream: object
) -> None:
    engine.script = answer("Hi", usage=Usage(100, 20, cached=64, reasoning=5))
    await post(house, {**BODY, "stream": stream})
    assert [tuple(row) for row in await used(house)] == [(100, 64, 20, 5)]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("error", [RateLimited("full"), Unavailable("later")])
async def test_an_engine_that_refuses_gives_its_own_status(
    house: House, engine: Scripted, stream: object, error: Exception
) -> None:
    engine.script = [error]
    got = await post(house, {**BODY, "stream": stream})
    assert got.status == error.status
    assert got.json()["error"]["message"] == str(error)


async def test_a_stream_that_fails_in_the_middle_ends_with_the_error(
    house: House, engine: Scripted
) -> None:
    engine.script = [[Text(0, "Hel")], ServerError("lost")]
    *_, last = (await post(house, {**BODY, "stream": True})).events()
    assert last["error"]["message"] == "lost"
    engine.script = answer("Hi")
    assert (await post(house, BODY)).status == 200


async def test_an_engine_that_fails_in_the_middle_of_an_answer_is_a_500(
    house: House, engine: Scripted
) -> None:
    engine.script = [[Text(0, "Hel")], ServerError("lost")]
    assert (await post(house, BODY)).status == 500


async def test_a_burst_is_written_at_once(house: House, engine: Scripted) -> None:
    engine.script = [[*[Text(0, str(n)) for n in range(50)], Finish(0, "stop"), Usage(1, 50)]]
    got = await post(house, {**BODY, "stream": True})
    assert len([piece for piece in got.pieces if piece]) == 2
    told = [e["choices"][0]["delta"].get("content") for e in got.events()[:-1]]
    assert told == ["", *[str(n) for n in range(50)], None]


async def test_a_full_disk_is_told_and_no_completion_is_told_as_stored(house: House) -> None:
    database = house.services.database
    pages = (await database.read("PRAGMA page_count"))[0][0]
    database._writer._connection.execute(f"PRAGMA max_page_count = {pages}")
    big = {"role": "user", "content": "x" * 100_000}
    body = {**BODY, "messages": [big], "store": True}
    got = await post(house, body)
    assert (got.status, got.json()["error"]["code"]) == (503, "storage_full")
    *_, last = (await post(house, {**body, "stream": True})).events()
    assert last["error"]["code"] == "storage_full"
    database._writer._connection.execute("PRAGMA max_page_count = 1000000")
    assert (await post(house, body)).status == 200
    assert len([each async for each in house.client().chat.completions.list()]) == 1
