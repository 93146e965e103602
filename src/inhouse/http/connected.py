"""One request on a connection of ours, and its answer as bytes of HTTP/1.1."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from inhouse.http.peer import ClientGone, too_large
from inhouse.http.request import Head

HIGH_WATER = 64 * 1024
"""Bytes of a body that nobody has asked for yet, at which reading pauses."""

_STATUS_LINES = {status: b"HTTP/1.1 %d \r\n" % status for status in range(200, 600)} | {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()) for status in HTTPStatus
}
_CHUNKED = b"transfer-encoding: chunked\r\n"
_CLOSE = b"connection: close\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(Protocol):
    """What a peer needs of its connection. `paused`: the client does not read fast enough."""

    paused: bool

    def write(self, data: bytes) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    async def drained(self) -> None: ...
    def date(self) -> bytes: ...
    def answered(self) -> None: ...


class ConnectedPeer:
    """A `Peer` on a connection, which feeds it. `keep`: the connection outlives the answer."""

    __slots__ = (
        *(
            "_chunked",
            "_connection",
            "_expects",
            "_gone",
            "_head_only",
            "_pending",
            "_pieces",
            "_size",
        ),
        *("_waiter", "_wanted", "done", "head", "keep", "lost", "task", "whole"),
    )

    def __init__(
        self, connection: Connection, head: Head, *, keep: bool, chunked: bool, expects: bool
    ) -> None:
        self.head = head
        self.keep = keep
        self.lost = self.done = self.whole = False
        self._gone: Callable[[], None] | None = None
        self.task: asyncio.Task[None] | None = None
        self._connection = connection
        self._chunked = chunked
        self._expects = expects
        self._head_only = head.method == "HEAD"
        self._pieces: list[bytes] = []
        self._size = 0
        self._wanted = False
        self._waiter: asyncio.Future[None] | None = None
        self._pending = b""

    # What the connection tells

    def feed(self, data: bytes) -> None:
        """A piece of the body has come."""
        if self.done:
            return
        self._expects = False
        self._pieces.append(data)
        self._size += len(data)
        if self._wanted:
            self._wake()
        elif self._size > HIGH_WATER:
            self._connection.pause_reading()

    def finish(self) -> None:
        """The body has come to its end."""
        self.whole = True
        self._wake()

    def lose(self) -> None:
        """The client has gone."""
        self.lost = True
        self._wake()
        if self._gone is not None and not self.done:
            self._gone()

    # What the exchange asks for

    def watch(self, gone: Callable[[], None] | None) -> None:
        self._gone = gone

    async def body(self, limit: int) -> bytes:
        if not self.whole:
            await self._read(limit)
        if self._size > limit:
            raise too_large(limit)
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def respond(self, status: int, fields: bytes, body: bytes) -> None:
        if self.lost:
            return
        if not self.keep or (status >= 400 and _CLOSE in fields):
            fields = self._closing(fields)
        length = len(body)
        if self._head_only:
            body = b""
        connection = self._connection
        connection.write(
            b"%b%b%bcontent-length: %d\r\n\r\n%b"
            % (_STATUS_LINES[status], connection.date(), fields, length, body)
        )
        self.done = True
        connection.answered()

    def begin(self, status: int, fields: bytes) -> None:
        if not self._chunked:
            self.keep = False  # the end of the connection is the end of the answer
        if not self.keep:
            fields = self._closing(fields)
        framing = _CHUNKED if self._chunked else b""
        self._pending = b"%b%b%b%b\r\n" % (
            *(_STATUS_LINES[status], self._connection.date()),
            *(fields, framing),
        )

    async def send(self, data: bytes) -> None:
        connection = self._connection
        if connection.paused:
            await connection.drained()
        if self.lost:
            raise ClientGone
        if self._head_only or not data:
            return
        if self._chunked:
            data = b"%b%x\r\n%b\r\n" % (self._pending, len(data), data)
        else:
            data = self._pending + data
        self._pending = b""
        connection.write(data)

    async def end(self, data: bytes) -> None:
        if self.lost:
            return
        if self._head_only:
            last = self._pending
        elif not self._chunked:
            last = self._pending + data
        elif data:
            last = b"%b%x\r\n%b\r\n0\r\n\r\n" % (self._pending, len(data), data)
        else:
            last = self._pending + b"0\r\n\r\n"
        self._connection.write(last)
        self.done = True
        self._connection.answered()

    def _closing(self, fields: bytes) -> bytes:
        self.keep = False
        return fields if _CLOSE in fields else fields + _CLOSE

    async def _read(self, limit: int) -> None:
        """Wait for the end of the body, or until it is too large."""
        self._wanted = True
        if self._expects:
            self._expects = False
            self._connection.write(_CONTINUE)
        self._connection.resume_reading()
        while not self.whole and self._size <= limit:
            if self.lost:
                raise ClientGone
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self._wanted = False

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
