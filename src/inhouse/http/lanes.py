"""Responses over a WebSocket: what is said on one connection.

Messages are JSON texts. `response.create` has the fields of `POST /responses`; its events come back
as they would over HTTP, one message each. A `stream_id` names a lane: requests of one lane are
answered one after the other, those of different lanes at the same time, and events carry their
lane's name. What is wrong with a message is an `error` event, and the connection goes on.

All of it is bounded: lanes, responses at a time, requests that wait (then nothing more is read),
the connection's age. When the client is gone, what runs for it is cancelled.
"""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from inhouse.contract import parse
from inhouse.errors import APIError, BadRequest, Unavailable
from inhouse.http import frames
from inhouse.http.remembered import Remembered, resumed
from inhouse.ids import IdMaker
from inhouse.telemetry import log

if TYPE_CHECKING:
    from inhouse.operations import Json, Stream

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MOST_LANES = 32
MOST_AT_ONCE = 16
MOST_WAITING = 64
_STREAM_ID = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_CLIENT_CLOSED_REQUEST = 499
_LAST = frozenset({"response.completed", "response.incomplete", "response.failed"})
_NORMAL, _RESTART = 1000, 1012


class Answering(Protocol):
    """What a connection asks of the server; `websocket.Line` is one."""

    @property
    def ids(self) -> IdMaker: ...
    @property
    def max_body_bytes(self) -> int: ...
    async def create(self, request_id: str, body: "Json", size: int) -> "Stream": ...
    def answered(self, request_id: str, status: int, started: float) -> None: ...
    def now(self) -> float: ...


class Gone(Exception):
    """The client has closed the connection, or does not read what it is sent."""


@dataclass(slots=True)
class Lane:
    """One `stream_id` (None: requests that name none), its requests and its newest responses."""

    name: str | None
    waiting: "deque[tuple[Json, int]]" = field(default_factory=deque["tuple[Json, int]"])
    busy: bool = False
    running: str | None = None
    latest: str | None = None
    sequence: int | None = None


