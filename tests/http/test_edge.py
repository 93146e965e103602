"""The edge decodes and encodes; what it is given to call is made up here."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.asgi import Received, ask

from inhouse.access import Access
from inhouse.clock import FrozenClock
from inhouse.contract import Contract
from inhouse.errors import APIError, BadRequest, ServerError, Unauthorized
from inhouse.http.edge import Edge
from inhouse.http.plain import Plain
from inhouse.ids import Ids
from inhouse.operations import Dispatcher, Operation, Stream, Table
from inhouse.scope import Principal, Scope
from inhouse.telemetry import Metrics

CHAT = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": true}'
OWNER = Principal("user_1", "org_1", "proj_1", "key_1", frozenset({"*"}), "owner")


class Reserved:
    """A reservation that remembers what it was settled with."""

    headers = (("x-ratelimit-limit-requests", "10"),)

    def __init__(self) -> None:
        self.settled: list[int] = []

    def settle(self, tokens: int) -> None:
        self.settled.append(tokens)


class Desk:
    """Knows one key, `good`, and keeps what was recorded."""

    def __init__(self) -> None:
        self.recorded: list[tuple[str, int, int]] = []
        self.reserved = Reserved()

    async def authenticate(self, authorization: str | None, *_: str | None) -> Principal:
        if authorization != "Bearer good":
            raise Unauthorized("Incorrect API key provided.")
        return OWNER

    def authorise(self, principal: Principal, permission: str) -> None:
        pass

    def reserve(self, *_: object) -> Reserved:
        return self.reserved

    async def record(self, scope: Scope, operation: str, status: int = 200) -> None:
        self.recorded.append((operation, scope.usage.total, status))


class House:
    """An edge over handlers given by the test."""

    def __init__(self, chat: Any = None, models: Any = None, **options: Any) -> None:
        self.desk = Desk()
        access = cast("Access", self.desk)
        clock, metrics = FrozenClock(), Metrics()
        operations = [
            Operation("POST", "/chat/completions", chat, "model.request", model=True),
            Operation("GET", "/models", models, "models.read"),
        ]
        dispatcher = Dispatcher(
            Table(Contract.load(), operations),
            access,
            cast("Any", self),
            lambda scope, model, requested: SimpleNamespace(scope=scope, model=model),
            clock,
            metrics,
        )
        plain = Plain(access, metrics, self.health, lambda: {"openapi": "3.1.0"})
        limit = options.pop("max_body_bytes", 10_000)
        self.edge = Edge(dispatcher, access, metrics, clock, Ids(), plain, limit, **options)

    async def resolve(self, name: str) -> Any:
        return SimpleNamespace(id=name, context_length=None)

    async def health(self) -> tuple[bool, dict[str, Any]]:
        return False, {"database": "not answering"}

    async def ask(self, method: str, path: str, body: Any = b"", **options: Any) -> Received:
        headers = {"authorization": "Bearer good", **options.pop("headers", {})}
        return await ask(self.edge, method, path, headers=headers, body=body, **options)


def events_of(*batches: Sequence[dict[str, Any]] | BaseException) -> Any:
    """A chat handler that streams `batches`, and raises those that are errors."""

    async def generate(ctx: Any) -> AsyncGenerator[Sequence[dict[str, Any]], None]:
        for batch in batches:
            if isinstance(batch, BaseException):
                raise batch
            ctx.scope.usage.output += len(batch)
            yield batch

    async def handler(ctx: Any, body: Any) -> Stream:
        return Stream(generate(ctx))

    return handler


async def test_a_batch_of_events_is_one_write_and_done_ends_the_stream() -> None:
    house = House(chat=events_of([{"n": 1}, {"n": 2}], [{"n": 3}]))
    answer = await house.ask("POST", "/v1/chat/completions", CHAT)
    assert answer.pieces == [
        b'data: {"n":1}\n\ndata: {"n":2}\n\n',
        b'data: {"n":3}\n\n',
        b"data: [DONE]\n\n",
    ]
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["x-ratelimit-limit-requests"] == "10"
    assert house.desk.recorded == [("POST /chat/completions", 3, 200)]
    assert house.desk.reserved.settled == [3]


async def test_an_error_before_the_first_event_has_its_own_status() -> None:
    house = House(chat=events_of(BadRequest("too long", code="context_length_exceeded")))
    answer = await house.ask("POST", "/v1/chat/completions", CHAT)
    assert answer.status == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"


async def test_an_error_after_the_first_event_is_an_event() -> None:
    house = House(chat=events_of([{"n": 1}], ServerError("the engine died")))
    answer = await house.ask("POST", "/v1/chat/completions", CHAT)
    assert answer.status == 200
    assert answer.events()[1]["error"]["message"] == "the engine died"
    assert "[DONE]" not in answer.events()
    assert house.desk.recorded == [("POST /chat/completions", 1, 500)]


async def test_a_defect_is_a_500_that_tells_nothing_but_the_request_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(ctx: Any) -> Any:
        raise RuntimeError("secret detail")

    answer = await House(models=broken).ask("GET", "/v1/models")
    assert answer.status == 500
    assert answer.json()["error"]["type"] == "server_error"
    assert answer.headers["x-request-id"] in answer.json()["error"]["message"]
    assert b"secret detail" not in answer.body
    assert "secret detail" in caplog.text


async def test_a_client_that_goes_away_ends_the_generation() -> None:
    gone, closed = asyncio.Event(), asyncio.Event()

    async def endless(ctx: Any) -> AsyncGenerator[Any, None]:
        try:
            while True:
                ctx.scope.usage.output += 1
                yield [{"n": 1}]
                gone.set()
                await asyncio.sleep(0.001)
        finally:
            closed.set()

    async def handler(ctx: Any, body: Any) -> Stream:
        return Stream(endless(ctx))

    house = House(chat=handler)
    async with asyncio.timeout(5):
        await house.ask("POST", "/v1/chat/completions", CHAT, gone=gone)
    assert closed.is_set()
    assert [(name, status) for name, _, status in house.desk.recorded] == [
        ("POST /chat/completions", 499)
    ]


async def test_a_server_that_stops_says_so_in_its_streams() -> None:
    begun = asyncio.Event()

    async def waiting(ctx: Any) -> AsyncGenerator[Any, None]:
        yield [{"n": 1}]
        begun.set()
        await asyncio.Event().wait()

    async def handler(ctx: Any, body: Any) -> Stream:
        return Stream(waiting(ctx))

    task = asyncio.ensure_future(House(chat=handler).ask("POST", "/v1/chat/completions", CHAT))
    await begun.wait()
    task.cancel()
    answer = await task
    assert answer.events()[-1]["error"]["code"] == "server_shutting_down"


async def listing(ctx: Any) -> dict[str, Any]:
    return {"object": "list", "data": []}


async def test_every_answer_carries_the_request_id_the_version_and_its_time() -> None:
    house = House(models=listing)
    for path in ("/v1/models", "/v1/nothing", "/healthz", "/v1/files"):
        headers = (await house.ask("GET", path)).headers
        assert headers["x-request-id"].startswith("req_")
        assert headers["openai-version"] == "2020-10-01"
        assert headers["openai-processing-ms"] == "0"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "unknown_url"),
        ("GET", "/nothing", 404, "unknown_url"),
        ("GET", "/", 404, "unknown_url"),
        ("PATCH", "/v1/models", 405, "method_not_supported"),
        ("POST", "/healthz", 405, "method_not_supported"),
        ("GET", "/v1/files", 501, "not_implemented"),
    ],
)
async def test_what_cannot_be_served_says_why(
    method: str, path: str, status: int, code: str
) -> None:
    answer = await House(models=listing).ask(method, path)
    assert (answer.status, answer.json()["error"]["code"]) == (status, code)


async def test_a_pending_operation_wants_a_key_too() -> None:
    answer = await ask(House(models=listing).edge, "GET", "/v1/files")
    assert answer.status == 401


@pytest.mark.parametrize(
    "body", [b"x" * 10_001, [b"x" * 6000, b"x" * 6000]], ids=["at once", "in pieces"]
)
async def test_a_body_over_the_limit_is_a_413(body: Any) -> None:
    answer = await House(chat=events_of()).ask("POST", "/v1/chat/completions", body)
    assert (answer.status, answer.json()["error"]["code"]) == (413, "request_too_large")
    assert answer.headers["connection"] == "close"


async def test_a_declared_length_over_the_limit_is_refused_unread() -> None:
    headers = {"content-length": "10001"}
    answer = await House(chat=events_of()).ask("POST", "/v1/chat/completions", b"", headers=headers)
    assert answer.status == 413


async def test_a_body_in_pieces_is_one_body() -> None:
    house = House(chat=events_of([{"n": 1}]))
    answer = await house.ask("POST", "/v1/chat/completions", [CHAT[:9], CHAT[9:20], CHAT[20:]])
    assert answer.status == 200


async def test_another_content_type_than_json_is_refused() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await House(chat=events_of()).ask(
        "POST", "/v1/chat/completions", CHAT, headers=headers
    )
    assert (answer.status, answer.json()["error"]["code"]) == (400, "unsupported_content_type")


async def test_a_client_request_id_must_be_short_and_ascii() -> None:
    house = House(models=listing)
    for value, status in (("abc-1", 200), ("x" * 513, 400), ("é", 400)):
        headers = {"x-client-request-id": value}
        assert (await house.ask("GET", "/v1/models", headers=headers)).status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "localhost:8420"}, 200),
        ({"host": "[::1]:8420"}, 200),
        ({"host": "attacker.example"}, 403),
        ({"host": "127.0.0.1", "origin": "https://attacker.example"}, 403),
        ({"host": "127.0.0.1", "origin": "http://localhost:3000"}, 200),
        ({"host": "LOCALHOST", "origin": "http://[::1]:3000"}, 200),
        ({"host": "localhost.attacker.example"}, 403),
    ],
)
async def test_without_authentication_only_loopback_names_pass(
    headers: dict[str, str], status: int
) -> None:
    house = House(models=listing, loopback_only=True)
    assert (await house.ask("GET", "/v1/models", headers=headers)).status == status


async def test_live_and_ready_are_told_apart() -> None:
    house = House()
    assert (await ask(house.edge, "GET", "/healthz/live")).status == 200
    answer = await ask(house.edge, "GET", "/healthz")
    assert (answer.status, answer.json()) == (
        503,
        {"status": "not ready", "database": "not answering"},
    )


async def test_metrics_need_an_owners_key_and_count_answers() -> None:
    house = House(models=listing)
    assert (await ask(house.edge, "GET", "/metrics")).status == 401
    await house.ask("GET", "/v1/models")
    text = (await house.ask("GET", "/metrics")).body.decode()
    assert 'inhouse_requests_total{operation="GET /models",status="200"} 1.0' in text


async def test_an_unmatched_error_body_is_the_envelope() -> None:
    answer = await House(models=listing).ask("GET", "/v1/nothing")
    assert set(json.loads(answer.body)["error"]) == {"message", "type", "param", "code"}
    assert isinstance(APIError("x").envelope()["error"], dict)
