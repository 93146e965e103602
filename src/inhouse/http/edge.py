"""The edge: one ASGI application. It decodes requests, encodes answers, and decides nothing else.

Numbered life of a request: 1 `Edge.__call__` makes an `Exchange`; 2 the route is found, the key and
its permission are checked; 3 the body is read and parsed; 4 the dispatcher does the rest; 5 the
answer is sent: JSON, bytes, or events. Nothing is sent before the first event is there, so that
what fails early has its own status; what fails later is an `error` event.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from inhouse.access import Access
from inhouse.clock import Clock
from inhouse.contract import parse
from inhouse.errors import APIError, PermissionDenied, ServerError
from inhouse.http import frames, websocket
from inhouse.http.plain import Plain
from inhouse.http.request import ASGIScope, ClientGone, Head, Receive, Send, read_body
from inhouse.ids import IdMaker
from inhouse.operations import Call, Content, Dispatcher, Stream
from inhouse.scope import Scope
from inhouse.telemetry import Metrics, log

_CLIENT_CLOSED_REQUEST = 499
_UNWATCHED_SECONDS = 0.02
"""A call that is done sooner needs no task that watches for its client's going."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Edge:
    """The ASGI application.

    `max_body_bytes` limits JSON bodies. With `loopback_only` (no authentication) requests are
    refused whose Host is not a loopback name, so that a web page cannot reach the server by a name
    of its own. Pages of `origins` may open WebSockets (`*`: all), others only the server's own.
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

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await Exchange(self, scope, receive, send).run()
            case "websocket":
                await websocket.serve(self, scope, receive, send)
            case kind:
                raise NotImplementedError(f"ASGI scope {kind}")


class Exchange:
    """One request and its answer."""

    def __init__(self, edge: Edge, scope: ASGIScope, receive: Receive, send: Send) -> None:
        self._edge = edge
        self._head = Head(scope)
        self._receive = receive
        self._send = send
        self._started = edge.clock.monotonic()
        self._request_id = edge.ids("req_")
        self._status = 0
        self._operation = "unknown"
        self._organization: str | None = None
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
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            self._status = _CLIENT_CLOSED_REQUEST
        except Exception:  # noqa: BLE001 - the last resort of a request
            log.exception("%s failed", self._request_id)
            await self._fail(_defect(self._request_id))
        finally:
            edge = self._edge
            seconds = edge.clock.monotonic() - self._started
            edge.metrics.answered(self._operation, self._status, seconds)
            log.info("%s %s %s %.3f", self._request_id, self._operation, self._status, seconds)

    async def _answer(self) -> None:
        edge, head = self._edge, self._head
        if edge.loopback_only:
            _check_host(head)
        path = head.path
        if not path.startswith("/v1/"):
            answer = await edge.plain.answer(head)
            self._operation = path
            await self._respond(answer.status, answer.body, answer.media_type.encode())
            return
        route, parameters = edge.dispatcher.table.match(head.method, path[3:])
        self._operation = route.key
        principal = await edge.access.authenticate(
            head.header(b"authorization"),
            head.header(b"openai-organization"),
            head.header(b"openai-project"),
        )
        self._organization = principal.organization
        operation = edge.dispatcher.admit(principal, route)
        scope = Scope(
            principal.organization,
            principal.project,
            principal,
            self._request_id,
            client_request_id=head.client_request_id(),
        )
        body, size = None, 0
        if route.spec.body:
            head.require_json()
            data = await read_body(head, self._receive, edge.max_body_bytes)
            body, size = parse(data), len(data)
        call = Call(route, operation, parameters, body, head.query(), size)
        if operation.model:
            await self._watched(scope, call)
        else:
            await self._call(scope, call)

    async def _watched(self, scope: Scope, call: Call) -> None:
        """Do the call, and cancel it when the client goes away: nobody reads what a model would
        still say.
        """
        task = asyncio.current_task()
        watchers: list[asyncio.Task[None]] = []

        def watch() -> None:
            watchers.append(asyncio.ensure_future(self._watch(task)))

        timer = asyncio.get_running_loop().call_later(_UNWATCHED_SECONDS, watch)
        try:
            await self._call(scope, call)
        finally:
            timer.cancel()
            for watcher in watchers:
                watcher.cancel()

    async def _watch(self, task: "asyncio.Task[Any] | None") -> None:
        message = await self._receive()
        if message["type"] == "http.disconnect" and task is not None:
            self._gone = True
            task.cancel()

    async def _call(self, scope: Scope, call: Call) -> None:
        answer = await self._edge.dispatcher.call(scope, call)
        headers = [(name.encode(), value.encode()) for name, value in answer.headers]
        match answer.result:
            case Stream() as stream:
                await self._stream(stream, headers)
            case Content() as content:
                await self._content(content, headers)
            case value:
                await self._respond(200, frames.body(value), b"application/json", headers)

    async def _stream(self, stream: Stream, headers: list[tuple[bytes, bytes]]) -> None:
        try:
            await self._pump(stream, headers)
            tail = b"" if stream.named else frames.DONE
        except BaseException as error:
            failure = self._failure(error)
            if failure is None:
                raise
            tail = frames.error_event(failure, named=stream.named)
        await self._send({"type": "http.response.body", "body": tail})

    async def _pump(self, stream: Stream, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the events as they come; the answer's head goes out with the first of them."""
        batches, named, send = stream.batches, stream.named, self._send
        try:
            async for batch in batches:
                if not self._status:
                    await self._start(200, _EVENTS, headers, _NO_CACHE)
                if batch:
                    data = frames.events(batch, named=named)
                    await send({"type": "http.response.body", "body": data, "more_body": True})
        finally:
            await batches.aclose()
        if not self._status:
            await self._start(200, _EVENTS, headers, _NO_CACHE)

    def _failure(self, error: BaseException) -> APIError | None:
        """What a stream that has begun says when `error` ends it; None if the error is to be raised
        on.
        """
        if not self._status or self._gone:
            return None
        match error:
            case APIError():
                return error
            case asyncio.CancelledError():
                return ServerError("The server is shutting down.", code="server_shutting_down")
            case Exception():
                log.error("%s failed in its stream", self._request_id, exc_info=error)
                return _defect(self._request_id)
            case _:
                return None

    async def _content(self, content: Content, headers: list[tuple[bytes, bytes]]) -> None:
        own = [(name.encode(), value.encode()) for name, value in content.headers]
        await self._start(200, content.media_type.encode(), headers, own)
        async for chunk in content.chunks:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def _fail(self, error: APIError) -> None:
        if self._status:  # the head is out: only an early end can say so
            return
        headers = [(name.encode(), value.encode()) for name, value in error.headers.items()]
        await self._respond(
            error.status, frames.body(error.envelope()), b"application/json", headers
        )

    async def _respond(
        self,
        status: int,
        data: bytes,
        media_type: bytes,
        headers: list[tuple[bytes, bytes]] | None = None,
    ) -> None:
        length = [(b"content-length", b"%d" % len(data))]
        await self._start(status, media_type, headers or [], length)
        await self._send({"type": "http.response.body", "body": data})

    async def _start(
        self,
        status: int,
        media_type: bytes,
        headers: list[tuple[bytes, bytes]],
        more: list[tuple[bytes, bytes]],
    ) -> None:
        self._status = status
        milliseconds = int((self._edge.clock.monotonic() - self._started) * 1000)
        own = [
            (b"content-type", media_type),
            (b"x-request-id", self._request_id.encode()),
            (b"openai-version", b"2020-10-01"),
            (b"openai-processing-ms", b"%d" % milliseconds),
        ]
        if self._organization is not None:
            own.append((b"openai-organization", self._organization.encode()))
        await self._send(
            {"type": "http.response.start", "status": status, "headers": own + more + headers}
        )


_EVENTS = b"text/event-stream; charset=utf-8"
_NO_CACHE = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


def _check_host(head: Head) -> None:
    origin = head.header(b"origin")
    foreign = origin is not None and _name(origin.partition("://")[2]) not in _LOOPBACK
    if foreign or _name(head.header(b"host") or "") not in _LOOPBACK:
        raise PermissionDenied(
            "This server runs without authentication and answers only to loopback host names.",
            code="host_not_allowed",
        )


def _name(host: str) -> str:
    """The name or address of `host`, `host:port` or `[address]:port`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _defect(request_id: str) -> ServerError:
    return ServerError(
        "The server had an error while processing your request. Please report it with the "
        f"request id {request_id}."
    )
