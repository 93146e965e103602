"""The HTTP client against servers that fall silent, break off, or speak something else."""

import asyncio

import pytest
from tests.engines.raw import CHUNKED, Raw, fetch

from inhouse.engines.wire import (
    BadAnswer,
    Disconnected,
    Origin,
    TimedOut,
    Wire,
)


async def test_a_new_connection_that_the_server_drops_is_not_tried_again(
    raw: Raw, wire: Wire, origin: Origin
) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    raw.answer = hang_up
    with pytest.raises(Disconnected) as caught:
        await fetch(wire, origin)
    assert not caught.value.began
    assert len(raw.requests) == 1


async def test_a_request_is_not_repeated_once_an_answer_began(
    raw: Raw, wire: Wire, origin: Origin
) -> None:
    await fetch(wire, origin)

    async def half(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200")
        writer.close()

    raw.answer = half
    with pytest.raises(Disconnected) as caught:
        await fetch(wire, origin)
    assert caught.value.began
    assert len(raw.requests) == 2


async def test_an_answer_that_breaks_off_is_an_error(raw: Raw, wire: Wire, origin: Origin) -> None:
    async def half(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED[:-10])
        writer.close()

    raw.answer = half
    with pytest.raises(Disconnected):
        await fetch(wire, origin)


async def test_what_is_not_http_is_an_error(raw: Raw, wire: Wire, origin: Origin) -> None:
    raw.answer = raw.say(b"SSH-2.0-OpenSSH\r\n")
    with pytest.raises(BadAnswer):
        await fetch(wire, origin)


async def test_a_body_over_the_limit_is_refused(raw: Raw, wire: Wire, origin: Origin) -> None:
    raw.answer = raw.say(CHUNKED)
    response = await wire.request(origin, "GET", "/")
    with pytest.raises(BadAnswer):
        await response.read(limit=3)
    response.close()


async def test_silence_before_the_answer_times_out(raw: Raw, wire: Wire, origin: Origin) -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    raw.answer = hang
    with pytest.raises(TimedOut) as caught:
        await fetch(wire, origin, first_byte=0.05)
    assert not caught.value.began


async def test_silence_in_the_middle_times_out(raw: Raw, wire: Wire, origin: Origin) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED[:-20])
        await reader.read()

    raw.answer = stall
    with pytest.raises(TimedOut) as caught:
        await fetch(wire, origin, first_byte=5, idle=0.05)
    assert caught.value.began


async def test_headers_alone_are_no_first_byte(raw: Raw, wire: Wire, origin: Origin) -> None:
    """A server may send its headers at once and think for long: that is not idleness."""

    async def late(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _, body = CHUNKED.partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        await asyncio.sleep(0.1)
        writer.write(body)

    raw.answer = late
    assert await fetch(wire, origin, first_byte=5, idle=0.03) == b"hello world"
