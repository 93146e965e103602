"""Upstreams that hang, reset, refuse, babble or are not there: each fails in its own clear way."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from tests.conftest import House, running
from tests.faults.asking import CHAT, STREAM, Asker, Json, said, until

from inhouse.engines.scripted import Scripted
from inhouse.engines.scripted_server import ScriptedServer
from inhouse.settings import Settings, Upstream

QUICK: Json = {"connect_seconds": 0.5, "first_byte_seconds": 0.5, "idle_seconds": 0.5} | {
    "probe": False
}
FAULTS = ["hang", "reset", "stall", "error", "cut", "nonsense", "overflow", "429", "500", "503"]
MODELS = ("remote", *(f"fault-{fault}" for fault in FAULTS), "fault-401", "fault-418")
WHOLE = "0 1 2 3 4 5 6 7 "


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(delay=0.005)
    yield server
    await server.stop()
    await asyncio.sleep(0)


class Behind:
    """A house behind which upstreams stand."""

    def __init__(self, house: House, asker: Asker) -> None:
        self.house = house
        self.asker = asker

    async def ask(self, model: str, *, stream: bool) -> Any:
        body = STREAM if stream else CHAT
        return await self.asker.post({**body, "model": model})


@pytest.fixture
async def behind(
    settings: Settings, engine: Scripted, session: aiohttp.ClientSession, server: ScriptedServer
) -> AsyncIterator[Behind]:
    url = await server.start()
    upstream = Upstream(name="up", base_urls=(url,), models=MODELS, retries=1, **QUICK)
    async with running(replace(settings, upstreams=(upstream,)), engine) as house:
        yield Behind(house, Asker(session, house.url, house.key))


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("hang", 503, None),
        ("429", 429, "rate_limit_exceeded"),
        ("500", 500, None),
        ("503", 503, None),
        ("401", 500, None),
        ("overflow", 400, "context_length_exceeded"),
    ],
)
async def test_a_refusal_before_the_answer_has_its_own_status(
    behind: Behind, fault: str, status: int, code: str | None, *, stream: bool
) -> None:
    started = time.monotonic()
    answer = await behind.ask(f"fault-{fault}", stream=stream)
    assert time.monotonic() - started < 3
    assert (answer.status, answer.error["code"]) == (status, code)
    if status in {429, 503}:
        assert int(answer.headers["retry-after"]) > 0
    assert (await behind.ask("remote", stream=stream)).status == 200


@pytest.mark.parametrize("fault", ["reset", "stall", "error", "cut", "nonsense"])
async def test_a_stream_that_breaks_in_the_middle_ends_with_one_error_event(
    behind: Behind, fault: str
) -> None:
    answer = await behind.ask(f"fault-{fault}", stream=True)
    assert answer.status == 200
    events = answer.events()
    assert events[-1]["error"]["type"] == "server_error"
    assert "[DONE]" not in events
    assert WHOLE.startswith(said(events[:-1]))
    assert said(events[:-1])
    whole = await behind.ask("remote", stream=True)
    assert said(whole.events()) == WHOLE


async def test_a_stream_that_has_begun_is_never_repeated(
    behind: Behind, server: ScriptedServer
) -> None:
    await behind.ask("fault-reset", stream=True)
    assert [path for path, _, _ in server.requests].count("/v1/chat/completions") == 1


async def test_an_answer_that_breaks_off_is_an_error_after_its_retries(behind: Behind) -> None:
    answer = await behind.ask("fault-reset", stream=False)
    assert answer.status == 503
    assert "cannot be reached" in answer.error["message"]


async def test_what_an_upstream_says_of_its_own_keys_is_not_passed_on(behind: Behind) -> None:
    answer = await behind.ask("fault-401", stream=False)
    assert b"scripted" not in answer.body.replace(b"fault-", b"")


async def test_a_client_that_goes_closes_the_upstreams_connection(
    behind: Behind, server: ScriptedServer
) -> None:
    server.delay = 5.0
    task = asyncio.create_task(behind.ask("remote", stream=True))
    await until(lambda: server.requests)
    await asyncio.sleep(0.1)
    task.cancel()
    await until(lambda: server.closed)


GARBAGE = [
    b"",
    b"\x00\x01\x02\x03" * 100,
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\nnull",
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]",
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{nonsense",
    b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n<html>hi</html>",
    b'HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{"choices":[{"a":1}]',
    b'HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{"choices":"nope"}',
    b'HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{"choices":[]}',
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 400 Bad\r\ncontent-length: 5\r\n\r\n\xff\xfe\x00{[",
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 13\r\n\r\n"
    b"data: \xff\xfe\x00\n\n1",
    b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 50_000,
]


@pytest.mark.parametrize("stream", [True, False])
async def test_garbage_is_an_error_of_the_server_and_never_a_defect(
    settings: Settings,
    engine: Scripted,
    session: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
    *,
    stream: bool,
) -> None:
    sent = b""

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10_000)
        writer.write(sent)
        writer.close()

    listener = await asyncio.start_server(babble, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    upstream = Upstream(name="up", base_urls=(url,), models=("remote",), retries=0, **QUICK)
    async with running(replace(settings, upstreams=(upstream,)), engine) as house:
        asker = Asker(session, house.url, house.key)
        for sent in GARBAGE:
            answer = await asker.post({**CHAT, "model": "remote", "stream": stream})
            if answer.status == 200:
                assert stream
                assert "error" in answer.events()[-1], sent[:80]
            else:
                assert answer.status in {400, 500, 503}, sent[:80]
                assert "Please report it" not in answer.error["message"], sent[:80]
    listener.close()
    await listener.wait_closed()
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("stream", [True, False])
async def test_the_next_base_url_answers_when_the_first_is_not_there(
    settings: Settings, engine: Scripted, session: aiohttp.ClientSession, *, stream: bool
) -> None:
    port = free_port()
    first, second = ScriptedServer(), ScriptedServer()
    urls = (f"http://127.0.0.1:{port}/v1", await second.start())
    upstream = Upstream(name="up", base_urls=urls, models=("remote",), **QUICK)
    async with running(replace(settings, upstreams=(upstream,)), engine) as house:
        asker = Asker(session, house.url, house.key)
        body = {**CHAT, "model": "remote", "stream": stream}
        assert [(await asker.post(body)).status for _ in range(5)] == [200] * 5
        await second.stop()
        lost = await asker.post(body)
        assert (lost.status, bool(lost.headers["retry-after"])) == (503, True)
        await first.start(port=port)
        assert (await asker.post(body)).status == 200
        assert any(path == "/v1/chat/completions" for path, _, _ in first.requests)
    await first.stop()


@pytest.mark.parametrize("fault", ["500", "503", "429", "hang"])
async def test_a_sick_first_server_is_passed_over(
    settings: Settings, engine: Scripted, session: aiohttp.ClientSession, fault: str
) -> None:
    sick, well = ScriptedServer(fault=fault), ScriptedServer()
    urls = (await sick.start(), await well.start())
    upstream = Upstream(name="up", base_urls=urls, models=("remote",), **QUICK)
    async with running(replace(settings, upstreams=(upstream,)), engine) as house:
        asker = Asker(session, house.url, house.key)
        body = {**STREAM, "model": "remote"}
        answers = [await asker.post(body) for _ in range(2)]
        assert said(answers[1].events()) == WHOLE
        if fault != "hang":  # who has waited long enough is not made to wait again
            assert said(answers[0].events()) == WHOLE
    await sick.stop()
    await well.stop()
