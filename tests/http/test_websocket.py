"""Responses over a WebSocket: who may connect, what a message may be, how a connection ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from tests.http.lines import LIMIT, House, ask, hear, rest, words
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    async with asyncio.timeout(20), made.serving():
        yield made


async def test_a_client_that_goes_cancels_what_runs_for_it(house: House) -> None:
    async with house.open() as line:
        await ask(line, "hold", stream_id="a")
        await ask(line, "hold", stream_id="b")
        await ask(line, "never begun", stream_id="a")
        await house.until(2)
    await house.until(0)
    assert house.cancelled == 2
    assert len(house.bodies) == 2
    assert house.desk.settled == [0, 0]


async def test_a_connection_that_breaks_cancels_too(house: House) -> None:
    async with house.open() as line:
        await ask(line, "hold")
        await asyncio.wait_for(house.begun.wait(), 5)
        line.transport.abort()
        await house.until(0)
    assert house.cancelled == 1


async def test_a_flood_is_not_read_on_but_answered_in_the_end(house: House) -> None:
    """More requests than may wait stay in the socket, and the client has to wait."""
    async with house.open() as line:
        await ask(line, "hold")
        await asyncio.wait_for(house.begun.wait(), 5)
        sent = 0

        async def flood() -> None:
            nonlocal sent
            for number in range(3000):
                await ask(line, "x" * 5000, metadata={"n": str(number)})
                sent += 1

        flooding = asyncio.ensure_future(flood())
        await asyncio.sleep(0.3)
        assert sent < 3000
        assert len(house.bodies) == 1
        house.go.set()
        await rest(line)
        for number in range(50):
            await rest(line)
            assert house.bodies[number + 1]["metadata"] == {"n": str(number)}
        flooding.cancel()


async def test_a_flood_of_garbage_does_not_stop_other_connections(house: House) -> None:
    async with house.open() as noisy, house.open() as line:

        async def flood() -> None:
            while True:
                await noisy.send("garbage")

        flooding = asyncio.ensure_future(flood())
        await ask(line, "one two")
        assert words(await rest(line)) == ["one", "two"]
        flooding.cancel()


async def test_an_oversized_message_ends_the_connection(house: House) -> None:
    async with house.open() as line:
        await ask(line, "x" * LIMIT)
        with pytest.raises(ConnectionClosed) as closed:
            await line.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    assert house.bodies == []


async def test_a_message_in_too_many_pieces_ends_the_connection(house: House) -> None:
    async with house.open() as line:
        with suppress(ConnectionClosed):
            await line.send(iter(["x"] * 3000))
        await line.wait_closed()
    assert line.close_code == 1009


async def test_a_message_in_some_pieces_is_one(house: House) -> None:
    whole = json.dumps({"type": "response.create", "model": "m", "input": "one two"})
    async with house.open() as line:
        await line.send([whole[:9], whole[9:30], whole[30:]])
        assert words(await rest(line)) == ["one", "two"]


async def refused(opening: connect) -> tuple[int, Any]:
    with pytest.raises(InvalidStatus) as error:
        async with opening:
            pass
    response = error.value.response
    assert response.headers["x-request-id"].startswith("req_")
    return response.status_code, json.loads(response.body)["error"]["code"]


async def test_a_wrong_key_is_refused_at_the_handshake(house: House) -> None:
    assert await refused(house.open(key="bad")) == (401, "invalid_api_key")


async def test_another_path_has_no_websocket(house: House) -> None:
    for path in ("/v1/chat/completions", "/v1/responses/resp_1", "/", "/healthz"):
        assert await refused(house.open(path)) == (404, "unknown_url")


async def test_a_foreign_page_is_refused(house: House) -> None:
    page = house.open(Origin="https://attacker.example")
    assert await refused(page) == (403, "origin_not_allowed")
    assert await refused(house.open(Origin="null")) == (403, "origin_not_allowed")
    async with house.open(Origin=f"http://127.0.0.1:{house.port}"):
        pass


@pytest.mark.parametrize(("origins"), [["https://app.example"], ["*"]])
async def test_a_page_that_the_operator_named_may_connect(origins: list[str]) -> None:
    house = House()
    serving = house.serving(origins=origins)
    async with asyncio.timeout(10), serving, house.open(Origin="https://app.example") as line:
        await ask(line, "hi")
        assert words(await rest(line)) == ["hi"]


async def test_without_authentication_only_pages_of_this_machine_may_connect() -> None:
    house = House()
    async with asyncio.timeout(10), house.serving(loopback_only=True, origins=["*"]):
        page = house.open(Origin="https://attacker.example")
        assert await refused(page) == (403, "host_not_allowed")
        assert await refused(house.open(Host="attacker.example")) == (403, "host_not_allowed")
        async with house.open(Origin="http://localhost:3000") as line:
            await ask(line, "hi")
            assert words(await rest(line)) == ["hi"]


async def test_a_key_that_is_revoked_meanwhile_is_refused(house: House) -> None:
    async with house.open() as line:
        await ask(line, "hi")
        await rest(line)
        house.desk.good.clear()
        await ask(line, "hi")
        error = await hear(line)
        assert (error["status"], error["error"]["code"]) == (401, "invalid_api_key")


async def test_a_server_that_stops_lets_running_responses_end(house: House) -> None:
    async with house.open() as line, house.open() as idle:
        await ask(line, "hold one")
        await ask(line, "waiting")
        await asyncio.wait_for(house.begun.wait(), 5)
        for connection in list(house.server.server_state.connections):
            connection.shutdown()
        with pytest.raises(ConnectionClosed) as closed:
            await idle.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        house.go.set()
        assert words(await rest(line)) == ["hold", "one"]
        assert (await hear(line))["error"]["code"] == "server_shutting_down"
        with pytest.raises(ConnectionClosed) as closed:
            await line.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
