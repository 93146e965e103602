"""Servers on one PostgreSQL: a run that one makes is followed and stopped at the other, killed ones
leave nothing under way, and a database that restarts under load loses nothing that was told.
"""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.faults.asking import Asker, begun, frames, until
from tests.faults.serving import KEY, configured, serving, working
from tests.faults.witness import Witness
from tests.stores import postgres as pg

from inhouse.engines.scripted_server import ScriptedServer
from inhouse.stores import Database

Json = dict[str, Any]
Shared = Callable[[str], dict[str, str]]
SECRET = "a secret that all processes know"  # noqa: S105 - of these tests
KILLS = 3
ACTORS = 6
UNDER_WAY = "SELECT id FROM responses WHERE status IN ('queued', 'in_progress')"


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(chunks=20, delay=0.1)
    yield server
    await server.stop()
    await asyncio.sleep(0)


@pytest.fixture
async def shared(tmp_path: Path, upstream: ScriptedServer) -> Shared:
    """The settings of every process on the database at a URL."""
    config = configured(tmp_path, await upstream.start())
    return lambda url: {"config": config, "database_url": url, "secret": SECRET}


async def heard(asker: Asker, response_id: str) -> dict[int, float]:
    """When each event of a run came, by its sequence number."""
    times: dict[int, float] = {}
    async with asker.open(None, f"/responses/{response_id}?stream=true", "GET") as answer:
        async for event in frames(answer):
            times[event["sequence_number"]] = time.monotonic()
    return times


async def test_events_reach_readers_at_the_other_process_as_they_are_made(
    tmp_path: Path, shared: Shared, postgres_url: str, session: aiohttp.ClientSession
) -> None:
    common = shared(postgres_url)
    with serving(tmp_path / "a", **common) as first, serving(tmp_path / "b", **common) as second:
        askers = [Asker(session, each.url, KEY) for each in (first, second)]
        response_id = (await begun(askers[0]))["id"]
        here, there = await asyncio.gather(*(heard(asker, response_id) for asker in askers))
    assert here.keys() == there.keys()
    assert max(here.values()) - min(here.values()) > 1  # both read while it was made
    assert max(there.values()) - min(there.values()) > 1
    apart = sorted(abs(here[number] - there[number]) for number in here)
    assert apart[len(apart) // 2] < 0.4  # unwoken, a reader looks every two seconds


async def test_a_run_is_stopped_by_a_process_that_does_not_make_it(
    tmp_path: Path,
    upstream: ScriptedServer,
    shared: Shared,
    postgres_url: str,
    session: aiohttp.ClientSession,
) -> None:
    upstream.chunks, common = 600, shared(postgres_url)
    with serving(tmp_path / "a", **common) as first:
        a = Asker(session, first.url, KEY)
        made = [await begun(a) for _ in range(3)]
        await until(lambda: sum("chat" in path for path, _, _ in upstream.requests) == len(made))
        with serving(tmp_path / "b", **common) as second:
            b = Asker(session, second.url, KEY)
            for response in made:
                stopped = await b.post(None, f"/responses/{response['id']}/cancel")
                assert stopped.json()["status"] == "cancelled"
            await until(lambda: upstream.closed == len(made), 3)
            for response in made:
                kept = (await a.get(f"/responses/{response['id']}")).json()
                assert kept["status"] == "cancelled"


async def test_servers_killed_one_after_the_other_leave_what_they_told_and_nothing_under_way(
    tmp_path: Path,
    upstream: ScriptedServer,
    shared: Shared,
    postgres_url: str,
    session: aiohttp.ClientSession,
) -> None:
    upstream.chunks, upstream.delay = 6, 0.02
    common = shared(postgres_url)
    choice = random.Random(7)  # noqa: S311 - the same moments in every run
    witness = Witness()
    for _ in range(KILLS):
        with serving(tmp_path / "data", **common) as server:
            asker = Asker(session, server.url, KEY)
            acting = [asyncio.create_task(witness.act(asker, choice)) for _ in range(ACTORS)]
            await asyncio.sleep(choice.uniform(0.3, 0.9))
            await asyncio.to_thread(server.end, signal.SIGKILL)
            await asyncio.gather(*acting)
    assert len(witness.whole) + len(witness.streams) > KILLS
    with serving(tmp_path / "data", **common) as server:
        async with Database.open(tmp_path, url=postgres_url) as database, asyncio.timeout(90):
            while await database.read(UNDER_WAY):  # noqa: ASYNC110 - until the leases are over
                await asyncio.sleep(0.5)
        await witness.check(Asker(session, server.url, KEY))


async def _load(
    asker: Asker, told: dict[str, Json], refused: list[Json], stop: asyncio.Event
) -> None:
    """Ask for stored responses, one after the other; remember what was acknowledged."""
    while not stop.is_set():
        answer = await asker.post({"model": "scripted", "input": "Count."}, "/responses")
        if answer.status == 200:
            told[answer.json()["id"]] = answer.json()
        else:
            assert answer.status == 503, answer.body
            refused.append(answer.error)
            await asyncio.sleep(0.05)


async def test_a_database_that_restarts_under_load_loses_nothing_that_was_acknowledged(
    tmp_path: Path,
    upstream: ScriptedServer,
    shared: Shared,
    own_postgres: pg.Server,
    session: aiohttp.ClientSession,
) -> None:
    upstream.chunks, upstream.delay = 3, 0.01
    told: dict[str, Json] = {}
    refused: list[Json] = []
    stop = asyncio.Event()
    with own_postgres.database() as url, serving(tmp_path / "data", **shared(url)) as server:
        asker = Asker(session, server.url, KEY)
        lanes = [asyncio.create_task(_load(asker, told, refused, stop)) for _ in range(8)]
        for mode, seconds in (("fast", 0.1), ("immediate", 0.1), ("fast", 4.0)):
            await asyncio.sleep(0.5)
            await asyncio.to_thread(own_postgres.control, "stop", "-m", mode)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(own_postgres.control, "start")
        before = len(told)
        await until(lambda: len(told) > before + 20, 20)  # all is well again
        stop.set()
        await asyncio.wait_for(asyncio.gather(*lanes), 30)
        for response_id, response in told.items():
            kept = await asker.get(f"/responses/{response_id}")
            assert kept.json()["output"] == response["output"], kept.body
        assert (await asker.get("/models")).status == 200
    assert refused  # the last pause is longer than requests wait
    assert {error["code"] for error in refused} <= {
        "storage_unavailable",
        "storage_outcome_unknown",
    }


async def test_a_server_and_a_worker_end_properly_while_the_database_is_away(
    tmp_path: Path, shared: Shared, own_postgres: pg.Server
) -> None:
    with own_postgres.database() as url:
        common = shared(url)
        with (
            serving(tmp_path / "a", **common) as server,
            working(tmp_path / "w", **common) as worker,
        ):
            await asyncio.to_thread(own_postgres.control, "stop", "-m", "fast")
            await asyncio.sleep(6)
            for each in (server, worker):
                assert await asyncio.to_thread(each.end) == 0
                assert each.process.stderr
                told = each.process.stderr.read()
                assert told.count("listening to the database broke") == 1
                assert "goes to others once its lease is over" in told
                assert "Traceback" not in told
        await asyncio.to_thread(own_postgres.control, "start")
