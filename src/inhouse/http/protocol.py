"""HTTP/1.1 on one connection: requests in, straight to the edge, answers out in one write each.

uvicorn keeps the sockets, TLS, signals, draining and WebSocket; this is the protocol that it runs
for each connection. A head is bounded in size and time, and so are the pauses in a body; what is no
HTTP is told so in this API's own error envelope. Requests that come before the answer to the last
one (pipelining) wait for it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast
from typing import Protocol as Interface

import httptools
from uvicorn import Config
from uvicorn.server import ServerState

from inhouse.errors import APIError, BadRequest
from inhouse.http import frames
from inhouse.http.connected import ConnectedPeer
from inhouse.http.peer import ClientGone, Peer
from inhouse.http.request import Head

LONGEST_HEAD = 128 * 1024
"""Bytes of a request line with its headers, and of trailers; a read (256 KiB) may go over it."""
_NEVER = float("inf")


class Application(Interface):
    """What answers. As an ASGI application it also takes `websocket` scopes."""

    async def exchange(self, head: Head, peer: Peer) -> None:
        """Answer one request. Raises nothing but cancellation."""
        ...

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]: ...


class Protocol(asyncio.Protocol):
    """One connection. Counts the bytes since the last that were a body's or ended a head.

    `head_seconds` is how long a head may take, from the connection's or the head's first byte, and
    how long a body may pause; `slowest_seconds` how long a client may leave an answer unread.
    """

    head_seconds = 30.0
    slowest_seconds = 30.0

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.paused = False
        self._config = config
        self._state = server_state
        self._app_state = app_state
        self._exchange = cast("Application", config.app).exchange
        self._loop = _loop or asyncio.get_running_loop()
        self._transport = cast("asyncio.Transport", None)
        self._parser = httptools.HttpRequestParser(self)
        # the last request before a `connection: close` may be followed by bytes
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._expects = False
        self._coming: ConnectedPeer | None = None  # whose body is being read
        self._answering: ConnectedPeer | None = None
        self._waiting: deque[ConnectedPeer] = deque()
        self._reading = True
        self._drain: asyncio.Future[None] | None = None
        self._unused = 0
        self._deadline = _NEVER
        self._timer: asyncio.TimerHandle | None = None
        self._defaults: list[tuple[bytes, bytes]] = []
        self._default_lines = b""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.write = self._transport.write
        self._state.connections.add(cast("Any", self))
        self._expect_within(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.connections.discard(cast("Any", self))
        self._let_go_of_timer()
        self.resume_writing()
        waiting, self._waiting = self._waiting, deque()
        for peer in waiting:
            peer.lose()
        if self._answering is not None:
            self._answering.lose()

    def data_received(self, data: bytes) -> None:
        self._unused += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._upgrade()
            return
        except httptools.HttpParserError:
            self._refuse(
                b"400 Bad Request",
                BadRequest("Invalid HTTP request received.", code="invalid_http_request"),
            )
            return
        if self._unused > LONGEST_HEAD and not self._transport.is_closing():
            self._refuse_head()
        elif self._coming is not None and not self._coming.whole:
            self._expect_within(self.head_seconds)
        elif self._answering is not None:
            self._deadline = _NEVER
        elif self._unused == len(data):  # the first bytes of a head
            self._expect_within(self.head_seconds)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)

    # httptools

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = []
        self._expects = False

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self._expects = True
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._unused = 0
        parser = self._parser
        if parser.should_upgrade() and self._is_websocket():
            return
        path, query = _target(self._url)
        head = Head(parser.get_method().decode("ascii"), path, query, self._headers)
        modern = parser.get_http_version() == "1.1"
        peer = self._coming = ConnectedPeer(
            self,
            head,
            keep=modern and parser.should_keep_alive(),
            chunked=modern,
            expects=self._expects,
        )
        if self._answering is None:
            self._start(peer)
        else:
            self.pause_reading()
            self._waiting.append(peer)

    def on_body(self, body: bytes) -> None:
        self._unused = 0
        if self._coming is not None:
            self._coming.feed(body)

    def on_message_complete(self) -> None:
        self._unused = 0
        if self._coming is not None:
            self._coming.finish()

    # uvicorn.Server

    def shutdown(self) -> None:
        """Take no more requests; close after the answer that is under way."""
        if self._answering is None:
            self._transport.close()
        else:
            self._answering.keep = False

    # For peers

    def write(self, data: bytes) -> None:
        """The transport's own, once there is one."""
        raise NotImplementedError

    def pause_reading(self) -> None:
        """Let the client wait with what it sends."""
        if self._reading and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    async def drained(self) -> None:
        """Wait until the client has read enough of what was written, or is gone. `ClientGone` for
        one that reads nothing for `slowest_seconds`: its connection is dropped.
        """
        while self.paused:
            self._drain = self._loop.create_future()
            try:
                async with asyncio.timeout(self.slowest_seconds):
                    await self._drain
            except TimeoutError:
                self._transport.abort()
                raise ClientGone from None

    def date(self) -> bytes:
        """The header lines that the server adds to every answer."""
        defaults = self._state.default_headers
        if defaults is not self._defaults:
            self._defaults = defaults
            self._default_lines = b"".join([b"%b: %b\r\n" % pair for pair in defaults])
        return self._default_lines

    def answered(self) -> None:
        """The answer under way is whole: go on to the next request."""
        self._state.total_requests += 1
        peer, self._answering = self._answering, None
        if peer is None or not peer.keep:
            self._transport.close()
        elif self._waiting:
            self._start(self._waiting.popleft())
        else:
            self.resume_reading()
            quiet = not self._unused and peer.whole
            self._expect_within(self._config.timeout_keep_alive if quiet else self.head_seconds)

    # Inside

    def _start(self, peer: ConnectedPeer) -> None:
        self._answering = peer
        task = peer.task = self._loop.create_task(self._run(peer))
        self._state.tasks.add(task)

    async def _run(self, peer: ConnectedPeer) -> None:
        try:
            await self._exchange(peer.head, peer)
        finally:
            if peer.task is not None:
                self._state.tasks.discard(peer.task)
            if not peer.done:  # only the end of the connection can say that something is missing
                self._transport.close()

    def _is_websocket(self) -> bool:
        headers = dict(self._headers)
        asked = headers.get(b"connection", b"").lower().split(b",")
        return (
            self._config.ws_protocol_class is not None
            and headers.get(b"upgrade", b"").lower() == b"websocket"
            and b"upgrade" in [token.strip() for token in asked]
        )

    def _upgrade(self) -> None:
        """Hand the connection over to the WebSocket protocol. What asks for anything else is
        answered as the plain request that it is too, as the connection's last.
        """
        if not self._is_websocket():
            if self._coming is not None:
                self._coming.keep = False
            return
        self._state.connections.discard(cast("Any", self))
        self._let_go_of_timer()
        lines = [b"%b %b HTTP/1.1\r\n" % (self._parser.get_method(), self._url)]
        lines += [b"%b: %b\r\n" % pair for pair in self._headers]
        make = cast("Callable[..., asyncio.Protocol]", self._config.ws_protocol_class)
        protocol = make(config=self._config, server_state=self._state, app_state=self._app_state)
        protocol.connection_made(self._transport)
        protocol.data_received(b"".join([*lines, b"\r\n"]))
        self._transport.set_protocol(protocol)

    def _expect_within(self, seconds: float) -> None:
        """Something must come within `seconds`. A timer that runs is left to notice itself."""
        self._deadline = self._loop.time() + seconds
        timer = self._timer
        if timer is None or timer.when() > self._deadline + 0.01:
            self._let_go_of_timer()
            self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """The timer: nothing may be late yet."""
        self._timer = None
        left = self._deadline - self._loop.time()
        if left > 0.001 and left != _NEVER:
            self._timer = self._loop.call_later(left, self._look)
        elif left <= 0.001 and self._reading:
            self._late()

    def _late(self) -> None:
        """The head has not come in time. In the middle of a request only its end can say so."""
        if self._unused and self._answering is None:
            error = BadRequest("The request's headers took too long.", code="request_timeout")
            self._refuse(b"408 Request Timeout", error)
        else:
            self._transport.close()

    def _let_go_of_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse_head(self) -> None:
        self._refuse(
            b"431 Request Header Fields Too Large",
            BadRequest(
                f"The request's headers are over the limit of {LONGEST_HEAD} bytes.",
                code="request_headers_too_large",
            ),
        )

    def _refuse(self, status: bytes, error: APIError) -> None:
        """Answer and close: nobody knows where the next request would begin."""
        self._transport.write(frames.refusal(status, error))
        self._transport.close()


def _target(url: bytes) -> tuple[str, bytes]:
    """Path and query of a request's target. Raises for what is no URL in ASCII."""
    if not url.startswith(b"/") or b"#" in url:
        parsed = httptools.parse_url(url)
        return (parsed.path or b"/").decode("ascii"), parsed.query or b""
    path, _, query = url.partition(b"?")
    return path.decode("ascii"), query
