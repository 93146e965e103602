"""Responses over a WebSocket: the handshake. What is said afterwards is in `lanes.py`.

`GET /v1/responses` with an upgrade, the key in the Authorization header as everywhere. What is
refused is refused before the upgrade, with the status and the body of a plain request.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from inhouse.errors import APIError, NotFound
from inhouse.http import frames
from inhouse.http.lanes import Lanes, Receive, Send
from inhouse.http.origins import check_loopback, check_origin
from inhouse.operations import Call
from inhouse.scope import Scope
from inhouse.telemetry import log

if TYPE_CHECKING:
    from inhouse.http.edge import Edge
    from inhouse.operations import Json, Stream

_NAME = "WS /responses"


async def serve(edge: "Edge", scope: Any, receive: Receive, send: Send) -> None:
    """One connection, from its handshake to its end."""
    started, request_id = edge.clock.monotonic(), edge.ids("req_")
    if (await receive())["type"] != "websocket.connect":
        return
    line, status = Line(edge, scope["path"], dict(scope["headers"])), 101
    try:
        await line.admit()
    except APIError as error:
        status = error.status
        await _refuse(send, error, request_id)
    else:
        headers = [(b"x-request-id", request_id.encode()), (b"openai-version", b"2020-10-01")]
        await send({"type": "websocket.accept", "headers": headers})
        await Lanes(line, receive, send).run()
    finally:
        seconds = edge.clock.monotonic() - started
        edge.metrics.answered(_NAME, status, seconds)
        log.info("%s %s %s %.3f", request_id, _NAME, status, seconds)


async def _refuse(send: Send, error: APIError, request_id: str) -> None:
    body = frames.body(error.envelope())
    headers = {"content-type": "application/json", "x-request-id": request_id, **error.headers}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": raw})
    await send({"type": "websocket.http.response.body", "body": body})


class Line:
    """What a connection asks of the server: may it, and do this."""

    def __init__(self, edge: "Edge", path: str, headers: dict[bytes, bytes]) -> None:
        self._edge = edge
        self._path = path
        self._headers = headers
        self.ids = edge.ids
        self.max_body_bytes = edge.max_body_bytes

    async def admit(self) -> None:
        """Raises 403 (host, origin, permission), 404, 401, 501."""
        edge, host, origin = self._edge, self._header(b"host"), self._header(b"origin")
        if edge.loopback_only:
            check_loopback(host, origin)
        check_origin(host, origin, edge.origins)
        if self._path != "/v1/responses":
            raise NotFound(
                f"No WebSocket is served at {self._path}. The Responses API is at /v1/responses.",
                code="unknown_url",
            )
        await self._scope("")

    def _header(self, name: bytes) -> str | None:
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    async def _scope(self, request_id: str) -> Scope:
        """Who asks, checked anew for each request: a key may have been revoked meanwhile."""
        edge, header = self._edge, self._header
        principal = await edge.access.authenticate(
            header(b"authorization"), header(b"openai-organization"), header(b"openai-project")
        )
        edge.dispatcher.admit(principal, edge.dispatcher.table.match("POST", "/responses")[0])
        return Scope(principal.organization, principal.project, principal, request_id)

    async def create(self, request_id: str, body: "Json", size: int) -> "Stream":
        """Begin the response that `body` (of `size` bytes) asks for."""
        scope = await self._scope(request_id)
        dispatcher = self._edge.dispatcher
        route, parameters = dispatcher.table.match("POST", "/responses")
        operation = dispatcher.admit(scope.principal, route)
        answer = await dispatcher.call(scope, Call(route, operation, parameters, body, (), size))
        result: Any = answer.result
        return result

    def answered(self, request_id: str, status: int, started: float) -> None:
        """Count and log one response."""
        seconds = self.now() - started
        self._edge.metrics.answered("POST /responses", status, seconds)
        log.info("%s POST /responses (WS) %s %.3f", request_id, status, seconds)

    def now(self) -> float:
        """Monotonic seconds."""
        return self._edge.clock.monotonic()


def upgraded(**options: Any) -> asyncio.Protocol:
    """uvicorn's side of an upgraded connection, loaded when the first one comes."""
    from inhouse.http.websocket_protocol import WebSocketProtocol  # noqa: PLC0415 - 30 ms, see above

    return WebSocketProtocol(**options)
