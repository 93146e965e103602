"""Models over a store, a loader whose models follow a script, and an upstream on loopback."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from inhouse.engines.models import Models
from inhouse.engines.scripted import EVERYTHING
from inhouse.engines.scripted_models import ScriptedLoader, scripted_entry
from inhouse.settings import Settings, Upstream
from inhouse.stores.models import ModelStore


@dataclass
class Server:
    """An upstream on loopback that lists `models`; `status` is what its listing answers."""

    url: str = ""
    models: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    embed: Callable[[dict[str, Any]], tuple[int, Any]] = lambda _: (500, {})
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def listing(self, request: web.Request) -> web.Response:
        del request
        return web.json_response({"data": self.models}, status=self.status)

    async def embeddings(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        status, value = self.embed(body)
        return web.json_response(value, status=status)


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application(client_max_size=2**30)
    app.router.add_get("/v1/models", server.listing)
    app.router.add_post("/v1/embeddings", server.embeddings)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    server.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


@dataclass
class Bench:
    """A store, a loader whose models follow a script, and what is made of them."""

    store: ModelStore
    loader: ScriptedLoader
    folder: Path
    running: list[Models] = field(default_factory=list)

    async def models(self, *upstreams: Upstream, **settings: Any) -> Models:
        """Models that were started; the defaults stay away unless wanted."""
        wanted = Settings(
            data=self.folder, upstreams=upstreams, **{"default_models": False, **settings}
        )
        models = Models(wanted, self.store, loader=self.loader)
        self.running.append(models)
        await models.start()
        return models

    async def put(self, name: str, able: frozenset[str] = EVERYTHING) -> None:
        await self.store.put(name, scripted_entry(name, able).json())
