"""The edge: requests in, answers out. It decodes and encodes, and decides nothing else.

Numbered life of a request: 1 the server's protocol, or `Edge.__call__` for other servers, calls
`Edge.exchange`; 2 the route is found, the key and its permission are checked; 3 the body is read
and parsed; 4 the dispatcher does the rest; 5 the answer is sent: JSON, bytes, or events. Nothing is
sent before the first event is there, so that what fails early has its own status; what fails later
is an `error` event.
"""

import asyncio
from collections.abc import Collection, Coroutine
from dataclasses import dataclass
from typing import Any

from inhouse.access import Access
from inhouse.clock import Clock
from inhouse.contract import parse
from inhouse.errors import APIError, ServerError
from inhouse.http import cors, frames, websocket
from inhouse.http.asgi import ASGIPeer, Receive, Send, head_of
from inhouse.http.origins import check_loopback
from inhouse.http.peer import ClientGone, Peer
from inhouse.http.plain import Plain
from inhouse.http.request import Head
from inhouse.ids import IdMaker
from inhouse.operations import Call, Content, Dispatcher, Stream
from inhouse.scope import Scope
from inhouse.telemetry import Metrics, log

_CLIENT_CLOSED_REQUEST = 499
_JSON = b"application/json"
_EVENTS = b"text/event-stream; charset=utf-8"
_NO_CACHE = b"cache-control: no-cache\r\nx-accel-buffering: no\r\n"


@dataclass(frozen=True, slots=True)
class Edge:
    """The application of our own server (`exchange`), and an ASGI application.

    `max_body_bytes` limits JSON bodies. With `loopback_only` (no authentication) requests are
    refused whose Host is not a loopback name, so that a web page cannot reach the server by a name
    of its own. Pages of `origins` may read answers and open WebSockets (`*`: all).
    """

    dispatcher: Dispatcher
    access: Access
    metrics: Metrics
    clock: Clock
    ids: IdMaker
    plain: Plain
    max_body_bytes: int
    loopback_only: bool = False
    origins: Collection[str] = ()

    def exchange(self, head: Head, peer: Peer) -> Coroutine[Any, Any, None]:
        """Answer one request."""
        return Exchange(self, head, peer).run()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                peer = ASGIPeer(receive, send)
                try:
                    await self.exchange(head_of(scope), peer)
                finally:
                    await peer.close()
            case "websocket":
                await websocket.serve(self, scope, receive, send)
            case kind:
                raise NotImplementedError(f"ASGI scope {kind}")


