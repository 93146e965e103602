"""The HTTP client, against a raw server that says exactly what a test wants."""

import asyncio
from pathlib import Path

import pytest
from tests.engines.raw import CHUNKED, SIZED, Raw, fetch

from inhouse.engines.wire import (
    ConnectFailed,
    Limits,
    Origin,
    Wire,
    WireError,
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host:8000/v1", Origin("host", 8000, prefix="/v1")),
        ("http://host/v1/", Origin("host", 80, prefix="/v1")),
        ("https://host", Origin("host", 443, tls=True)),
        ("http://[::1]:80/v1", Origin("::1", 80, prefix="/v1")),
        ("unix:///run/e.sock", Origin("localhost", socket="/run/e.sock", prefix="/v1")),
        ("unix:///run/e.sock:/api", Origin("localhost", socket="/run/e.sock", prefix="/api")),
        ("unix:///run/e.sock:", Origin("localhost", socket="/run/e.sock", prefix="")),
    ],
)
def test_a_base_url_is_read(url: str, expected: Origin) -> None:
    assert Origin.parse(url) == expected


@pytest.mark.parametrize("url", ["ftp://x", "host:80", "unix://relative", "http://", ""])
def test_what_is_no_base_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not an"):
        Origin.parse(url)


def test_the_host_header_names_a_port_only_where_it_is_unusual() -> None:
    hosts = ["http://a", "http://a:81", "https://a", "https://a:80", "http://[::1]:8", "unix:///s"]
    headers = [Origin.parse(url).host_header for url in hosts]
    assert headers == ["a", "a:81", "a", "a:80", "[::1]:8", "localhost"]


async def test_a_request_goes_out_whole(raw: Raw, wire: Wire, origin: Origin) -> None:
    response = await wire.request(
        origin, "POST", "/v1/x", headers=[("authorization", "Bearer k")], body=b'{"a":1}'
    )
    assert (response.status, await response.read()) == (200, b"ok")
    assert raw.requests == [
        f"POST /v1/x HTTP/1.1\r\nhost: 127.0.0.1:{origin.port}\r\nauthorization: Bearer k\r\n"
        'content-length: 7\r\n\r\n{"a":1}'.encode()
    ]


async def test_a_header_cannot_smuggle_another(wire: Wire, origin: Origin) -> None:
    with pytest.raises(ValueError, match="line break"):
        await wire.request(origin, "GET", "/", headers=[("x", "a\r\nb: c")])


@pytest.mark.parametrize("at", range(1, len(CHUNKED)))
async def test_an_answer_may_be_cut_at_any_byte(
    raw: Raw, wire: Wire, origin: Origin, at: int
) -> None:
    raw.answer = raw.say(CHUNKED[:at], CHUNKED[at:])
    assert await fetch(wire, origin) == b"hello world"


async def test_what_arrives_together_is_one_batch(raw: Raw, wire: Wire, origin: Origin) -> None:
    raw.answer = raw.say(CHUNKED)
    response = await wire.request(origin, "GET", "/")
    assert [batch async for batch in response] == [b"hello world"]
    response.close()


async def test_a_connection_is_used_again(raw: Raw, wire: Wire, origin: Origin) -> None:
    for _ in range(5):
        assert await fetch(wire, origin) == b"ok"
    assert (raw.connections, len(raw.requests)) == (1, 5)


async def test_requests_at_once_have_connections_of_their_own(
    raw: Raw, wire: Wire, origin: Origin
) -> None:
    assert await asyncio.gather(*(fetch(wire, origin) for _ in range(3))) == [b"ok"] * 3
    assert raw.connections == 3


