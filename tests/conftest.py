"""A whole server in the test's own loop: real HTTP on loopback, real SQLite, a scripted model.

Every answer that leaves it is checked against the contract (`tests/recorder.py`).
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from tests import stream_events
from tests.recorder import Recorder
from tests.stores import postgres as pg

from inhouse.app import edge
from inhouse.clock import FrozenClock
from inhouse.engines import abilities
from inhouse.engines.models import Models
from inhouse.engines.scripted import EVERYTHING, Scripted, answer
from inhouse.engines.scripted_models import ScriptedLoader, scripted_entry
from inhouse.http.protocol import Protocol
from inhouse.http.websocket import upgraded
from inhouse.services import Services
from inhouse.settings import Settings
from inhouse.stores import Database

if TYPE_CHECKING:
    from openai import AsyncOpenAI

KEY = "sk-test-0123456789abcdefghijklmnop"


@dataclass(slots=True)
class House:
    """A running server. `url` ends with /v1; `engine` is the text engine of all its own models."""

    services: Services
    url: str
    engine: Scripted
    recorder: Recorder
    key: str = KEY
    clients: list["AsyncOpenAI"] = field(default_factory=list)

    def client(self, key: str | None = None, **options: Any) -> "AsyncOpenAI":
        """The official client, changed in nothing but `base_url` and `api_key`."""
        from openai import AsyncOpenAI  # noqa: PLC0415 - takes seconds; not all tests need it

        options = {"max_retries": 0, "timeout": 30, **options}
        client = AsyncOpenAI(base_url=self.url, api_key=key or self.key, **options)
        self.clients.append(client)
        return client


MODELS = {
    "scripted": EVERYTHING,
    "plain": frozenset({abilities.TEXT}),
    "vectors": frozenset({abilities.EMBEDDINGS}),
}
"""The models of the house, and what they can."""


@asynccontextmanager
async def running(settings: Settings, engine: Scripted) -> AsyncGenerator[House]:
    """A server over `settings`, whose models follow `engine`'s script."""
    loader = ScriptedLoader(engine)
    services = await Services.open(
        settings, models=lambda store: Models(settings, store, loader=loader)
    )
    for name, able in MODELS.items():
        entry = scripted_entry(name, able)
        await services.model_store.put(name, entry.json())
    await services.model_store.put_alias("gpt-*", "scripted")
    await services.model_store.put_alias("text-embedding-*", "vectors")
    async with serving(services, engine) as house:
        yield house


@asynccontextmanager
async def serving(services: Services, engine: Scripted) -> AsyncGenerator[House]:
    """`services` behind a real port; they are closed at the end."""
    await services.access.bootstrap(KEY)
    recorder = Recorder(edge(services), services.dispatcher.table)
    config = uvicorn.Config(
        recorder,
        http=Protocol,  # pyright: ignore[reportArgumentType]
        lifespan="off",
        log_config=None,
        access_log=False,
        ws=upgraded,  # pyright: ignore[reportArgumentType]
        timeout_keep_alive=60,
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup([listener])
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    house = House(services, url, engine, recorder)
    try:
        yield house
    finally:
        for client in house.clients:
            await client.close()
        await server.shutdown([listener])
        await services.close()
    assert recorder.wrong == []


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that stands still."""
    return FrozenClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    """A real database in a folder of its own."""
    async with Database.open(tmp_path / "data") as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres() -> Iterator[pg.Server]:
    """A running PostgreSQL."""
    with pg.running() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_schema(postgres: pg.Server) -> str:
    """The database that new ones are copied from: it has the newest schema and no rows."""
    return pg.with_schema(postgres)


@pytest.fixture
def postgres_url(postgres: pg.Server, postgres_schema: str) -> Iterator[str]:
    """A database of the test's own on PostgreSQL."""
    with postgres.database(postgres_schema) as url:
        yield url


@pytest.fixture
def own_postgres() -> Iterator[pg.Server]:
    """A PostgreSQL that the test may stop."""
    with pg.running() as server:
        if server.process is None:
            pytest.skip("a server that is not ours is not restarted")
        yield server


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a server that knows no model but those of the test."""
    return Settings(data=tmp_path / "data", default_models=False)


@pytest.fixture
def engine() -> Scripted:
    """What the models of the house say; `engine.script` may be set by a test."""
    return Scripted(answer("Hello", " there", "."))


@pytest.fixture
async def house(settings: Settings, engine: Scripted) -> AsyncGenerator[House]:
    """A running server."""
    async with running(replace(settings), engine) as house:
        yield house
    await asyncio.sleep(0)


@pytest.fixture
async def house_on_postgres(
    settings: Settings, engine: Scripted, postgres_url: str
) -> AsyncGenerator[House]:
    """A running server whose database is on PostgreSQL."""
    there = replace(settings, database_url=postgres_url, secret=("a secret of these tests",))
    async with running(there, engine) as house:
        yield house
    await asyncio.sleep(0)


@pytest.fixture
def client(house: House) -> "AsyncOpenAI":
    """The official client of the running server, with the owner's key."""
    return house.client()


def pytest_configure(config: pytest.Config) -> None:
    """Tell at the end which stream events were seen."""
    config.pluginmanager.register(stream_events)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real models run one after the other, in one worker: they would take each other's cores."""
    for item in items:
        if item.get_closest_marker("model"):
            item.add_marker(pytest.mark.xdist_group("model"))
