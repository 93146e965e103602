"""The real model, found in the model cache; a raw server and a client of it."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.engines.bench import Bench, Server, serving
from tests.engines.raw import Raw

from inhouse.clock import FrozenClock
from inhouse.engines.embedded.spec import ChildSpec
from inhouse.engines.embedded.supervisor import Child
from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.scripted_models import ScriptedLoader
from inhouse.engines.wire import Origin, Wire
from inhouse.stores.database import Database
from inhouse.stores.models import ModelStore

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="session")
def weights() -> Path:
    """The default text model's file, from the model cache that `make test` fills."""
    cache = Path(os.environ.get("INHOUSE_MODELS", Path.home() / ".cache/inhouse/models"))
    found = next(cache.rglob(WEIGHTS), None)
    if found is None:
        pytest.skip(f"{WEIGHTS} is not in {cache}; `make test` fetches it")
    return found


@pytest.fixture
async def child(weights: Path, tmp_path: Path) -> AsyncIterator[Child]:
    """A child of its own for a test that harms it."""
    child = Child(ChildSpec(weights, context_length=512, parallel=2, cache_mib=0), tmp_path / "run")
    await child.start()
    yield child
    await child.stop()


@pytest.fixture
async def raw() -> Raw:
    """A server that answers `ok`, unless told otherwise."""
    return Raw()


@pytest.fixture
async def origin(raw: Raw) -> AsyncIterator[Origin]:
    """Where it listens."""
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    yield Origin("127.0.0.1", server.sockets[0].getsockname()[1])
    server.close()
    for writer in raw.writers:
        writer.close()
    await asyncio.sleep(0)


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """A client of its own for each test."""
    wire = Wire()
    yield wire
    wire.close()
    await asyncio.sleep(0)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Models of a fresh data folder."""
    async with Database.open(tmp_path, server=True) as database:
        bench = Bench(
            ModelStore(database, FrozenClock()), ScriptedLoader(Scripted(answer("hi"))), tmp_path
        )
        yield bench
        for models in bench.running:
            await models.close()


@pytest.fixture
async def upstream() -> AsyncIterator[Server]:
    """An upstream that lists nothing yet."""
    async with serving() as server:
        yield server
