"""What comes over a connection, and what goes back."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn

from inhouse.errors import APIError
from inhouse.http import frames
from inhouse.http.connected import HIGH_WATER
from inhouse.http.peer import ClientGone, Peer
from inhouse.http.protocol import LONGEST_HEAD, Protocol
from inhouse.http.request import Head

MOST = 64 * LONGEST_HEAD


class App:
    """Tells the size of what it is sent; some paths do other things."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()
        self.sent = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raise NotImplementedError

    async def exchange(self, head: Head, peer: Peer) -> None:
        peer.watch(self.lost.set)
        self.began.set()
        try:
            match head.path:
                case "/stream":
                    await self._stream(peer)
                case "/flood":
                    await self._flood(peer)
                case "/wait":
                    await self.go_on.wait()
                    await self._size(head, peer)
                case "/break":
                    peer.begin(200, b"")
                    await peer.send(b"half")
                case _:
                    await self._size(head, peer)
        except APIError as error:
            fields = frames.fields(error.headers.items())
            await peer.respond(error.status, fields, frames.body(error.envelope()))
        except ClientGone:
            self.lost.set()

    async def _size(self, head: Head, peer: Peer) -> None:
        size = len(await peer.body(MOST))
        told = f"{head.method} {head.path} {head.query()} {size}"
        await peer.respond(200, b"x-size: %d\r\n" % size, told.encode())

    async def _stream(self, peer: Peer) -> None:
        peer.begin(200, b"x-kind: stream\r\n")
        await peer.send(b"one")
        await peer.send(b"two")
        await peer.end(b"three")

    async def _flood(self, peer: Peer) -> None:
        peer.begin(200, b"")
        while not peer.lost:
            await peer.send(b"x" * 65536)
            self.sent += 65536


class Impatient(Protocol):
    """Waits a fifth of a second for a head, and as long for a client to read."""

    head_seconds = 0.2
    slowest_seconds = 0.2


class Echo(asyncio.Protocol):
    """In the place of a WebSocket: sends back the head that it is handed."""

    def __init__(self, **_: Any) -> None:
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"upgraded " + data)
        self.transport.close()


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
async def port(app: App) -> AsyncGenerator[int]:
    """The port of a server over `app`."""
    async with _serving(app, Protocol) as (port, _):
        yield port


@pytest.fixture
async def impatient(app: App) -> AsyncGenerator[int]:
    """The port of one that does not wait long for a head."""
    async with _serving(app, Impatient) as (port, _):
        yield port


