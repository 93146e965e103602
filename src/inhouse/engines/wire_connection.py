"""One connection of `inhouse.engines.wire`: bytes in, one answer at a time out, and what can go
wrong.

WireError
├── ConnectFailed     no connection came about
├── Disconnected      the server closed before the answer was whole
├── TimedOut          nothing came within the time allowed
└── BadAnswer         what came is not HTTP
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import httptools

_HIGH_WATER = 256 * 1024
"""Bytes of unread body at which reading pauses."""


class WireError(Exception):
    """No whole answer came. `began` says whether any byte of one had come."""

    def __init__(self, message: str, *, began: bool = False) -> None:
        super().__init__(message)
        self.began = began


class ConnectFailed(WireError):
    """No connection came about: refused, unresolved, bad certificate, too slow."""


class Disconnected(WireError):
    """The server closed before the answer was whole."""


class TimedOut(WireError):
    """Nothing came within the time allowed."""


class BadAnswer(WireError):
    """What came is not HTTP."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds allowed: to connect, until the first byte of the body, and between two reads
    of it."""

    connect: float = 5.0
    first_byte: float = 120.0
    idle: float = 60.0


class Connection(asyncio.Protocol):
    """One connection, used by one request at a time."""

    __slots__ = (
        *("_deadline", "_error", "_limits", "_lingering", "_loop", "_parser", "_paused", "_pieces"),
        *(
            "_size",
            "_timer",
            "_timer_at",
            "_transport",
            "_waiter",
            "began",
            "complete",
            "fields",
            "headers_complete",
        ),
        *("idle_since", "keep", "status", "used"),
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._size = 0
        self._paused = False
        self._error: WireError | None = None
        self._lingering: Callable[[], None] | None = None
        self._limits = Limits()
        self._deadline = 0.0
        self.complete = True
        self.headers_complete = False
        self.fields: list[tuple[bytes, bytes]] = []
        self.status = 0
        self.began = False
        self.keep = False
        self.used = False
        self.idle_since = 0.0

    @property
    def open(self) -> bool:
        """Whether another request may be written."""
        return (
            self._error is None and self._transport is not None and not self._transport.is_closing()
        )

    # ------------------------------------------------------------------ asyncio.Protocol
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.complete:  # nobody asked for anything
            self.abort()
            return
        self.began = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(BadAnswer("The server asked for another protocol.", began=True))
        except httptools.HttpParserError as error:
            self._fail(BadAnswer(f"The server's answer is not HTTP: {error}", began=True))

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go_of_timer()
        if self.complete:
            self._error = self._error or Disconnected("closed")
        elif self.headers_complete and not self._framed():
            self.keep = False  # the end of the connection is the end of such a body
            self.on_message_complete()
        else:
            reason = f": {exc}" if exc else "."
            message = f"The server closed the connection before its answer was whole{reason}"
            self._fail(Disconnected(message, began=self.began))
        self._transport = None

    # ------------------------------------------------------------------ httptools
    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status >= 200:
            self.headers_complete = True
            self._wake()

    def on_body(self, body: bytes) -> None:
        if not self._size and not self._pieces:
            self._wake()
        self._pieces.append(body)
        self._size += len(body)
        self._deadline = self._loop.time() + self._limits.idle
        if self._size > _HIGH_WATER and not self._paused and self._transport:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self.status < 200:  # an interim answer; the real one follows
            self.fields = []
            return
        self.complete = True
        self.keep = self.keep and self._parser.should_keep_alive()
        if self._lingering:
            whole, self._lingering = self._lingering, None
            self._pieces, self._size = [], 0
            whole()
        self._wake()

    # ------------------------------------------------------------------ for Response and Wire
    def send(self, request: bytes, limits: Limits) -> None:
        """Write a request; the connection must be `open` and without one."""
        self.fields = []
        self.headers_complete = self.complete = self.began = False
        self.keep = True
        self._pieces = []
        self._size = 0
        self._limits = limits
        now = self._loop.time()
        self._deadline = now + limits.first_byte
        soon = now + (limits.idle if limits.idle < limits.first_byte else limits.first_byte)
        if self._timer is None or self._timer_at > soon:
            self._look_at(soon)
        if self._transport:
            self._transport.write(request)

    def linger(self, whole: Callable[[], None]) -> None:
        """Nobody reads on; call `whole` when the answer ends, or close after a second."""
        self._lingering = whole
        self._limits = Limits(idle=1.0)
        self._deadline = self._loop.time() + 1.0
        self._look_at(self._deadline)

    async def answered(self) -> None:
        """Wait until the headers are there."""
        while not self.headers_complete:
            if self._error:
                raise self._error
            await self._wait()

    async def take(self) -> bytes:
        """All body bytes that are there, waiting for some; empty at the end."""
        while not self._pieces:
            if self.complete:
                return b""
            if self._error:
                raise self._error
            await self._wait()
        pieces = self._pieces
        batch = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces = []
        self._size = 0
        if self._paused and self._transport:
            self._paused = False
            self._deadline = self._loop.time() + self._limits.idle
            self._transport.resume_reading()
        return batch

    @property
    def reusable(self) -> bool:
        """Whether the answer is whole and read, and the server keeps the connection."""
        return self.complete and self.keep and not self._pieces and self.open

    def abort(self) -> None:
        """Close at once; the server sees its client gone."""
        self._let_go_of_timer()
        self.complete = True
        self._error = self._error or Disconnected("closed on this side", began=self.began)
        if self._transport:
            self._transport.abort()

    def _framed(self) -> bool:
        return any(
            name.lower() in {b"content-length", b"transfer-encoding"} for name, _ in self.fields
        )

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail(self, error: WireError) -> None:
        self._error = self._error or error
        self._let_go_of_timer()
        if self._transport:
            self._transport.abort()
        self._wake()

    def _look_at(self, moment: float) -> None:
        """Set the timer. One that is due earlier is left as it is: it finds that nothing is late
        and sets itself again, which costs less than a timer for every request."""
        self._let_go_of_timer()
        self._timer = self._loop.call_at(moment, self._check)
        self._timer_at = moment

    def _let_go_of_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        """The timer: let go on while the deadline has moved or the reader, not the server,
        is slow."""
        self._timer = None
        if self.complete:
            return
        now = self._loop.time()
        if self._paused or self._pieces:
            self._deadline = now + self._limits.idle
        if now < self._deadline - 0.001:
            self._look_at(min(self._deadline, now + self._limits.idle))
            return
        self._fail(TimedOut("The server sent nothing for too long.", began=self.began))
