"""A lean HTTP/1.1 client for engines and upstreams: one request, one answer, its body in batches.

It speaks TCP, TLS and Unix sockets, keeps connections alive and holds a server back that is faster
than its reader. It does not follow redirects, decompress, know proxies or cookies, or pipeline.
URLs given by clients never come here: those go through `inhouse.fetch`.
"""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from inhouse.engines.wire_connection import (
    BadAnswer,
    ConnectFailed,
    Connection,
    Disconnected,
    Limits,
    TimedOut,
    WireError,
)

__all__ = [
    "BadAnswer",
    "ConnectFailed",
    "Disconnected",
    "Limits",
    "Origin",
    "Response",
    "TimedOut",
    "Wire",
    "WireError",
]


_MOST_HEADS = 64
"""Heads of requests that are kept for the next ones, per origin."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a server listens. `prefix` goes before every path (`/v1`); `socket` is a Unix socket's
    path."""

    host: str
    port: int = 0
    tls: bool = False
    socket: str | None = None
    prefix: str = ""

    @classmethod
    def parse(cls, url: str) -> "Origin":
        """Read `http://host:port/v1`, `https://...`, `unix:///path` or `unix:///path:/prefix`.

        A Unix socket without a prefix gets `/v1`. Raises `ValueError` on anything else.
        """
        if url.startswith("unix://"):
            socket, colon, prefix = url.removeprefix("unix://").partition(":")
            if not socket.startswith("/"):
                raise ValueError(f"not an absolute socket path: {url}")
            return cls("localhost", socket=socket, prefix=prefix.rstrip("/") if colon else "/v1")
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"not an http, https or unix URL: {url}")
        tls = parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
        return cls(parts.hostname, port, tls, prefix=parts.path.rstrip("/"))

    @property
    def name(self) -> str:
        """For logs: where it is, without anything secret."""
        return self.socket or f"{self.host_header}{self.prefix}"

    @property
    def host_header(self) -> str:
        """The value of `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.socket or self.port == (443 if self.tls else 80)
        return host if usual else f"{host}:{self.port}"


class Response:
    """An answer whose headers are there. Iterate for batches of its body; `close` it in any
    case."""

    __slots__ = ("_connection", "_fields", "_kept", "_wire", "origin", "status")

    def __init__(self, wire: "Wire", origin: Origin, kept: "_Kept", connection: Connection) -> None:
        self._wire = wire
        self._kept = kept
        self._connection: Connection | None = connection
        self._fields = connection.fields
        self.origin = origin
        self.status = connection.status

    @property
    def headers(self) -> dict[str, str]:
        """The headers by their names in lower case; the last of equal names wins."""
        return {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self._fields
        }

    def header(self, name: bytes) -> bytes:
        """The first header of that name (lower case); empty if there is none."""
        for given, value in self._fields:
            if given == name or given.lower() == name:
                return value
        return b""

    def __aiter__(self) -> "Response":
        return self

    async def __anext__(self) -> bytes:
        """All body bytes that arrived since the last batch."""
        batch = await self.take()
        if not batch:
            raise StopAsyncIteration
        return batch

    async def take(self) -> bytes:
        """The next batch, empty at the end. Raises `WireError` when the answer breaks off."""
        connection = self._connection
        return await connection.take() if connection else b""

    async def read(self, limit: int = 64 * 1024 * 1024) -> bytes:
        """The whole body. Raises `BadAnswer` over `limit` bytes."""
        batches: list[bytes] = []
        size = 0
        while batch := await self.take():
            size += len(batch)
            if size > limit:
                raise BadAnswer(f"The answer is larger than {limit} bytes.", began=True)
            batches.append(batch)
        self.close()
        return b"".join(batches)

    def close(self) -> None:
        """Give the connection back if the answer is whole; else close it, so that the server stops
        working on it."""
        connection, self._connection = self._connection, None
        if connection:
            self._wire.release(self._kept, connection)

    def finish(self) -> None:
        """Say that all that matters has been read: the connection is kept if the answer ends within
        a second."""
        connection = self._connection
        if connection and not connection.complete:
            self._connection = None
            connection.linger(lambda: self._wire.release(self._kept, connection))
        else:
            self.close()


class _Kept:
    """What is kept of an origin: unused connections, the newest last, and requests' heads."""

    __slots__ = ("connections", "heads")

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.heads: dict[tuple[str, str, tuple[tuple[str, str], ...]], bytes] = {}


