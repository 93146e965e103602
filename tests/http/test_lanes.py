"""Responses over a WebSocket: lanes, errors, steering, and what a connection remembers."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.http.lines import LIMIT, House, ask, hear, rest, words

from inhouse.http.lanes import Lanes
from inhouse.ids import Ids
from inhouse.operations import Stream


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    async with asyncio.timeout(20), made.serving():
        yield made


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
