"""Clients that go, stall or come in hundreds, over real connections."""

import asyncio
from dataclasses import replace

import aiohttp
import pytest
from tests.conftest import House, running
from tests.faults.asking import CHAT, STREAM, Asker, frames, said, until

from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.scripted_server import ScriptedServer
from inhouse.engines.text import Text
from inhouse.errors import ServerError
from inhouse.settings import Settings, Upstream

STREAMS = 200
CHUNKS = 20


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_goes_stops_the_generation(
    house: House, asker: Asker, engine: Scripted, stream: object
) -> None:
    engine.script = [[Text(0, "a")], 30.0, *answer("b")]
    task = asyncio.create_task(asker.post({**CHAT, "stream": stream}))
    await until(lambda: engine.calls)
    await asyncio.sleep(0.1)
    task.cancel()
    await until(lambda: engine.stopped == 1)
    rows = await house.services.database.read("SELECT status, output FROM usage")
    assert rows == [(499, 1)]
    engine.script = answer("again")
    assert said((await asker.post(STREAM)).events()) == "again"


async def test_a_client_that_goes_while_it_waits_is_never_asked_for(
    settings: Settings, engine: Scripted, session: aiohttp.ClientSession
) -> None:
    engine.script = [[Text(0, "a")], 0.5, *answer("b")]
    async with running(replace(settings, parallel=1), engine) as house:
        asker = Asker(session, house.url, house.key)
        first = asyncio.create_task(asker.post(STREAM))
        await until(lambda: len(engine.calls) == 1)
        second = asyncio.create_task(asker.post(STREAM))
        await asyncio.sleep(0.1)
        second.cancel()
        assert said((await first).events()) == "ab"
        await asyncio.sleep(0.1)
        assert len(engine.calls) == 1


async def test_a_client_that_does_not_read_holds_nobody_up(
    asker: Asker, engine: Scripted, house: House
) -> None:
    engine.script = lambda call: (
        [[Text(0, "x" * 50_000)] for _ in range(400)] if call.body.get("seed") else answer("quick")
    )
    host, port = house.url.split("/")[2].split(":")
    raw = b'{"model":"scripted","messages":[{"role":"user","content":"x"}],"stream":true,"seed":1}'
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {house.key}"
        f"\r\ncontent-type: application/json\r\ncontent-length: {len(raw)}\r\n\r\n"
    )
    _, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(head.encode() + raw)
    await until(lambda: engine.calls)
    for _ in range(20):
        assert said((await asker.post(STREAM)).events()) == "quick"
    assert engine.stopped == 0
    writer.transport.abort()
    await until(lambda: engine.stopped == 1)


async def test_a_client_that_goes_in_its_body_leaves_no_trace(house: House, asker: Asker) -> None:
    host, port = house.url.split("/")[2].split(":")
    for cut in (b"POST /v1/chat/compl", b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(cut)
        await writer.drain()
        writer.transport.abort()
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {house.key}\r\n"
        'content-type: application/json\r\ncontent-length: 1000\r\n\r\n{"model":'.encode()
    )
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.transport.abort()
    assert (await asker.post(CHAT)).status == 200


async def test_what_is_no_http_is_refused_and_the_server_lives(house: House, asker: Asker) -> None:
    host, port = house.url.split("/")[2].split(":")
    for noise in (b"\x00\xff\x16\x03\x01" * 10, b"GET / HTTP/9.9\r\n\r\n", b"x" * 70_000):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(noise + b"\r\n\r\n")
        async with asyncio.timeout(5):
            told = await reader.read()
        assert not told or told.startswith(b"HTTP/1.1 4")
        writer.close()
    assert (await asker.post(CHAT)).status == 200


async def test_an_engine_that_fails_mid_stream_ends_it_with_an_error_event(
    asker: Asker, engine: Scripted
) -> None:
    engine.script = [[Text(0, "Hel")], ServerError("lost")]
    *_, last = (await asker.post(STREAM)).events()
    assert last["error"]["message"] == "lost"
    engine.script = answer("Hi")
    assert said((await asker.post(STREAM)).events()) == "Hi"


async def test_hundreds_of_streams_at_once_come_whole_and_in_order(
    settings: Settings, engine: Scripted, session: aiohttp.ClientSession
) -> None:
    server = ScriptedServer(chunks=CHUNKS, delay=0.02)
    upstream = Upstream(name="up", base_urls=(await server.start(),), models=("remote",))
    async with running(replace(settings, upstreams=(upstream,)), engine) as house:
        asker = Asker(session, house.url, house.key)
        running_now, most = 0, 0

        async def hear() -> str:
            nonlocal running_now, most
            async with asker.open({**STREAM, "model": "remote"}) as stream:
                running_now += 1
                most = max(most, running_now)
                events = [event async for event in frames(stream)]
                running_now -= 1
            assert events[-1] == "[DONE]"
            assert len({event["id"] for event in events[:-1]}) == 1
            return said(events)

        texts = await asyncio.gather(*(hear() for _ in range(STREAMS)))
        assert set(texts) == {"".join(f"{n} " for n in range(CHUNKS))}
        assert most > STREAMS / 2
    await server.stop()
