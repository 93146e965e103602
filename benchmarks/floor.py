"""The floor: a byte-for-byte proxy, the fastest that one can write in Python.

`asyncio.Protocol` and httptools on both sides, one pooled upstream connection per request, no
check, no key, no JSON. What `gateway.py` measures is compared with the CPU time that this takes.

    python -m benchmarks.floor UPSTREAM_PORT

The first line of output is the port that it listens on.
"""

import asyncio
import sys
from collections import deque
from typing import cast

import httptools
import uvloop

_CONTENT = b"content-length"
_CHUNKED = b"transfer-encoding"


class Upstream(asyncio.Protocol):
    """One connection to the upstream; hands what it parses to the client that holds it."""

    def __init__(self, pool: "deque[Upstream]") -> None:
        self._pool = pool
        self._client: Client | None = None
        self.transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[bytes] = []
        self._chunked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self, client: "Client", data: bytes) -> None:
        self._client = client
        assert self.transport is not None
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._headers = []
        self._chunked = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == _CHUNKED:
            self._chunked = True
        self._headers.append(name + b": " + value + b"\r\n")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._write(b"HTTP/1.1 %d OK\r\n%b\r\n" % (status, b"".join(self._headers)))

    def on_body(self, body: bytes) -> None:
        self._write(b"%x\r\n%b\r\n" % (len(body), body) if self._chunked else body)

    def on_message_complete(self) -> None:
        if self._chunked:
            self._write(b"0\r\n\r\n")
        self._parser = httptools.HttpResponseParser(self)
        self._client = None
        self._pool.append(self)

    def _write(self, data: bytes) -> None:
        if self._client is not None and self._client.transport is not None:
            self._client.transport.write(data)


class Client(asyncio.Protocol):
    """One connection of a client; sends each whole request to a free upstream connection."""

    def __init__(self, pool: deque[Upstream], port: int) -> None:
        self._pool = pool
        self._port = port
        self.transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._parts: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._parts = []
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._parts.append(name + b": " + value + b"\r\n")

    def on_headers_complete(self) -> None:
        self._parts.append(b"\r\n")

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        method = self._parser.get_method()
        data = b"%b %b HTTP/1.1\r\n%b" % (method, self._url, b"".join(self._parts))
        if self._pool:
            self._pool.popleft().send(self, data)
        else:
            task = asyncio.get_running_loop().create_task(self._connect(data))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, upstream = await loop.create_connection(
            lambda: Upstream(self._pool), "127.0.0.1", self._port
        )
        upstream.send(self, data)


async def main(upstream_port: int) -> None:
    """Serve until the process is ended."""
    pool: deque[Upstream] = deque()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Client(pool, upstream_port), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
