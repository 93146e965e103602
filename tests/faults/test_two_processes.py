"""Several processes on one PostgreSQL: each answers for the responses of all, and one that dies
leaves nothing under way.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.faults.asking import Asker, begun, frames, until
from tests.faults.serving import KEY, Served, configured, serving, working

from inhouse.agent.responses.fold import Fold
from inhouse.engines.scripted_server import ScriptedServer

Json = dict[str, Any]
SECRET = "a secret that both processes know"  # noqa: S105 - of these tests
ENDED = {"completed", "incomplete", "failed", "cancelled"}


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(chunks=20, delay=0.1)
    yield server
    await server.stop()
    await asyncio.sleep(0)


@pytest.fixture
async def shared(tmp_path: Path, upstream: ScriptedServer, postgres_url: str) -> dict[str, str]:
    """The settings that all processes have."""
    config = configured(tmp_path, await upstream.start())
    return {"config": config, "database_url": postgres_url, "secret": SECRET}


@contextmanager
def two(tmp_path: Path, shared: dict[str, str]) -> Iterator[tuple[Served, Served]]:
    """Two servers, each with a data folder of its own."""
    with serving(tmp_path / "a", **shared) as first, serving(tmp_path / "b", **shared) as second:
        yield first, second


async def ended(asker: Asker, response_id: str, seconds: float = 60) -> Json:
    async with asyncio.timeout(seconds):
        while True:
            response = (await asker.get(f"/responses/{response_id}")).json()
            if response["status"] in ENDED:
                return response
            await asyncio.sleep(0.1)


async def test_each_serves_the_background_streams_of_the_other(
    tmp_path: Path, shared: dict[str, str], session: aiohttp.ClientSession
) -> None:
    with two(tmp_path, shared) as (first, second):
        a, b = Asker(session, first.url, KEY), Asker(session, second.url, KEY)
        made = await asyncio.gather(*(begun(asker) for asker in (a, a, b, b)))
        for response in made:
            for asker in (a, b):
                path = f"/responses/{response['id']}?stream=true"
                async with asker.open(None, path, "GET") as answer:
                    events = [event async for event in frames(answer)]
                fold = Fold(events)
                assert fold.ended
                assert [event["sequence_number"] for event in events] == list(range(len(events)))
                assert fold.response == (await a.get(f"/responses/{response['id']}")).json()
                assert fold.response["status"] == "completed"


async def test_a_run_is_cancelled_from_the_other_process(
    tmp_path: Path, upstream: ScriptedServer, shared: dict[str, str], session: aiohttp.ClientSession
) -> None:
    with two(tmp_path, shared) as (first, second):
        a, b = Asker(session, first.url, KEY), Asker(session, second.url, KEY)
        made = [await begun(a) for _ in range(6)]
        await until(lambda: len(upstream.requests) >= 6)
        for number, response in enumerate(made):
            other = (a, b)[number % 2]
            stopped = await other.post(None, f"/responses/{response['id']}/cancel")
            assert stopped.json()["status"] == "cancelled"
        await asyncio.sleep(0.5)
        for response in made:
            for asker in (a, b):
                kept = (await asker.get(f"/responses/{response['id']}")).json()
                assert kept["status"] == "cancelled"


async def test_what_a_killed_process_ran_is_ended_by_the_other(
    tmp_path: Path, upstream: ScriptedServer, shared: dict[str, str], session: aiohttp.ClientSession
) -> None:
    with two(tmp_path, shared) as (first, second):
        a, b = Asker(session, first.url, KEY), Asker(session, second.url, KEY)
        made = [await begun(a) for _ in range(6)]
        streams = [
            asyncio.create_task(
                a.post({"model": "scripted", "input": "x", "stream": True}, "/responses")
            )
            for _ in range(2)
        ]
        await until(lambda: len(upstream.requests) >= 8)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(first.end, signal.SIGKILL)
        await asyncio.gather(*streams, return_exceptions=True)
        over = await asyncio.gather(*(ended(b, response["id"]) for response in made))
        assert {response["status"] for response in over} <= {"completed", "failed"}
        again = await begun(b)
        assert (await ended(b, again["id"]))["status"] == "completed"


async def test_a_worker_does_the_jobs_of_servers_and_drains(
    tmp_path: Path, upstream: ScriptedServer, shared: dict[str, str], session: aiohttp.ClientSession
) -> None:
    upstream.delay = 0.02
    with working(tmp_path / "w", **shared) as worker, serving(tmp_path / "a", **shared) as server:
        asker = Asker(session, server.url, KEY)
        made = [await begun(asker) for _ in range(20)]
        over = [await ended(asker, response["id"]) for response in made]
        assert {response["status"] for response in over} == {"completed"}
        assert await asyncio.to_thread(worker.end) == 0


def test_a_worker_on_sqlite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="on PostgreSQL"), working(tmp_path / "w"):
        pass
