"""What is ours in the WebSocket protocol: patience, and its end."""

import asyncio
import json
import logging
from contextlib import suppress

import pytest
from tests.http.lines import House, ask, rest, words
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.uri import parse_uri

from inhouse.http.websocket_protocol import WebSocketProtocol


async def mute(house: House) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that asks for a response and then says nothing more, to pings neither."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{house.port}/v1/responses"))
    request = protocol.connect()
    request.headers["Authorization"] = "Bearer good"
    protocol.send_request(request)
    writer.write(b"".join(protocol.data_to_send()))
    protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
    body = json.dumps({"type": "response.create", "model": "m", "input": "hold"})
    protocol.send_text(body.encode())
    writer.write(b"".join(protocol.data_to_send()))
    await house.begun.wait()
    return reader, writer


async def test_a_client_that_does_not_answer_pings_is_dropped() -> None:
    house = House()
    async with asyncio.timeout(10), house.serving(pings=0.1):
        reader, writer = await mute(house)
        while await reader.read(1000):
            pass
        await house.until(0)
        writer.close()
    assert house.cancelled == 1


async def test_a_client_whose_messages_wait_is_not_taken_for_dead() -> None:
    """Its answers to pings stand behind them."""
    house = House()
    async with asyncio.timeout(10), house.serving(pings=0.1), house.open() as line:
        await ask(line, "hold")
        await house.begun.wait()
        for _ in range(80):
            await ask(line, "x" * 1000)
        await asyncio.sleep(0.5)
        house.go.set()
        assert words(await rest(line)) == ["hold"]
        for _ in range(80):
            assert len(words(await rest(line))) == 1


class Impatient(WebSocketProtocol):
    end_seconds = 0.1


async def test_a_client_that_does_not_end_its_side_is_dropped() -> None:
    house = House()
    async with asyncio.timeout(5), house.serving(protocol=Impatient):
        reader, writer = await mute(house)
        for connection in list(house.server.server_state.connections):
            connection.shutdown()
        house.go.set()
        with suppress(ConnectionResetError):
            while await reader.read(1000):
                pass
        writer.close()
    assert house.running == house.cancelled == 0


async def upgrade(house: House, head: bytes) -> tuple[bytes, bytes]:
    """Ask for a WebSocket with `head`: the status line and the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(head + b"Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n")[0], answer.partition(b"\r\n\r\n")[2]


async def test_a_head_that_is_no_handshake_is_refused() -> None:
    house = House()
    get = b"GET /v1/responses HTTP/1.1\r\n"
    heads = {
        "a header too long": get + b"X: " + b"a" * 9000 + b"\r\n",
        "too many headers": get + b"X: a\r\n" * 200,
        "another method": b"POST /v1/responses HTTP/1.1\r\n",
        "no key": get,
        "another version": get + b"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 7\r\n",
    }
    async with asyncio.timeout(10), house.serving():
        for name, head in heads.items():
            status, body = await upgrade(house, head)
            assert status == b"HTTP/1.1 400 Bad Request", name
            assert b"WebSocket" in body, name
        assert not house.server.server_state.connections


async def test_a_refused_handshake_is_no_error_of_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House()
    async with asyncio.timeout(10), house.serving():
        with pytest.raises(InvalidStatus):
            async with house.open(key="bad"):
                pass
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
