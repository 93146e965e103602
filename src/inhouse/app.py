"""Services and the edge, served by uvicorn until a signal ends them."""

import asyncio
import gc
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache

import uvicorn
from prometheus_client import start_http_server

from inhouse.http.edge import Edge
from inhouse.http.plain import Plain
from inhouse.http.protocol import Protocol
from inhouse.http.websocket import upgraded
from inhouse.services import Services
from inhouse.settings import Settings
from inhouse.telemetry import configure_logging


def edge(services: Services) -> Edge:
    """The ASGI application over `services`."""
    settings = services.settings
    return Edge(
        dispatcher=services.dispatcher,
        access=services.access,
        metrics=services.metrics,
        clock=services.clock,
        ids=services.ids,
        plain=Plain(services.access, services.metrics, services.health, cache(services.openapi)),
        max_body_bytes=settings.max_body_bytes,
        loopback_only=settings.no_auth,
        origins=settings.cors_origins,
    )


_LOOK_SECONDS = 0.1
"""Between two looks whether a second signal came."""


class Server(uvicorn.Server):
    """uvicorn's server, which says when it listens and when it begins to drain; it lets background
    jobs end, too.
    """

    def __init__(self, services: Services, on_ready: Callable[[], None]) -> None:
        super().__init__(_config(services))
        self._services = services
        self._on_ready = on_ready

    async def startup(self, sockets: list[object] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        await super().startup(sockets)  # pyright: ignore[reportArgumentType]
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._services.draining = True
        self._services.worker.retire()
        loop = asyncio.get_running_loop()
        until = loop.time() + self._services.settings.drain_seconds
        await super().shutdown(sockets)  # pyright: ignore[reportArgumentType]
        while not self.force_exit and loop.time() < until:
            if await self._services.worker.idle(_LOOK_SECONDS):
                break


def _config(services: Services) -> uvicorn.Config:
    settings = services.settings
    return uvicorn.Config(
        edge(services),
        host=settings.host,
        port=settings.port,
        http=Protocol,
        ws=upgraded,  # pyright: ignore[reportArgumentType] - a factory serves as the class
        ws_max_size=settings.max_body_bytes,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        timeout_graceful_shutdown=round(settings.drain_seconds),
        backlog=4096,
    )


async def serve(
    settings: Settings,
    on_ready: Callable[[Services], None],
    sockets: list[socket.socket] | None = None,
) -> None:
    """Open the services, serve until SIGTERM or SIGINT, drain, close.

    `sockets` are bound already, in place of host and port. `on_ready` is called once the port
    answers. Raises `DataFolderError` when the data folder cannot be used, `OSError` when the port
    cannot.
    """
    configure_logging(settings.log_level)
    services = await Services.open(settings)
    _spare_the_collector()
    _forget_async_generators()
    try:
        with _metrics_port(services):
            await Server(services, lambda: on_ready(services)).serve(sockets)
    finally:
        await asyncio.shield(services.close(drain=0))  # what may go on has had its time


def _spare_the_collector() -> None:
    """Leave what lives as long as the process out of garbage collection, and collect less often.

    A request makes some hundred short-lived containers and no cycles; by default every seven
    requests would start a collection.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _forget_async_generators() -> None:
    """Keep no list of running async generators: every one of ours is closed by who reads it.

    The loop keeps one to close them at its end, which costs two entries in a weak set for each, and
    a request has several. One that is dropped all the same is still closed by its finalizer.
    """
    sys.set_asyncgen_hooks(firstiter=None)


@contextmanager
def _metrics_port(services: Services) -> Generator[None]:
    """Serve `/metrics` on a port of its own, without a key, if the operator gave one."""
    port = services.settings.metrics_port
    if port is None:
        yield
        return
    server, thread = start_http_server(port, services.settings.host, services.metrics.registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
