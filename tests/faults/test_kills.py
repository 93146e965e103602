"""`kill -9` at random moments, with runs of all kinds under way: nothing that a client was told is
lost or contradicted, and nothing stays in progress.

`make test` does a few; INHOUSE_KILLS=200 does as many as one likes.
"""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from tests.faults.asking import Asker
from tests.faults.serving import KEY, configured, serving
from tests.faults.witness import Witness

from inhouse.engines.scripted_server import ScriptedServer

KILLS = int(os.environ.get("INHOUSE_KILLS", "8"))
ACTORS = 6


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(chunks=6, delay=0.02)
    server.keep_requests = False
    yield server
    await server.stop()
    await asyncio.sleep(0)


async def test_a_killed_server_keeps_what_it_has_told(
    tmp_path: Path, upstream: ScriptedServer, session: aiohttp.ClientSession
) -> None:
    config = configured(tmp_path, await upstream.start(), probe=True)
    choice = random.Random(7)  # noqa: S311 - the same moments in every run
    witness = Witness()
    heard = 0
    for _ in range(KILLS):
        with serving(tmp_path / "data", config=config) as server:
            asker = Asker(session, server.url, KEY)
            await witness.settled(asker)
            await witness.check(asker)
            heard += len(witness.whole) + len(witness.streams)
            witness.whole.clear()
            witness.streams.clear()
            witness.conversations.clear()
            acting = [asyncio.create_task(witness.act(asker, choice)) for _ in range(ACTORS)]
            await asyncio.sleep(choice.uniform(0.02, 0.6))
            await asyncio.to_thread(server.end, signal.SIGKILL)
            await asyncio.gather(*acting)
    with serving(tmp_path / "data", config=config) as server:
        asker = Asker(session, server.url, KEY)
        await witness.settled(asker)
        await witness.check(asker)
    assert heard > KILLS
