"""A server whose Responses over WebSockets are made up, on a real port, and how to talk to it."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from inhouse.access import Access
from inhouse.clock import FrozenClock
from inhouse.contract import Contract
from inhouse.errors import BadRequest, RateLimited, ServerError, Unauthorized
from inhouse.http.edge import Edge
from inhouse.http.plain import Plain
from inhouse.http.protocol import Protocol
from inhouse.http.websocket import upgraded
from inhouse.ids import Ids
from inhouse.operations import Dispatcher, Operation, Stream, Table
from inhouse.scope import Principal, Scope
from inhouse.telemetry import Metrics

OWNER = Principal("user_1", "org_1", "proj_1", "key_1", frozenset({"*"}), "owner")
LIMIT = 20_000


class Desk:
    """Knows the keys in `good`, and what was settled."""

    def __init__(self) -> None:
        self.good = {"Bearer good"}
        self.settled: list[int] = []
        self.headers = ()

    async def authenticate(self, authorization: str | None, *_: str | None) -> Principal:
        if authorization not in self.good:
            raise Unauthorized("Incorrect API key provided.")
        return OWNER

    def authorise(self, principal: Principal, permission: str) -> None:
        pass

    def reserve(self, *_: object) -> "Desk":
        return self

    def settle(self, tokens: int) -> None:
        self.settled.append(tokens)

    async def record(self, scope: Scope, operation: str, status: int = 200) -> None:
        pass


class House:
    """A server whose responses say the words of their input, one delta each.

    `hold` in an input waits until `go` is set; `refuse`, `limit`, `break` and `defect` fail.
    """

    def __init__(self) -> None:
        self.desk, self.bodies, self.cancelled = Desk(), list[dict[str, Any]](), 0
        self.go, self.running, self.most, self.count = asyncio.Event(), 0, 0, 0
        self.begun, self.changed = asyncio.Event(), asyncio.Event()
        self.port = 0
        self.server = cast("uvicorn.Server", None)

    def edge(self, **options: Any) -> Edge:
        access = cast("Access", self.desk)
        clock, metrics = FrozenClock(), Metrics()
        operation = Operation("POST", "/responses", self.create, "model.request", model=True)
        dispatcher = Dispatcher(
            Table(Contract.load(), [operation]),
            access,
            cast("Any", self),
            lambda scope, model, requested: SimpleNamespace(scope=scope),
            clock,
            metrics,
        )
        plain = Plain(access, metrics, cast("Any", None), dict)
        return Edge(
            dispatcher=dispatcher,
            access=access,
            metrics=metrics,
            clock=clock,
            ids=Ids(),
            plain=plain,
            max_body_bytes=LIMIT,
            **options,
        )

    async def resolve(self, name: str) -> Any:
        return SimpleNamespace(id=name, context_length=None)

    async def create(self, ctx: Any, body: dict[str, Any]) -> Stream:
        self.bodies.append(body)
        given = body["input"]
        text = given if isinstance(given, str) else given[-1]["content"]
        if text == "refuse":
            raise BadRequest("Not that.", param="input", code="invalid_value")
        if text == "limit":
            raise RateLimited("Too many.", headers={"retry-after": "7"})
        self.count += 1
        return Stream(self.told(f"resp_{self.count}", text, body), named=True)

    async def told(
        self, response_id: str, text: str, body: dict[str, Any]
    ) -> AsyncGenerator[list[dict[str, Any]], None]:
        self.running += 1
        self.changed.set()
        self.most = max(self.most, self.running)
        previous = body.get("previous_response_id")
        response = {"id": response_id, "previous_response_id": previous, "output": []}
        try:
            yield [{"type": "response.created", "sequence_number": 0, "response": response}]
            self.begun.set()
            if "hold" in text:
                await self.go.wait()
            for number, word in enumerate(text.split(), 1):
                if word == "fail":
                    failed = {"type": "response.failed", "sequence_number": number}
                    yield [{**failed, "response": response}]
                    return
                if word == "break":
                    raise ServerError("The engine broke.", code="engine_failed")
                if word == "defect":
                    raise LookupError
                delta = {"type": "response.output_text.delta", "delta": word}
                yield [{**delta, "sequence_number": number}]
            last = {"type": "response.completed", "sequence_number": number + 1}
            said = {"type": "message", "role": "assistant", "content": text}
            yield [{**last, "response": {**response, "output": [said]}}]
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
            self.changed.set()

    async def until(self, running: int) -> None:
        """Wait until so many responses run."""
        while self.running != running:
            self.changed.clear()
            await self.changed.wait()

    @asynccontextmanager
    async def serving(
        self, pings: float = 20.0, protocol: Any = upgraded, **options: Any
    ) -> AsyncIterator[None]:
        """Serve; ping clients every so many seconds."""
        config = uvicorn.Config(
            self.edge(**options),
            http=cast("Any", Protocol),
            lifespan="off",
            log_config=None,
            ws=protocol,
            ws_max_size=LIMIT,
            ws_per_message_deflate=False,
            ws_ping_interval=pings,
            ws_ping_timeout=pings,
            timeout_graceful_shutdown=2,
        )
        listener = socket.create_server(("127.0.0.1", 0))
        self.server = server = uvicorn.Server(config)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup([listener])
        self.port = listener.getsockname()[1]
        try:
            yield
        finally:
            await server.shutdown([listener])

    def open(self, path: str = "/v1/responses", key: str = "good", **headers: str) -> connect:
        url = f"ws://127.0.0.1:{self.port}{path}"
        given = {"Authorization": f"Bearer {key}", **headers}
        return connect(url, additional_headers=given, compression=None, close_timeout=0.2)


async def ask(socket: ClientConnection, text: Any, **fields: Any) -> None:
    await socket.send(
        json.dumps({"type": "response.create", "model": "m", "input": text, **fields})
    )


async def hear(socket: ClientConnection) -> dict[str, Any]:
    return json.loads(await socket.recv())


async def rest(socket: ClientConnection) -> list[dict[str, Any]]:
    """The events up to one that ends a response, or to an error."""
    events = [await hear(socket)]
    while events[-1]["type"] not in {"response.completed", "response.failed", "error"}:
        events.append(await hear(socket))
    return events


def words(events: list[dict[str, Any]]) -> list[str]:
    return [event["delta"] for event in events if "delta" in event]
