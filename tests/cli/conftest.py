"""A scripted upstream for commands that block: it runs in a thread with a loop of its own."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from inhouse.engines.scripted_server import ScriptedServer


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the scripted server is, and itself."""

    url: str
    server: ScriptedServer


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A scripted server of eight pieces: `0 1 2 3 4 5 6 7 `."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(10)

    server = ScriptedServer()
    try:
        yield Upstream(wait(server.start()), server)
        wait(server.stop())
        wait(asyncio.sleep(0.01))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
