"""The acceptance cases of Open Responses (openresponses.org), with plain HTTP.

The seven published cases: a text, a stream, a system prompt, a tool, a streamed tool, an image,
several turns. What that specification requires of a response is written down here, since its types
are stricter than the SDK's: all of these fields, and no null in most.
"""

import base64
import json
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from tests.conftest import House

from inhouse.engines.scripted import Scripted, Step, answer
from inhouse.engines.text import Finish, TextCall, ToolCall, Usage

Json = dict[str, Any]

TEXTS = ("id", "object", "status", "model", "truncation", "service_tier")
NUMBERS = ("created_at", "top_p", "presence_penalty", "frequency_penalty", "temperature")
INTEGERS = ("created_at", "completed_at", "top_logprobs")
BOOLEANS = ("parallel_tool_calls", "store", "background")
NULLABLE = {
    "incomplete_details": dict,
    "previous_response_id": str,
    "instructions": str,
    "error": dict,
    "reasoning": dict,
    "user": str,
    "max_output_tokens": int,
    "max_tool_calls": int,
    "safety_identifier": str,
    "prompt_cache_key": str,
}
WEATHER: Json = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather at a place.",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string", "description": "City and state."}},
        "required": ["location"],
    },
}


def respond(call: TextCall) -> list[Step]:
    """Calls the tool if there is one, else says what the last message was."""
    if call.body.get("tools"):
        first = ToolCall(0, 0, '{"location":', "call_1", "get_weather")
        ends = [Finish(0, "tool_calls"), Usage(input=9, output=5)]
        return [[first], [ToolCall(0, 0, ' "San Francisco, CA"}')], ends]
    content = call.body["messages"][-1]["content"]
    return answer("You ", "said ", content if isinstance(content, str) else "an image")


@pytest.fixture
def engine() -> Scripted:
    return Scripted(respond)


class Asker:
    """A client that knows nothing but HTTP."""

    def __init__(self, house: House, session: aiohttp.ClientSession) -> None:
        self._house = house
        self._session = session

    async def ask(self, *messages: Json, **more: Any) -> Json:
        """The checked response to `messages`."""
        async with self._post(messages, more) as received:
            assert received.status == 200, await received.text()
            response: Json = await received.json()
        check(response)
        return response

    async def stream(self, *messages: Json, **more: Any) -> list[Json]:
        """The events; the last has the checked response."""
        async with self._post(messages, more | {"stream": True}) as received:
            assert received.content_type == "text/event-stream"
            frames = (await received.text()).split("\n\n")[:-1]
        events: list[Json] = []
        for frame in frames:
            name, data = frame.split("\n")
            events.append(json.loads(data.removeprefix("data: ")))
            assert name == f"event: {events[-1]['type']}"
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        check(events[-1]["response"])
        return events

    def _post(self, messages: tuple[Json, ...], more: Json) -> Any:
        body = {"model": "gpt-4o-mini", "input": list(messages), **more}
        headers = {"Authorization": f"Bearer {self._house.key}"}
        return self._session.post(f"{self._house.url}/responses", json=body, headers=headers)


@pytest.fixture
async def asker(house: House) -> AsyncIterator[Asker]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as session:
        yield Asker(house, session)