@asynccontextmanager
async def _serving(
    app: App, protocol: type[Protocol], keep_alive: int = 5
) -> AsyncGenerator[tuple[int, Callable[[], Any]]]:
    config = uvicorn.Config(
        app,
        port=0,
        http=protocol,  # pyright: ignore[reportArgumentType]
        ws=Echo,  # pyright: ignore[reportArgumentType]
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
        timeout_keep_alive=keep_alive,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    yield server.servers[0].sockets[0].getsockname()[1], server.shutdown
    await server.shutdown()


async def _said(port: int, *pieces: bytes, pause: float = 0.01) -> bytes:
    """All that comes back, up to the connection's end or a fifth of a second of silence."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = b""
    with suppress(ConnectionError, TimeoutError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        while data := await asyncio.wait_for(reader.read(65536), 5 if not said else 0.2):
            said += data
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return said


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


# Heads


async def test_a_head_that_does_not_come_to_its_end_is_timed_out(impatient: int) -> None:
    said = await _said(impatient, b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
    assert said.startswith(b"HTTP/1.1 408 ")


async def test_a_connection_that_says_nothing_is_closed(impatient: int) -> None:
    assert await _said(impatient) == b""


async def test_a_body_that_does_not_come_to_its_end_is_given_up(impatient: int, app: App) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx"
    assert await _said(impatient, head) == b""
    assert app.lost.is_set()


async def test_an_answer_may_take_longer_than_a_head(impatient: int, app: App) -> None:
    asyncio.get_running_loop().call_later(0.5, app.go_on.set)
    head = b"POST /wait HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    said = await _said(impatient, head, b"1\r\nx\r\n", b"0\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200 ")


async def test_a_connection_with_a_request_is_kept_for_the_next_one(impatient: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient)
    for _ in range(3):
        writer.write(GET)
        assert (await reader.readuntil(b"GET / [] 0")).startswith(b"HTTP/1.1 200 ")
        await asyncio.sleep(0.25)
    writer.close()
    await writer.wait_closed()


async def test_a_connection_without_a_next_request_is_closed_in_time(app: App) -> None:
    async with _serving(app, Protocol, keep_alive=1) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        async with asyncio.timeout(5):
            said = await reader.read()
        assert said.endswith(b"GET / [] 0")
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


async def test_a_target_that_is_no_ascii_is_refused(port: int) -> None:
    assert (await _said(port, b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n")).startswith(
        b"HTTP/1.1 400 "
    )


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (b"/a%20b?c=d&e=", b"/a%20b [('c', 'd'), ('e', '')]"),
        (b"/a?b?c=1", b"/a [('b?c', '1')]"),
        (b"http://other:80/a?b=c", b"/a [('b', 'c')]"),
        (b"/a?b=c#d", b"/a [('b', 'c')]"),
    ],
)
async def test_path_and_query_are_told_apart(port: int, target: bytes, told: bytes) -> None:
    said = await _said(port, b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target)
    assert said.endswith(b"GET %b 0" % told)


# Bodies


async def test_a_body_may_be_longer_than_a_head(port: int) -> None:
    size = 4 * LONGEST_HEAD
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
    said = await _said(port, head, *[b"x" * LONGEST_HEAD] * 4)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"x-size: %d" % size in said


async def test_a_body_in_chunks_is_read(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    said = await _said(port, head, b"3\r\nabc\r\n", b"2\r\nde\r\n", b"0\r\n\r\n")
    assert b"x-size: 5\r\n" in said


async def test_a_body_in_chunks_that_is_too_large_ends_the_connection(port: int) -> None:
    chunk = b"%x\r\n%b\r\n" % (LONGEST_HEAD, b"x" * LONGEST_HEAD)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    said = await _said(port, head, *[chunk] * 66, pause=0)
    assert not said or said.startswith(b"HTTP/1.1 413 ")


async def test_a_body_that_nobody_asks_for_waits_at_the_client(port: int, app: App) -> None:
    size = 64 * HIGH_WATER
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.transport.set_write_buffer_limits(high=0)
    writer.write(b"POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
    writer.write(b"x" * size)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(writer.drain(), 0.3)
    app.go_on.set()
    async with asyncio.timeout(5):
        assert b"x-size: %d" % size in await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()


async def test_who_asks_whether_to_go_on_is_told_to(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    async with asyncio.timeout(5):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert b"x-size: 3" in await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()


# Answers


async def test_requests_that_do_not_wait_are_answered_one_after_the_other(port: int) -> None:
    paths = b"abcd"
    said = await _said(port, b"".join(b"GET /%c HTTP/1.1\r\nHost: a\r\n\r\n" % c for c in paths))
    assert [said.index(b"GET /%c [] 0" % c) for c in paths] == sorted(
        said.index(b"GET /%c [] 0" % c) for c in paths
    )
    assert said.count(b"HTTP/1.1 200 OK\r\n") == len(paths)


async def test_a_stream_is_chunked_and_the_connection_stays(port: int) -> None:
    said = await _said(port, b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", GET)
    head, _, rest = said.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert b"x-kind: stream" in head
    assert rest.startswith(b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n")


async def test_an_old_client_gets_a_stream_without_chunks(port: int) -> None:
    said = await _said(port, b"GET /stream HTTP/1.0\r\n\r\n")
    head, _, rest = said.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert b"connection: close" in head
    assert rest == b"onetwothree"


async def test_a_head_only_request_gets_no_body(port: int) -> None:
    said = await _said(port, b"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n")
    assert said.endswith(b"\r\n\r\n")
    assert b"content-length: 12\r\n" in said
    said = await _said(port, b"HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n")
    assert said.endswith(b"\r\n\r\n")


async def test_a_client_that_wants_the_connection_closed_has_its_way(port: int) -> None:
    said = await _said(port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", GET)
    assert said.count(b"HTTP/1.1 200") == 1
    assert b"connection: close\r\n" in said


async def test_an_answer_that_breaks_off_ends_the_connection(port: int) -> None:
    said = await _said(port, b"GET /break HTTP/1.1\r\nHost: a\r\n\r\n")
    assert said.endswith(b"4\r\nhalf\r\n")


async def test_a_client_that_does_not_read_is_waited_for(port: int, app: App) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.sleep(0.3)
    sent = app.sent
    await asyncio.sleep(0.3)
    assert app.sent == sent
    writer.transport.abort()
    async with asyncio.timeout(5):
        await app.lost.wait()


async def test_a_client_that_reads_nothing_for_too_long_is_dropped(app: App) -> None:
    async with _serving(app, Impatient) as (port, _):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(5):
            await app.lost.wait()
        writer.transport.abort()


async def test_a_client_that_goes_is_noticed_while_its_answer_is_made(port: int, app: App) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
    await app.began.wait()
    writer.transport.abort()
    async with asyncio.timeout(5):
        await app.lost.wait()
    app.go_on.set()


# The server's end, and other protocols


async def test_a_server_that_stops_finishes_what_it_answers(app: App) -> None:
    async with _serving(app, Protocol) as (port, shutdown):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        _, idle = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        await app.began.wait()
        stopping = asyncio.ensure_future(shutdown())
        await asyncio.sleep(0.05)
        app.go_on.set()
        async with asyncio.timeout(5):
            said = await reader.read()
            await stopping
        assert b"connection: close\r\n" in said
        assert said.endswith(b"GET /wait [] 0")
        writer.close()
        idle.close()


async def test_an_upgrade_to_websocket_is_handed_over_with_its_head(port: int) -> None:
    head = b"GET /ws?a=b HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
    said = await _said(port, head + b"Upgrade: WebSocket\r\nX-A: b\r\n\r\n")
    assert said.startswith(b"upgraded GET /ws?a=b HTTP/1.1\r\nhost: a\r\n")
    assert b"x-a: b\r\n" in said


async def test_an_upgrade_to_anything_else_is_answered_plainly(port: int) -> None:
    head = b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    said = await _said(port, head)
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert said.endswith(b"GET /a [] 0")