class Wire:
    """Connections to any number of origins. `idle_connections` and `keep_seconds` bound what is
    kept open unused, per origin."""

    def __init__(
        self,
        *,
        idle_connections: int = 64,
        keep_seconds: float = 4.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._idle_connections = idle_connections
        self._keep_seconds = keep_seconds
        self._tls = tls
        self._origins: dict[Origin, _Kept] = {}

    async def request(
        self,
        origin: Origin,
        method: str,
        path: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        limits: Limits | None = None,
    ) -> Response:
        """Send a request and wait for the headers of its answer; `path` is below the origin's root.

        A kept connection that the server closed meanwhile is replaced once, if nothing of an answer
        had come. Raises `WireError`.
        """
        limits = limits or Limits()
        kept = self._origins.get(origin)
        if kept is None:
            kept = self._origins[origin] = _Kept()
        request = _encode(origin, kept, method, path, tuple(headers), body)
        while True:
            connection = self._pooled(kept) or await self._connect(origin, limits.connect)
            first = not connection.used
            connection.used = True
            connection.send(request, limits)
            try:
                await connection.answered()
            except Disconnected as error:
                if first or error.began:
                    raise
            except BaseException:
                connection.abort()
                raise
            else:
                return Response(self, origin, kept, connection)

    def release(self, kept: _Kept, connection: Connection) -> None:
        """Take a connection back into the pool, or close it."""
        pool = kept.connections
        if connection.reusable and len(pool) < self._idle_connections:
            connection.idle_since = asyncio.get_running_loop().time()
            pool.append(connection)
        else:
            connection.abort()

    def close(self) -> None:
        """Close every unused connection."""
        for kept in self._origins.values():
            for connection in kept.connections:
                connection.abort()
        self._origins.clear()

    def _pooled(self, kept: _Kept) -> Connection | None:
        pool = kept.connections
        if not pool:
            return None
        oldest = asyncio.get_running_loop().time() - self._keep_seconds
        while pool:
            connection = pool.pop()
            if connection.open and connection.idle_since >= oldest:
                return connection
            connection.abort()
        return None

    async def _connect(self, origin: Origin, seconds: float) -> Connection:
        loop = asyncio.get_running_loop()

        def make() -> Connection:
            return Connection(loop)

        try:
            async with asyncio.timeout(seconds):
                if origin.socket:
                    _, connection = await loop.create_unix_connection(make, origin.socket)
                else:
                    _, connection = await loop.create_connection(
                        make, origin.host, origin.port, ssl=self._context() if origin.tls else None
                    )
        except (OSError, ssl.SSLError, TimeoutError) as error:
            reason = str(error) or "too slow"
            raise ConnectFailed(f"No connection to {origin.name}: {reason}") from error
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


def _encode(
    origin: Origin,
    kept: _Kept,
    method: str,
    path: str,
    headers: tuple[tuple[str, str], ...],
    body: bytes | None,
) -> bytes:
    asked = (method, path, headers)
    head = kept.heads.get(asked)
    if head is None:
        head = _head(origin, *asked)
        if len(kept.heads) < _MOST_HEADS:
            kept.heads[asked] = head
    if body is None:
        return head + b"\r\n"
    return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)


def _head(origin: Origin, method: str, path: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nhost: {origin.host_header}\r\n"
    for name, value in headers:
        head += f"{name}: {value}\r\n"
    if "\r" in path or head.count("\n") != len(headers) + 2:
        raise ValueError("a line break in a header or a path")
    return head.encode("latin-1")