def check(response: Json) -> None:
    """What Open Responses requires of every response."""
    kinds: dict[str, Any] = dict.fromkeys(TEXTS, str)
    kinds |= dict.fromkeys(NUMBERS, (int, float))
    kinds |= dict.fromkeys(INTEGERS, int)
    kinds |= dict.fromkeys(BOOLEANS, bool)
    kinds |= {"output": list, "tools": list, "text": dict, "metadata": dict, "usage": dict}
    wrong = [name for name, kind in kinds.items() if not isinstance(response.get(name), kind)]
    for name, kind in NULLABLE.items():
        if name not in response or not isinstance(response[name], (kind, type(None))):
            wrong.append(name)
    assert not wrong, wrong
    assert isinstance(response["tool_choice"], str | dict)
    for tool in response["tools"]:
        assert {"type", "name", "description", "parameters", "strict"} <= tool.keys()
    usage = response["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert isinstance(usage["input_tokens_details"]["cached_tokens"], int)
    assert isinstance(usage["output_tokens_details"]["reasoning_tokens"], int)
    for item in response["output"]:
        check_item(item)


def check_item(item: Json) -> None:
    """A message or a function call, whole."""
    assert isinstance(item["id"], str)
    assert item["status"] == "completed"
    if item["type"] == "function_call":
        assert all(isinstance(item[name], str) for name in ("call_id", "name", "arguments"))
        return
    assert (item["type"], item["role"]) == ("message", "assistant")
    for part in item["content"]:
        assert part["type"] == "output_text"
        assert isinstance(part["text"], str)
        assert (part["annotations"], part["logprobs"]) == ([], [])


def user(content: Any) -> Json:
    return {"type": "message", "role": "user", "content": content}


def text_of(response: Json) -> str:
    assert response["status"] == "completed"
    return "".join(part["text"] for part in response["output"][-1]["content"])


async def test_a_text(asker: Asker) -> None:
    response = await asker.ask(user("Say hello in three words."))
    assert text_of(response) == "You said Say hello in three words."


async def test_a_stream(asker: Asker) -> None:
    events = await asker.stream(user("Count from 1 to 5."))
    assert [event["type"] for event in events[:4]] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    assert all(event["logprobs"] == [] for event in deltas)
    text = "".join(event["delta"] for event in deltas)
    assert text == text_of(events[-1]["response"]) == "You said Count from 1 to 5."
    assert events[-1]["type"] == "response.completed"


async def test_a_system_prompt(asker: Asker, engine: Scripted) -> None:
    pirate = {"type": "message", "role": "system", "content": "You are a pirate."}
    assert text_of(await asker.ask(pirate, user("Say hello."))) == "You said Say hello."
    told = engine.calls[-1].body["messages"][0]
    assert (told["role"], told["content"]) == ("system", "You are a pirate.")


async def test_a_tool(asker: Asker) -> None:
    response = await asker.ask(user("What is the weather in San Francisco?"), tools=[WEATHER])
    (call,) = response["output"]
    assert call["type"] == "function_call"
    assert json.loads(call["arguments"]) == {"location": "San Francisco, CA"}


async def test_a_tool_streamed(asker: Asker) -> None:
    events = await asker.stream(user("What is the weather?"), tools=[WEATHER])
    kinds = [event["type"] for event in events]
    added, done = (events[kinds.index(f"response.output_item.{end}")] for end in ("added", "done"))
    assert added["item"]["type"] == done["item"]["type"] == "function_call"
    pieces = [
        event for event in events if event["type"] == "response.function_call_arguments.delta"
    ]
    whole = events[kinds.index("response.function_call_arguments.done")]["arguments"]
    assert "".join(event["delta"] for event in pieces) == whole == done["item"]["arguments"]


def png() -> str:
    """Two by two red points."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress((b"\0" + b"\xff\0\0" * 2) * 2))
    image = b"\x89PNG\r\n\x1a\n" + head + data + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(image).decode()


async def test_an_image(asker: Asker, engine: Scripted) -> None:
    parts = [
        {"type": "input_text", "text": "What do you see?"},
        {"type": "input_image", "image_url": png()},
    ]
    assert text_of(await asker.ask(user(parts))) == "You said an image"
    told = engine.calls[-1].body["messages"][-1]["content"]
    assert [part["type"] for part in told] == ["text", "image_url"]


async def test_several_turns(asker: Asker, engine: Scripted) -> None:
    hello = {"type": "message", "role": "assistant", "content": "Hello Alice!"}
    response = await asker.ask(user("My name is Alice."), hello, user("What is my name?"))
    assert text_of(response) == "You said What is my name?"
    roles = [message["role"] for message in engine.calls[-1].body["messages"]]
    assert roles == ["user", "assistant", "user"]
