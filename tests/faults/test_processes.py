"""The server as a process: how it ends, what it refuses, and what is left when it is killed."""

import asyncio
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest
from tests.faults.asking import CHAT, STREAM, Asker, frames, said, until
from tests.faults.serving import KEY, command, configured, refusal, serving

from inhouse.engines.scripted_server import ScriptedServer

WHOLE = "".join(f"{n} " for n in range(8))


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(delay=0.1)
    yield server
    await server.stop()
    await asyncio.sleep(0)


async def test_sigterm_lets_running_streams_and_answers_end_properly(
    tmp_path: Path, upstream: ScriptedServer, session: aiohttp.ClientSession
) -> None:
    config = configured(tmp_path, await upstream.start())
    with serving(tmp_path / "data", config=config) as server:
        asker = Asker(session, server.url, KEY)
        running = [asyncio.create_task(asker.post(STREAM)) for _ in range(20)]
        running += [asyncio.create_task(asker.post(CHAT)) for _ in range(5)]
        await until(lambda: sum("chat" in path for path, _, _ in upstream.requests) == 25)
        server.process.send_signal(signal.SIGTERM)
        answers = await asyncio.gather(*running)
        assert await asyncio.to_thread(server.process.wait, 15) == 0
    for answer in answers[:20]:
        events = answer.events()
        assert said(events) == WHOLE
        assert events[-1] == "[DONE]"
    assert [each.json()["choices"][0]["message"]["content"] for each in answers[20:]] == [WHOLE] * 5


async def test_a_stream_that_outlives_the_drain_is_told_so(
    tmp_path: Path, upstream: ScriptedServer, session: aiohttp.ClientSession
) -> None:
    config = configured(tmp_path, await upstream.start())
    upstream.delay = 0.01
    upstream.fault = "stall"
    with serving(tmp_path / "data", config=config, drain_seconds="1") as server:
        async with Asker(session, server.url, KEY).open(STREAM) as stream:
            events = frames(stream)
            heard = [await anext(events)]
            started = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            heard += [event async for event in events]
        assert await asyncio.to_thread(server.process.wait, 15) == 0
        assert 0.5 < time.monotonic() - started < 8
    assert heard[-1]["error"]["code"] == "server_shutting_down"


async def _status(asker: Asker, response_id: str) -> str:
    return (await asker.get(f"/responses/{response_id}")).json()["status"]


async def test_sigterm_lets_background_responses_end_and_begins_no_others(
    tmp_path: Path, upstream: ScriptedServer, session: aiohttp.ClientSession
) -> None:
    config = configured(tmp_path, await upstream.start())
    upstream.delay = 0.9  # longer than jobs are given by default, shorter than `drain_seconds`
    body = {"model": "scripted", "input": "Hi", "background": True}
    with serving(tmp_path / "data", config=config, drain_seconds="20") as server:
        asker = Asker(session, server.url, KEY)
        made = [(await asker.post(body, "/responses")).json()["id"] for _ in range(3)]
        await until(lambda: sum("chat" in path for path, _, _ in upstream.requests) == 3)
        await asyncio.sleep(1.5)
        started = time.monotonic()
        assert await asyncio.to_thread(server.end) == 0
        assert 5 < time.monotonic() - started < 15
    with serving(tmp_path / "data", config=config) as server:
        asker = Asker(session, server.url, KEY)
        assert [await _status(asker, each) for each in made] == ["completed"] * 3


async def test_background_responses_that_outlive_the_drain_do_not_hold_the_server(
    tmp_path: Path, upstream: ScriptedServer, session: aiohttp.ClientSession
) -> None:
    config = configured(tmp_path, await upstream.start())
    upstream.delay = 5.0
    body = {"model": "scripted", "input": "Hi", "background": True}
    with serving(tmp_path / "data", config=config, drain_seconds="1") as server:
        asker = Asker(session, server.url, KEY)
        made = (await asker.post(body, "/responses")).json()["id"]
        await until(lambda: any("chat" in path for path, _, _ in upstream.requests))
        started = time.monotonic()
        assert await asyncio.to_thread(server.end) == 0
        assert 0.5 < time.monotonic() - started < 4
    upstream.delay = 0.0
    with serving(tmp_path / "data", config=config) as server:
        asker = Asker(session, server.url, KEY)
        async with asyncio.timeout(10):
            while (  # noqa: ASYNC110 - it runs in another process
                status := await _status(asker, made)
            ) in {"queued", "in_progress"}:
                await asyncio.sleep(0.1)
    assert status in {"completed", "failed"}  # whether its item was open already


def test_a_data_folder_that_is_newer_than_the_program_is_refused_in_one_line(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, default_models="false") as server:
        assert server.end() == 0
    with sqlite3.connect(tmp_path / "inhouse.db") as database:
        database.execute("INSERT INTO migrations VALUES (999, 'of tomorrow', 0)")
    database.close()
    before = sorted(tmp_path.iterdir())
    code, told = refusal(command(tmp_path, default_models="false"))
    assert code == 1
    assert "was written by a newer version of inhouse" in told
    assert told.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_second_server_on_the_same_folder_is_refused_and_the_first_goes_on(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, default_models="false") as server:
        code, told = refusal(command(tmp_path, default_models="false"))
        assert code == 1
        assert f"(pid {server.process.pid}) is already running" in told
        assert told.count("\n") == 1
        assert server.end() == 0


def test_a_database_that_is_damaged_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "inhouse.db").write_bytes(b"this is no database" * 1000)
    code, told = refusal(command(tmp_path, default_models="false"))
    assert code == 1
    assert told.count("\n") == 1


def test_a_data_folder_that_is_a_file_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    code, told = refusal(command(tmp_path / "data", default_models="false"))
    assert code == 1
    assert told.count("\n") == 1


def engines(pid: int) -> list[psutil.Process]:
    """The engine children of the server `pid`."""
    children = psutil.Process(pid).children(recursive=True)
    return [each for each in children if "inhouse.engines.embedded.child" in each.cmdline()]


@pytest.fixture
def orphans() -> Iterator[list[psutil.Process]]:
    """Engines that were seen; whatever of them is left is killed."""
    seen: list[psutil.Process] = []
    yield seen
    for each in seen:
        if each.is_running():
            each.kill()


@pytest.mark.model
async def test_no_engine_is_left_when_the_server_is_killed(
    tmp_path: Path, session: aiohttp.ClientSession, orphans: list[psutil.Process]
) -> None:
    with serving(tmp_path) as server:
        asker = Asker(session, server.url, KEY)
        body = {"model": "gpt-5", "messages": CHAT["messages"], "stream": True, "max_tokens": 2000}
        async with asker.open(body) as stream:
            assert stream.status == 200
            assert await anext(frames(stream))
            orphans += engines(server.process.pid)
            assert orphans
            server.process.kill()
            await asyncio.to_thread(server.process.wait, 10)
        await until(lambda: not any(_alive(each) for each in orphans))
    with serving(tmp_path) as again:
        answer = await Asker(session, again.url, KEY).post({**body, "max_tokens": 3})
        assert answer.events()[-1] == "[DONE]"
        orphans += engines(again.process.pid)
        assert await asyncio.to_thread(again.end) == 0
    await until(lambda: not any(_alive(each) for each in orphans))


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
