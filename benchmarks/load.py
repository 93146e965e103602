"""A load of HTTP requests on loopback: cheap for the client, bounded in count.

Each worker is one keep-alive connection that sends the same request over and over and reads each
answer to its end.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import httptools


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of process `pid` so far, as the scheduler counts it (nanoseconds)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def rss_bytes(pid: int) -> int:
    """Resident memory of process `pid`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


class Worker(asyncio.Protocol):
    """Sends `request` while `more()` says so; counts answers, bytes and statuses but 200."""

    def __init__(self, request: bytes, more: Callable[[], bool]) -> None:
        self._request = request
        self._more = more
        self._parser = httptools.HttpResponseParser(self)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answers = 0
        self.bodies = 0
        self.failures = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def _next(self) -> None:
        assert self._transport is not None
        if self._more():
            self._transport.write(self._request)
        else:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.bodies += len(body)

    def on_message_complete(self) -> None:
        self.answers += 1
        if self._parser.get_status_code() != 200:
            self.failures += 1
        self._parser = httptools.HttpResponseParser(self)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def request(path: str, key: str, body: bytes) -> bytes:
    """The bytes of one POST."""
    return (
        b"POST %b HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer %b\r\n"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        % (path.encode(), key.encode(), len(body), body)
    )


async def load(port: int, data: bytes, count: int, connections: int) -> tuple[int, int, float]:
    """Send `data` `count` times over `connections`; returns failures, body bytes and seconds."""
    left = count

    def more() -> bool:
        nonlocal left
        left -= 1
        return left >= 0

    loop = asyncio.get_running_loop()
    started = time.monotonic()
    workers = [
        (await loop.create_connection(lambda: Worker(data, more), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(worker.done for worker in workers))
    answers = sum(worker.answers for worker in workers)
    if answers != count:
        raise RuntimeError(f"{answers} answers to {count} requests")
    failures = sum(worker.failures for worker in workers)
    return failures, sum(worker.bodies for worker in workers), time.monotonic() - started