class Exchange:
    """One request and its answer."""

    __slots__ = (
        *("_edge", "_gone", "_head", "_operation", "_organization", "_peer", "_request_id"),
        *("_started", "_status", "_task"),
    )

    def __init__(self, edge: Edge, head: Head, peer: Peer) -> None:
        self._edge = edge
        self._head = head
        self._peer = peer
        self._started = edge.clock.monotonic()
        self._request_id = edge.ids("req_")
        self._status = 0
        self._operation = "unknown"
        self._organization: str | None = None
        self._task: asyncio.Task[Any] | None = None
        self._gone = False

    async def run(self) -> None:
        """Answer, whatever happens."""
        try:
            await self._answer()
        except APIError as error:
            await self._fail(error)
        except ClientGone:
            self._status = _CLIENT_CLOSED_REQUEST
        except asyncio.CancelledError:
            if not self._gone:
                raise
            if self._task is not None:
                self._task.uncancel()
            self._status = _CLIENT_CLOSED_REQUEST
        except Exception:  # noqa: BLE001 - the last resort of a request
            log.exception("%s failed", self._request_id)
            await self._fail(frames.defect(self._request_id))
        finally:
            self._peer.watch(None)
            edge = self._edge
            seconds = edge.clock.monotonic() - self._started
            edge.metrics.answered(self._operation, self._status, seconds)
            log.info("%s %s %s %.3f", self._request_id, self._operation, self._status, seconds)

    async def _answer(self) -> None:
        edge, head = self._edge, self._head
        header = head.header
        if edge.loopback_only:
            check_loopback(header(b"host"), header(b"origin"))
        if edge.origins and (told := cors.preflight(head, edge.origins)) is not None:
            await self._respond(200, b"OK", b"text/plain; charset=utf-8", told)
            return
        path = head.path
        if not path.startswith("/v1/"):
            answer = await edge.plain.answer(head)
            self._operation = path
            await self._respond(answer.status, answer.body, answer.media_type.encode())
            return
        dispatcher = edge.dispatcher
        route, parameters = dispatcher.table.match(head.method, path[3:])
        self._operation = route.key
        principal = await edge.access.authenticate(
            header(b"authorization"),
            header(b"openai-organization"),
            header(b"openai-project"),
        )
        organization = self._organization = principal.organization
        operation = dispatcher.admit(principal, route)
        scope = Scope(
            organization,
            principal.project,
            principal,
            self._request_id,
            client_request_id=head.client_request_id(),
        )
        body, size = None, 0
        if route.spec.body:
            head.require_json()
            head.require_length(edge.max_body_bytes)
            data = await self._peer.body(edge.max_body_bytes)
            body, size = parse(data), len(data)
        if operation.model:
            self._watch()
        call = Call(route, operation, parameters, body, head.query(), size)
        answered = await dispatcher.call(scope, call)
        result = answered.result
        if type(result) is dict:
            await self._respond(200, frames.body(result), _JSON, frames.fields(answered.headers))
        else:
            await self._other(result, frames.fields(answered.headers))

    def _watch(self) -> None:
        """Cancel the call when the client goes away: nobody reads what a model would still say."""
        self._task = asyncio.current_task()
        self._peer.watch(self._lost)

    def _lost(self) -> None:
        if self._task is not None and not self._gone:
            self._gone = True
            self._task.cancel()

    async def _other(self, result: Any, fields: bytes) -> None:
        match result:
            case Stream() as stream:
                await self._stream(stream, fields)
            case Content() as content:
                await self._content(content, fields)
            case value:
                await self._respond(200, frames.body(value), _JSON, fields)

    async def _stream(self, stream: Stream, fields: bytes) -> None:
        try:
            await self._pump(stream, fields)
            tail = b"" if stream.named else frames.DONE
        except BaseException as error:
            failure = self._failure(error)
            if failure is None:
                raise
            tail = frames.error_event(failure, named=stream.named)
        await self._peer.end(tail)

    async def _pump(self, stream: Stream, fields: bytes) -> None:
        """Send the events as they come; the answer's head goes out with the first of them."""
        batches, named, send = stream.batches, stream.named, self._peer.send
        events = frames.events
        try:
            async for batch in batches:
                if not self._status:
                    self._begin(_EVENTS, fields + _NO_CACHE)
                if batch:
                    await send(events(batch, named=named))
        finally:
            await batches.aclose()
        if not self._status:
            self._begin(_EVENTS, fields + _NO_CACHE)

    def _failure(self, error: BaseException) -> APIError | None:
        """What a stream that has begun says when `error` ends it; None if the error is to be raised
        on.
        """
        if not self._status or self._gone:
            return None
        match error:
            case APIError():
                return error
            case ClientGone():
                return None
            case asyncio.CancelledError():
                return ServerError("The server is shutting down.", code="server_shutting_down")
            case Exception():
                log.error("%s failed in its stream", self._request_id, exc_info=error)
                return frames.defect(self._request_id)
            case _:
                return None

    async def _content(self, content: Content, fields: bytes) -> None:
        self._begin(content.media_type.encode(), fields + frames.fields(content.headers))
        async for chunk in content.chunks:
            await self._peer.send(chunk)
        await self._peer.end(b"")

    async def _fail(self, error: APIError) -> None:
        if self._status:  # the head is out: only an early end can say so
            return
        body = frames.body(error.envelope())
        await self._respond(error.status, body, _JSON, frames.fields(error.headers.items()))

    async def _respond(
        self, status: int, data: bytes, media_type: bytes, fields: bytes = b""
    ) -> None:
        self._status = status
        await self._peer.respond(status, self._fields(media_type) + fields, data)

    def _begin(self, media_type: bytes, fields: bytes) -> None:
        self._status = 200
        self._peer.begin(200, self._fields(media_type) + fields)

    def _fields(self, media_type: bytes) -> bytes:
        """The header lines of every answer."""
        milliseconds = int((self._edge.clock.monotonic() - self._started) * 1000)
        lines = (
            b"content-type: %b\r\nx-request-id: %b\r\nopenai-version: 2020-10-01\r\n"
            b"openai-processing-ms: %d\r\n" % (media_type, self._request_id.encode(), milliseconds)
        )
        if self._organization is not None:
            lines += b"openai-organization: %b\r\n" % self._organization.encode()
        if self._edge.origins:
            lines += cors.lines(self._head, self._edge.origins)
        return lines
