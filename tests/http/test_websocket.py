"""Responses over a WebSocket, on a real port; what answers them is made up here."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from inhouse.access import Access
from inhouse.clock import FrozenClock
from inhouse.contract import Contract
from inhouse.errors import BadRequest, RateLimited, ServerError, Unauthorized
from inhouse.http.edge import Edge
from inhouse.http.lanes import Lanes
from inhouse.http.plain import Plain
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
    async def serving(self, **options: Any) -> AsyncIterator[None]:
        config = uvicorn.Config(
            self.edge(**options),
            lifespan="off",
            log_config=None,
            ws=cast("Any", upgraded),
            ws_max_size=LIMIT,
            ws_per_message_deflate=False,
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


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    async with asyncio.timeout(20), made.serving():
        yield made


async def ask(socket: ClientConnection, text: Any, **fields: Any) -> None:
    await socket.send(
        json.dumps({"type": "response.create", "model": "m", "input": text, **fields})
    )


async def hear(socket: ClientConnection) -> dict[str, Any]:
    return json.loads(await socket.recv())


async def rest(socket: ClientConnection) -> list[dict[str, Any]]:
    """The events up to one that ends a response, or to an error."""
    events = [await hear(socket)]
    while events[-1]["type"] not in {"response.completed", "error"}:
        events.append(await hear(socket))
    return events


def words(events: list[dict[str, Any]]) -> list[str]:
    return [event["delta"] for event in events if "delta" in event]


async def test_a_message_is_answered_with_the_events_of_its_response(house: House) -> None:
    async with house.open() as line:
        await ask(line, "one two", temperature=0.5)
        events = await rest(line)
        assert [event["sequence_number"] for event in events] == [0, 1, 2, 3]
        assert words(events) == ["one", "two"]
        assert all("stream_id" not in event for event in events)
    body = house.bodies[0]
    assert body["stream"] is True
    assert "type" not in body
    assert body["temperature"] == 0.5
    assert house.desk.settled == [0]


async def test_requests_of_one_lane_follow_each_other(house: House) -> None:
    async with house.open() as line:
        await ask(line, "hold first")
        await ask(line, "second")
        await asyncio.wait_for(house.begun.wait(), 5)
        house.go.set()
        assert words(await rest(line)) == ["hold", "first"]
        assert words(await rest(line)) == ["second"]
    assert house.most == 1


async def test_lanes_run_at_the_same_time_and_name_their_events(house: House) -> None:
    async with house.open() as line:
        await ask(line, "hold a", stream_id="a")
        await ask(line, "b", stream_id="b")
        events = await rest(line)
        events += await rest(line) if events[-1]["stream_id"] == "a" else []
        assert words([event for event in events if event["stream_id"] == "b"]) == ["b"]
        house.go.set()
        events = await rest(line)
        assert {event["stream_id"] for event in events} == {"a"}
        assert words(events) == ["hold", "a"]


async def test_sixteen_responses_run_at_a_time(house: House) -> None:
    async with house.open() as line:
        for number in range(20):
            await ask(line, "hold", stream_id=f"lane-{number}")
        await house.until(16)
        await asyncio.sleep(0.05)
        house.go.set()
        ended = 0
        while ended < 20:
            ended += (await hear(line))["type"] == "response.completed"
    assert house.most == 16


@pytest.mark.parametrize("name", ["", "a b", "x" * 257, 5, "ü"])
async def test_a_lane_needs_a_proper_name(house: House, name: Any) -> None:
    async with house.open() as line:
        await ask(line, "hi", stream_id=name)
        error = await hear(line)
        assert (error["type"], error["status"]) == ("error", 400)
        assert error["error"]["code"] == "invalid_stream_id"
        assert "stream_id" not in error


async def test_a_connection_has_at_most_32_named_lanes(house: House) -> None:
    async with house.open() as line:
        for number in range(32):
            await ask(line, "hi", stream_id=str(number))
            await rest(line)
        await ask(line, "hi", stream_id="one-more")
        error = await hear(line)
        assert error["error"]["code"] == "websocket_stream_limit_reached"
        assert error["stream_id"] == "one-more"
        await ask(line, "still here")
        assert words(await rest(line)) == ["still", "here"]


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("{", None, None),
        ("", None, None),
        ("NaN", None, None),
        ("[" * 500, None, None),
        (b"\xff\xfe", None, None),
        ("[]", "missing_required_parameter", "type"),
        ("7", "missing_required_parameter", "type"),
        ("{}", "missing_required_parameter", "type"),
        ('{"type": "response.created"}', "invalid_value", "type"),
        ('{"type": {"a": 1}}', "invalid_value", "type"),
        ('{"type": "response.create", "model": "m", "foo": 1}', "unknown_parameter", "foo"),
        ('{"type": "response.create", "background": true}', "unsupported_value", "background"),
        ('{"type": "response.create", "generate": false}', "unsupported_value", "generate"),
        ('{"type": "response.create", "stream": false}', "invalid_value", "stream"),
        ('{"type": "response.create", "stream": []}', "invalid_value", "stream"),
        ('{"type": "response.steer"}', "invalid_value", "previous_response_id"),
    ],
)
async def test_garbage_is_told_and_the_connection_stays(
    house: House, message: str | bytes, code: str | None, param: str | None
) -> None:
    async with house.open() as line:
        await line.send(message)
        error = await hear(line)
        assert (error["type"], error["status"]) == ("error", 400)
        assert error["error"]["type"] == "invalid_request_error"
        if code is not None:
            assert (error["error"]["code"], error["error"]["param"]) == (code, param)
        await ask(line, "still here")
        assert words(await rest(line)) == ["still", "here"]


async def test_what_fails_is_an_error_event_with_its_status(house: House) -> None:
    async with house.open() as line:
        await ask(line, "refuse", stream_id="a")
        assert await hear(line) == {
            "type": "error",
            "status": 400,
            "stream_id": "a",
            "error": {
                "message": "Not that.",
                "type": "invalid_request_error",
                "param": "input",
                "code": "invalid_value",
            },
        }
        await ask(line, "limit")
        error = await hear(line)
        assert (error["status"], error["error"]["headers"]) == (429, {"retry-after": "7"})
        await ask(line, "one break")
        error = (await rest(line))[-1]
        assert (error["status"], error["sequence_number"]) == (500, 2)
        assert error["error"]["code"] == "engine_failed"
        await ask(line, "defect")
        error = (await rest(line))[-1]
        assert (error["status"], error["error"]["type"]) == (500, "server_error")
        assert "LookupError" not in json.dumps(error)
        await ask(line, "fine")
        assert words(await rest(line)) == ["fine"]


async def test_a_client_that_goes_cancels_what_runs_for_it(house: House) -> None:
    async with house.open() as line:
        await ask(line, "hold", stream_id="a")
        await ask(line, "hold", stream_id="b")
        await ask(line, "never begun", stream_id="a")
        await house.until(2)
    await house.until(0)
    assert house.cancelled == 2
    assert len(house.bodies) == 2
    assert house.desk.settled == [0, 0]


async def test_a_connection_that_breaks_cancels_too(house: House) -> None:
    async with house.open() as line:
        await ask(line, "hold")
        await asyncio.wait_for(house.begun.wait(), 5)
        line.transport.abort()
        await house.until(0)
    assert house.cancelled == 1


async def test_two_connections_do_not_know_each_other(house: House) -> None:
    async with house.open() as one, house.open() as two:
        await ask(one, "hold one")
        await ask(two, "two", store=False)
        assert words(await rest(two)) == ["two"]
        house.go.set()
        events = await rest(one)
        assert words(events) == ["hold", "one"]
        await ask(one, "who?", previous_response_id="resp_2", store=False)
        await rest(one)
    assert house.bodies[-1]["previous_response_id"] == "resp_2"


async def test_a_flood_is_not_read_on_but_answered_in_the_end(house: House) -> None:
    """More requests than may wait stay in the socket, and the client has to wait."""
    async with house.open() as line:
        await ask(line, "hold")
        await asyncio.wait_for(house.begun.wait(), 5)
        sent = 0

        async def flood() -> None:
            nonlocal sent
            for number in range(3000):
                await ask(line, "x" * 5000, metadata={"n": str(number)})
                sent += 1

        flooding = asyncio.ensure_future(flood())
        await asyncio.sleep(0.3)
        assert sent < 3000
        assert len(house.bodies) == 1
        house.go.set()
        await rest(line)
        for number in range(50):
            await rest(line)
            assert house.bodies[number + 1]["metadata"] == {"n": str(number)}
        flooding.cancel()


async def test_a_flood_of_garbage_does_not_stop_other_connections(house: House) -> None:
    async with house.open() as noisy, house.open() as line:

        async def flood() -> None:
            while True:
                await noisy.send("garbage")

        flooding = asyncio.ensure_future(flood())
        await ask(line, "one two")
        assert words(await rest(line)) == ["one", "two"]
        flooding.cancel()


async def test_an_oversized_message_ends_the_connection(house: House) -> None:
    async with house.open() as line:
        await ask(line, "x" * LIMIT)
        with pytest.raises(ConnectionClosed) as closed:
            await line.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    assert house.bodies == []


async def test_a_message_in_too_many_pieces_ends_the_connection(house: House) -> None:
    async with house.open() as line:
        with suppress(ConnectionClosed):
            await line.send(iter(["x"] * 3000))
        await line.wait_closed()
    assert line.close_code == 1009


async def test_a_message_in_some_pieces_is_one(house: House) -> None:
    whole = json.dumps({"type": "response.create", "model": "m", "input": "one two"})
    async with house.open() as line:
        await line.send([whole[:9], whole[9:30], whole[30:]])
        assert words(await rest(line)) == ["one", "two"]


async def refused(opening: connect) -> tuple[int, Any]:
    with pytest.raises(InvalidStatus) as error:
        async with opening:
            pass
    response = error.value.response
    assert response.headers["x-request-id"].startswith("req_")
    return response.status_code, json.loads(response.body)["error"]["code"]


async def test_a_wrong_key_is_refused_at_the_handshake(house: House) -> None:
    assert await refused(house.open(key="bad")) == (401, "invalid_api_key")


async def test_another_path_has_no_websocket(house: House) -> None:
    for path in ("/v1/chat/completions", "/v1/responses/resp_1", "/", "/healthz"):
        assert await refused(house.open(path)) == (404, "unknown_url")


async def test_a_foreign_page_is_refused(house: House) -> None:
    page = house.open(Origin="https://attacker.example")
    assert await refused(page) == (403, "origin_not_allowed")
    assert await refused(house.open(Origin="null")) == (403, "origin_not_allowed")
    async with house.open(Origin=f"http://127.0.0.1:{house.port}"):
        pass


@pytest.mark.parametrize(("origins"), [["https://app.example"], ["*"]])
async def test_a_page_that_the_operator_named_may_connect(origins: list[str]) -> None:
    house = House()
    serving = house.serving(origins=origins)
    async with asyncio.timeout(10), serving, house.open(Origin="https://app.example") as line:
        await ask(line, "hi")
        assert words(await rest(line)) == ["hi"]


async def test_without_authentication_only_pages_of_this_machine_may_connect() -> None:
    house = House()
    async with asyncio.timeout(10), house.serving(loopback_only=True, origins=["*"]):
        page = house.open(Origin="https://attacker.example")
        assert await refused(page) == (403, "host_not_allowed")
        assert await refused(house.open(Host="attacker.example")) == (403, "host_not_allowed")
        async with house.open(Origin="http://localhost:3000") as line:
            await ask(line, "hi")
            assert words(await rest(line)) == ["hi"]


async def test_a_key_that_is_revoked_meanwhile_is_refused(house: House) -> None:
    async with house.open() as line:
        await ask(line, "hi")
        await rest(line)
        house.desk.good.clear()
        await ask(line, "hi")
        error = await hear(line)
        assert (error["status"], error["error"]["code"]) == (401, "invalid_api_key")


async def test_a_response_that_is_not_stored_can_be_continued_here(house: House) -> None:
    async with house.open() as line:
        await ask(line, "one", store=False)
        first = (await rest(line))[-1]["response"]["id"]
        await ask(line, "two", store=False, previous_response_id=first)
        events = await rest(line)
        assert events[0]["response"]["previous_response_id"] == first
        assert events[-1]["response"]["previous_response_id"] == first
        second = events[-1]["response"]["id"]
        await ask(line, [{"role": "user", "content": "three"}], previous_response_id=second)
        assert (await rest(line))[-1]["response"]["previous_response_id"] is None
    body = house.bodies[-1]
    assert body["previous_response_id"] is None
    assert [item["content"] for item in body["input"]] == ["one", "one", "two", "two", "three"]
    assert [item["role"] for item in body["input"]] == 2 * ["user", "assistant"] + ["user"]


async def test_it_is_continued_after_the_stored_response_that_it_continues(house: House) -> None:
    async with house.open() as line:
        await ask(line, "one", store=False, previous_response_id="resp_stored")
        first = (await rest(line))[-1]["response"]["id"]
        await ask(line, "two", store=False, previous_response_id=first)
        assert (await rest(line))[-1]["response"]["previous_response_id"] == first
    body = house.bodies[-1]
    assert body["previous_response_id"] == "resp_stored"
    assert [item["content"] for item in body["input"]] == ["one", "one", "two"]


async def test_a_lane_keeps_its_newest_and_others_may_fork_it(house: House) -> None:
    async with house.open() as line:
        await ask(line, "one", store=False, stream_id="a")
        first = (await rest(line))[-1]["response"]["id"]
        await ask(line, "fork", store=False, stream_id="b", previous_response_id=first)
        await rest(line)
        assert [item["content"] for item in house.bodies[-1]["input"]] == ["one", "one", "fork"]
        await ask(line, "two", store=False, stream_id="a", previous_response_id=first)
        await rest(line)
        await ask(line, "late", store=False, stream_id="b", previous_response_id=first)
        await rest(line)
    assert house.bodies[-1]["previous_response_id"] == first


async def test_a_failed_continuation_forgets_what_it_continued(house: House) -> None:
    async with house.open() as line:
        await ask(line, "one", store=False)
        first = (await rest(line))[-1]["response"]["id"]
        for text in ("refuse", "again"):
            await ask(line, text, store=False, previous_response_id=first)
            await rest(line)
    assert house.bodies[-1]["previous_response_id"] == first
    assert house.bodies[-1]["input"] == "again"


async def test_what_is_remembered_has_a_bound(house: House) -> None:
    async with house.open() as line:
        await ask(line, "x" * 9000, store=False)
        first = (await rest(line))[-1]["response"]["id"]
        await ask(line, "y" * 9000, store=False, previous_response_id=first)
        second = (await rest(line))[-1]["response"]["id"]
        await ask(line, "z", store=False, previous_response_id=second)
        await rest(line)
    assert house.bodies[-1]["previous_response_id"] == second


async def test_steering_is_given_back(house: House) -> None:
    async with house.open() as line:
        await ask(line, "hold", stream_id="a")
        running = (await hear(line))["response"]["id"]

        async def steer(target: str) -> tuple[str, str | None]:
            event = {"type": "response.steer", "previous_response_id": target, "input": "Stop."}
            await line.send(json.dumps(event))
            answer = await hear(line)
            assert answer["type"] == "response.steer.failed"
            assert answer["steer"] == {"previous_response_id": target, "input": "Stop."}
            return answer["error"]["code"], answer.get("stream_id")

        assert await steer(running) == ("steering_not_supported", "a")
        assert await steer("resp_other") == ("response_not_found", None)
        house.go.set()
        await rest(line)
        assert await steer(running) == ("response_already_completed", "a")


async def test_a_server_that_stops_lets_running_responses_end(house: House) -> None:
    async with house.open() as line, house.open() as idle:
        await ask(line, "hold one")
        await ask(line, "waiting")
        await asyncio.wait_for(house.begun.wait(), 5)
        for connection in list(house.server.server_state.connections):
            connection.shutdown()
        with pytest.raises(ConnectionClosed) as closed:
            await idle.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        house.go.set()
        assert words(await rest(line)) == ["hold", "one"]
        assert (await hear(line))["error"]["code"] == "server_shutting_down"
        with pytest.raises(ConnectionClosed) as closed:
            await line.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012


class Wire:
    """A line without a server: `say` is what the client sends, `heard` what it got."""

    ids = Ids()
    max_body_bytes = LIMIT

    def __init__(self, house: House) -> None:
        self.house, self.heard = house, list[Any]()
        self.incoming: asyncio.Queue[Any] = asyncio.Queue()
        self.reads = asyncio.Event()
        self.reads.set()

    async def create(self, request_id: str, body: dict[str, Any], size: int) -> Stream:
        return await self.house.create(None, body)

    def answered(self, *_: object) -> None:
        pass

    def now(self) -> float:
        return 0.0

    def say(self, event: dict[str, Any]) -> None:
        self.incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(event)})

    async def send(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        self.heard.append(message)


async def test_a_reader_that_is_too_slow_is_dropped() -> None:
    house = House()
    wire = Wire(house)
    wire.say({"type": "response.create", "model": "m", "input": "one"})
    wire.reads.clear()
    async with asyncio.timeout(5):
        await Lanes(wire, wire.incoming.get, wire.send, slowest_seconds=0.05).run()
    assert (wire.heard, house.cancelled, house.running) == ([], 1, 0)


async def test_a_connection_ends_when_it_is_old_and_nothing_runs() -> None:
    house = House()
    wire = Wire(house)
    wire.say({"type": "response.create", "model": "m", "input": "hold"})
    running = asyncio.ensure_future(
        Lanes(wire, wire.incoming.get, wire.send, oldest_seconds=0.1).run()
    )
    await asyncio.sleep(0.3)
    assert not running.done()
    house.go.set()
    async with asyncio.timeout(5):
        await running
    *_, completed, error, close = wire.heard
    assert json.loads(completed["text"])["type"] == "response.completed"
    assert json.loads(error["text"])["error"]["code"] == "websocket_connection_limit_reached"
    assert (close["type"], close["code"]) == ("websocket.close", 1000)


async def test_a_server_that_cannot_wait_says_so() -> None:
    house = House()
    wire = Wire(house)
    wire.say({"type": "response.create", "model": "m", "input": "hold"})
    running = asyncio.ensure_future(Lanes(wire, wire.incoming.get, wire.send).run())
    await asyncio.wait_for(house.begun.wait(), 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    *_, error, close = wire.heard
    assert json.loads(error["text"])["error"]["code"] == "server_shutting_down"
    assert close["code"] == 1012
    assert house.cancelled == 1