class Lanes:
    """One connection after its handshake.

    `slowest_seconds` is how long a client may leave one message unread; `oldest_seconds` how long a
    connection may last.
    """

    def __init__(
        self,
        line: Answering,
        receive: Receive,
        send: Send,
        *,
        slowest_seconds: float = 30.0,
        oldest_seconds: float = 3600.0,
    ) -> None:
        self._line = line
        self._receive = receive
        self._send = send
        self._slowest_seconds = slowest_seconds
        self._oldest_seconds = oldest_seconds
        self._lanes: dict[str | None, Lane] = {}
        self._remembered = Remembered(line.max_body_bytes)
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._room = asyncio.Event()
        self._room.set()
        self._waiting = self._waiting_bytes = self._steered = 0
        self._stopping = False

    async def run(self) -> None:
        """Answer until the client is gone, the server stops or the connection is too old."""
        try:
            await self._converse()
        except asyncio.CancelledError:  # the server stops and cannot wait any longer
            with suppress(Gone):
                await self._tell(_stopping(), None)
                await self._close(_RESTART, "the server is shutting down")
            raise

    async def _converse(self) -> None:
        try:
            async with asyncio.TaskGroup() as self._tasks:
                await self._read()
            await self._end()
        except* Gone:
            pass

    async def _end(self) -> None:
        if self._stopping:
            await self._close(_RESTART, "the server is shutting down")
            return
        minutes = round(self._oldest_seconds / 60)
        error = BadRequest(
            f"This connection has reached its limit of {minutes} minutes. Open a new one to go on.",
            code="websocket_connection_limit_reached",
        )
        await self._tell(error, None)
        await self._close(_NORMAL, "the connection has reached its limit")

    async def _read(self) -> None:
        """Take messages; return when no more are to be taken."""
        try:
            async with asyncio.timeout(self._oldest_seconds):
                while not self._stopping:
                    await self._room.wait()
                    await self._take(await self._receive())
        except TimeoutError:
            return

    async def _take(self, message: Any) -> None:
        match message["type"]:
            case "websocket.receive":
                await self._understand(message)
            case "websocket.draining":
                self._stopping = True
            case _:
                raise Gone

    async def _understand(self, message: Any) -> None:
        text = message.get("text")
        data: bytes = message.get("bytes") or b"" if text is None else text.encode()
        lane: Lane | None = None
        try:
            event = parse(data)
            match event.get("type") if isinstance(event, dict) else None:
                case "response.create":
                    lane = self._lane(event.pop("stream_id", None))
                    self._add(lane, event, len(data))
                case "response.steer":
                    await self._steer(event)
                case kind:
                    raise _unknown(kind)
        except APIError as error:
            await self._tell(error, lane)

    def _lane(self, name: object) -> Lane:
        """The lane of that name, new if there is room for one more."""
        if name is not None and not (isinstance(name, str) and _STREAM_ID.fullmatch(name)):
            raise BadRequest(
                "Invalid 'stream_id': expected a string of 1 to 256 characters out of letters, "
                "numbers, underscores, hyphens and periods.",
                param="stream_id",
                code="invalid_stream_id",
            )
        if name not in self._lanes:
            if name is not None and len(self._lanes.keys() - {None}) >= MOST_LANES:
                raise _TooMany(name)
            self._lanes[name] = Lane(name)
        return self._lanes[name]

    def _add(self, lane: Lane, body: "Json", size: int) -> None:
        del body["type"]
        given = body.pop("stream", None)
        if given is not None and given is not True:
            raise BadRequest(
                "Invalid value: 'stream' is implicit over a WebSocket.",
                param="stream",
                code="invalid_value",
            )
        for name, allowed in (("background", False), ("generate", True)):
            given = body.pop(name, None)
            if given is not None and given is not allowed:
                raise BadRequest(
                    f"Unsupported value: '{name}' must be {str(allowed).lower()} or absent over a "
                    "WebSocket.",
                    param=name,
                    code="unsupported_value",
                )
        lane.waiting.append(({**body, "stream": True}, size))
        self._count(1, size)
        if not lane.busy:
            lane.busy = True
            self._tasks.create_task(self._work(lane))

    def _count(self, requests: int, size: int) -> None:
        """Read on only while what waits has not used up its share."""
        self._waiting += requests
        self._waiting_bytes += size
        if self._waiting < MOST_WAITING and self._waiting_bytes < self._line.max_body_bytes:
            self._room.set()
        else:
            self._room.clear()

    async def _work(self, lane: Lane) -> None:
        """Answer a lane's requests, one after the other."""
        try:
            while lane.waiting:
                body, size = lane.waiting.popleft()
                async with self._slots:
                    await self._answer(lane, body, size)
                self._count(-1, -size)
        finally:
            lane.busy = False

    async def _answer(self, lane: Lane, body: "Json", size: int) -> None:
        line, status = self._line, _CLIENT_CLOSED_REQUEST
        request_id, started = line.ids("req_"), line.now()
        lane.sequence = None
        try:
            if self._stopping:
                raise _stopping()  # noqa: TRY301 - told like every other error
            await self._stream(lane, request_id, body, size)
            status = 200
        except APIError as error:
            status = error.status
            await self._fail(lane, body, error)
        except Gone:
            raise
        except Exception:  # noqa: BLE001 - the last resort of a request
            status = 500
            log.exception("%s failed", request_id)
            await self._fail(lane, body, frames.defect(request_id))
        finally:
            lane.running = None
            line.answered(request_id, status, started)

    async def _stream(self, lane: Lane, request_id: str, asked: "Json", size: int) -> None:
        previous = asked.get("previous_response_id")
        kept = None if previous is None else self._remembered.find(previous)
        body = asked if kept is None else resumed(asked, kept)
        stream = await self._line.create(request_id, body, size)
        try:
            async for batch in stream.batches:
                for event in batch:
                    await self._pass(lane, asked, body, event)
        finally:
            await stream.batches.aclose()

    async def _pass(self, lane: Lane, asked: "Json", body: "Json", event: "Json") -> None:
        """Send one event. `body` is what was done for what the client `asked`: with the items of
        the previous response, where only this connection remembers it.
        """
        lane.sequence = event.get("sequence_number")
        response = event.get("response")
        if response is not None:
            lane.running = response["id"]
            if body is not asked and body.get("store") is False:
                response = {**response, "previous_response_id": asked["previous_response_id"]}
                event = {**event, "response": response}
            if event["type"] in _LAST:
                lane.latest = response["id"]
                if event["type"] == "response.failed":
                    self._remembered.forget(lane.name, asked.get("previous_response_id"))
                else:
                    self._remembered.keep(lane.name, body, response)
        await self._say(event, lane.name)

    async def _fail(self, lane: Lane, body: "Json", error: APIError) -> None:
        self._remembered.forget(lane.name, body.get("previous_response_id"))
        await self._tell(error, lane)

    async def _steer(self, event: "Json") -> None:
        """Give the input back: no engine here can take it while it generates."""
        given, target = event.get("input"), event.get("previous_response_id")
        if not isinstance(target, str) or not isinstance(given, str | list) or not given:
            raise BadRequest(
                "Invalid 'response.steer': expected a 'previous_response_id' and an 'input' that "
                "is a string or a list of messages.",
                param="input" if isinstance(target, str) else "previous_response_id",
                code="invalid_value",
            )
        lanes = self._lanes.values()
        lane = next((lane for lane in lanes if target in {lane.running, lane.latest}), None)
        if lane is None:
            code, reason = "response_not_found", "is not one of this connection"
        elif target == lane.running:
            code, reason = "steering_not_supported", "runs on an engine that cannot be steered"
        else:
            code, reason = "response_already_completed", "has ended"
        error = {
            "type": "invalid_request_error",
            "code": code,
            "message": f"The response '{target}' {reason}.",
        }
        steer = {"previous_response_id": target, "input": given}
        answer = {
            "type": "response.steer.failed",
            "sequence_number": self._steered,
            "steer": steer,
            "error": error,
        }
        self._steered += 1
        await self._say(answer, lane.name if lane else None)

    async def _tell(self, error: APIError, lane: Lane | None) -> None:
        """Send an `error` event, with the lane it belongs to, if that is known."""
        name = lane.name if lane else getattr(error, "lane", None)
        detail: Json = dict(error.envelope()["error"])
        if error.headers:
            detail["headers"] = error.headers
        event: Json = {"type": "error", "status": error.status, "error": detail}
        if lane is not None and lane.sequence is not None:
            event["sequence_number"] = lane.sequence + 1
        await self._say(event, name)

    async def _say(self, event: "Json", lane: str | None) -> None:
        if lane is not None:
            event = {**event, "stream_id": lane}
        await self._put({"type": "websocket.send", "text": orjson.dumps(event).decode()})

    async def _close(self, code: int, reason: str) -> None:
        await self._put({"type": "websocket.close", "code": code, "reason": reason})

    async def _put(self, message: "Json") -> None:
        """Hand a message to the connection; a client that does not read for long is as good as
        gone.
        """
        try:
            async with asyncio.timeout(self._slowest_seconds):
                await self._send(message)
        except OSError:  # the connection is closed; TimeoutError is one too
            raise Gone from None


class _TooMany(BadRequest):
    """A lane more than a connection may have."""

    code = "websocket_stream_limit_reached"

    def __init__(self, lane: str) -> None:
        super().__init__(
            f"This connection has {MOST_LANES} streams already, the most that one may have. Use "
            "one of them, or open another connection.",
            param="stream_id",
        )
        self.lane = lane


def _unknown(kind: object) -> BadRequest:
    if kind is None:
        return BadRequest(
            "Missing required parameter: 'type'.", param="type", code="missing_required_parameter"
        )
    return BadRequest(
        f"Invalid value: '{kind}'. Supported values are: 'response.create' and 'response.steer'.",
        param="type",
        code="invalid_value",
    )


def _stopping() -> Unavailable:
    return Unavailable("The server is shutting down.", code="server_shutting_down")
