"""The edge as an ASGI application, for servers other than ours and for tests."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from inhouse.http.peer import ClientGone, too_large
from inhouse.http.request import Head

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def head_of(scope: Message) -> Head:
    """The head of an ASGI `http` scope."""
    raw = scope.get("raw_path") or scope["path"].encode()
    return Head(
        scope["method"], raw.decode("latin-1"), scope.get("query_string", b""), scope["headers"]
    )


class ASGIPeer:
    """A `Peer` over ASGI messages; it notices that the client goes once it has read the body."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self.lost = False
        self._gone: Callable[[], None] | None = None
        self._receive = receive
        self._send = send
        self._start: Message | None = None
        self._watching: asyncio.Task[None] | None = None

    def watch(self, gone: Callable[[], None] | None) -> None:
        self._gone = gone

    async def body(self, limit: int) -> bytes:
        pieces: list[bytes] = []
        size, more = 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.lost = True
                raise ClientGone
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > limit:
                raise too_large(limit)
            more = message.get("more_body", False)
        self._watching = asyncio.ensure_future(self._watch())
        return b"".join(pieces)

    async def respond(self, status: int, fields: bytes, body: bytes) -> None:
        self.begin(status, fields + b"content-length: %d\r\n" % len(body))
        await self.end(body)

    def begin(self, status: int, fields: bytes) -> None:
        pairs = [line.partition(b": ") for line in fields.split(b"\r\n")[:-1]]
        headers = [(name, value) for name, _, value in pairs]
        self._start = {"type": "http.response.start", "status": status, "headers": headers}

    async def send(self, data: bytes) -> None:
        if self.lost:
            raise ClientGone
        await self._write(data, more=True)

    async def end(self, data: bytes) -> None:
        if not self.lost:
            await self._write(data, more=False)

    async def close(self) -> None:
        """Watch no longer."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching

    async def _write(self, data: bytes, *, more: bool) -> None:
        if self._start is not None:
            start, self._start = self._start, None
            await self._send(start)
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def _watch(self) -> None:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self.lost:
            self.lost = True
            if self._gone is not None:
                self._gone()
