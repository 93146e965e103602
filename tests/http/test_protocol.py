"""What comes over a connection before there is a request."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn

from inhouse.http.protocol import LONGEST_HEAD, Protocol


async def _app(_scope: Any, receive: Any, send: Any) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    length = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-size", length)]})
    await send({"type": "http.response.body", "body": b""})


class Impatient(Protocol):
    """Waits a fifth of a second for a head."""

    head_seconds = 0.2


@pytest.fixture
async def port() -> AsyncGenerator[int]:
    """The port of a server that tells the size of what it is sent."""
    async with _serving(Protocol) as port:
        yield port


@pytest.fixture
async def impatient() -> AsyncGenerator[int]:
    """The port of one that does not wait long for a head."""
    async with _serving(Impatient) as port:
        yield port


@asynccontextmanager
async def _serving(protocol: type[Protocol]) -> AsyncGenerator[int]:
    config = uvicorn.Config(
        _app, port=0, http=protocol, ws="none", lifespan="off", log_config=None, access_log=False
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    yield server.servers[0].sockets[0].getsockname()[1]
    await server.shutdown()


async def _said(port: int, *pieces: bytes) -> bytes:
    """The answer to bytes, up to the connection's end or half a second of silence."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = b""
    try:
        async with asyncio.timeout(5):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
            said = await reader.read(65536)
    except ConnectionError:
        pass
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return said


async def test_a_head_that_does_not_come_to_its_end_is_timed_out(impatient: int) -> None:
    said = await _said(impatient, b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
    assert said.startswith(b"HTTP/1.1 408 ")


async def test_a_connection_that_says_nothing_is_closed(impatient: int) -> None:
    assert await _said(impatient) == b""


async def test_a_connection_with_a_request_is_kept_for_the_next_one(impatient: int) -> None:
    one = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient)
    for _ in range(3):
        writer.write(one)
        assert (await reader.readuntil(b"\r\n0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        await asyncio.sleep(0.25)
    writer.close()
    await writer.wait_closed()


async def test_a_head_without_end_is_refused(port: int) -> None:
    piece = b"a" * (LONGEST_HEAD // 2)
    said = await _said(port, b"GET / HTTP/1.1\r\nHost: a\r\nX: ", piece, piece, piece)
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert json.loads(body)["error"]["code"] == "request_headers_too_large"


async def test_trailers_without_end_are_refused(port: int) -> None:
    start = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    pieces = [b"x: %b\r\n" % (b"a" * (LONGEST_HEAD // 2))] * 3
    assert (await _said(port, start, *pieces)).startswith(b"HTTP/1.1 431 ")


async def test_a_body_may_be_longer_than_a_head(port: int) -> None:
    size = 4 * LONGEST_HEAD
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
    said = await _said(port, head, *[b"x" * LONGEST_HEAD] * 4)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"x-size: %d" % size in said


async def test_what_is_not_http_is_told_so_in_the_error_envelope(port: int) -> None:
    said = await _said(port, b"\x16\x03\x01\x02\r\n\r\n")
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"] == {
        "message": "Invalid HTTP request received.",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_http_request",
    }