async def test_a_server_that_says_close_is_not_used_again(
    raw: Raw, wire: Wire, origin: Origin
) -> None:
    raw.answer = raw.say(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
    await fetch(wire, origin)
    await fetch(wire, origin)
    assert raw.connections == 2


async def test_a_body_without_a_length_ends_with_the_connection(
    raw: Raw, wire: Wire, origin: Origin
) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        writer.close()

    raw.answer = answer
    assert await fetch(wire, origin) == b"all of it"


async def test_an_interim_answer_is_passed_over(raw: Raw, wire: Wire, origin: Origin) -> None:
    raw.answer = raw.say(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + SIZED)
    response = await wire.request(origin, "GET", "/")
    assert (response.status, response.headers) == (200, {"content-length": "2"})
    assert await response.read() == b"ok"


async def test_a_kept_connection_that_the_server_closed_is_replaced(
    raw: Raw, wire: Wire, origin: Origin
) -> None:
    await fetch(wire, origin)

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        raw.answer = raw.say(SIZED)

    raw.answer = hang_up  # the second request is read and dropped without a byte of an answer
    assert await fetch(wire, origin) == b"ok"
    assert (raw.connections, len(raw.requests)) == (2, 3)


async def test_a_slow_reader_is_not_an_idle_server(raw: Raw, wire: Wire, origin: Origin) -> None:
    raw.answer = raw.say(CHUNKED[:-20], CHUNKED[-20:])
    response = await wire.request(origin, "GET", "/", limits=Limits(first_byte=0.05, idle=0.05))
    await asyncio.sleep(0.2)
    assert await response.read() == b"hello world"


async def test_a_server_faster_than_its_reader_is_held_back(
    raw: Raw, wire: Wire, origin: Origin
) -> None:
    sent = 0

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\n")
        for _ in range(1024):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    raw.answer = flood
    response = await wire.request(origin, "GET", "/")
    await asyncio.sleep(0.3)
    assert sent < 32 * 1024 * 1024
    assert len(await response.read(2**27)) == 2**26


async def test_closing_an_answer_half_way_closes_the_connection(
    raw: Raw, wire: Wire, origin: Origin
) -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.001)

    raw.answer = endless
    response = await wire.request(origin, "GET", "/")
    assert await response.take()
    response.close()
    await asyncio.wait_for(raw.gone.wait(), 5)
    assert await response.take() == b""


async def test_cancelling_a_request_closes_the_connection(
    raw: Raw, wire: Wire, origin: Origin
) -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)

    raw.answer = hang
    task = asyncio.create_task(fetch(wire, origin))
    await asyncio.wait_for(raw.asked.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(raw.gone.wait(), 5)


async def test_an_answer_left_at_its_end_keeps_its_connection(
    raw: Raw, wire: Wire, origin: Origin
) -> None:
    async def late_end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED[:-5])
        await asyncio.sleep(0.02)
        writer.write(CHUNKED[-5:])

    raw.answer = late_end
    response = await wire.request(origin, "GET", "/")
    assert await response.take() == b"hello world"
    response.finish()
    await asyncio.sleep(0.1)
    raw.answer = raw.say(SIZED)
    assert await fetch(wire, origin) == b"ok"
    assert raw.connections == 1


async def test_nobody_listening_is_a_failed_connection(wire: Wire, tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    for origin in (Origin("127.0.0.1", port), Origin("localhost", socket=str(tmp_path / "none"))):
        with pytest.raises(ConnectFailed) as caught:
            await fetch(wire, origin)
        assert isinstance(caught.value, WireError)
        assert not caught.value.began


async def test_a_unix_socket_is_an_origin_like_any_other(
    raw: Raw, wire: Wire, tmp_path: Path
) -> None:
    path = str(tmp_path / "s")
    server = await asyncio.start_unix_server(raw.serve, path)
    assert await fetch(wire, Origin.parse(f"unix://{path}")) == b"ok"
    server.close()
    for writer in raw.writers:
        writer.close()


async def test_a_kept_connection_is_dropped_when_it_is_old(raw: Raw, origin: Origin) -> None:
    wire = Wire(keep_seconds=0)
    await fetch(wire, origin)
    await asyncio.sleep(0.01)
    await fetch(wire, origin)
    assert raw.connections == 2
    wire.close()
