"""openai-python, unlike a program for the cloud in nothing but its base URL (by a variable)."""

import json
import os
from typing import Any

from openai import BadRequestError, OpenAI
from pydantic import BaseModel

client = OpenAI(max_retries=0, timeout=120)
REAL = os.environ["CLIENT_MODEL"] == "embedded"
MODEL = "gpt-5.2"
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
ASK = 'Use get_weather {"city": "Paris"}'


class City(BaseModel):
    name: str
    days: int


def chat() -> None:
    function: Any = {
        "type": "function",
        "function": {"name": "get_weather", "parameters": PARAMETERS, "strict": True},
    }
    messages: list[Any] = [{"role": "user", "content": ASK}]
    first = client.chat.completions.create(
        model=MODEL, messages=messages, tools=[function], tool_choice="required"
    )
    message = first.choices[0].message
    assert message.tool_calls, first
    call: Any = message.tool_calls[0]
    assert set(json.loads(call.function.arguments)) == {"city"}, call
    messages += [message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    second = client.chat.completions.create(
        model=MODEL, messages=messages, tools=[function], max_completion_tokens=32
    )
    text = second.choices[0].message.content
    assert REAL or text == "The tool said: sunny", second
    print("chat: a tool's turn:", text)
    with client.chat.completions.stream(
        model=MODEL, messages=[{"role": "user", "content": "Say hello."}], max_completion_tokens=16
    ) as stream:
        streamed = "".join(event.delta for event in stream if event.type == "content.delta")
        assert streamed == stream.current_completion_snapshot.choices[0].message.content
    assert REAL or streamed == "Heard: Say hello.", streamed
    print("chat: streamed:", streamed)


def responses() -> None:
    function: Any = {
        "type": "function",
        "name": "get_weather",
        "parameters": PARAMETERS,
        "strict": True,
    }
    first = client.responses.create(
        model=MODEL, input=ASK, tools=[function], tool_choice="required"
    )
    call: Any = next(item for item in first.output if item.type == "function_call")
    assert set(json.loads(call.arguments)) == {"city"}, call
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    second = client.responses.create(
        model=MODEL, input=[output], previous_response_id=first.id, max_output_tokens=32
    )
    assert REAL or second.output_text == "The tool said: sunny", second
    print("responses: a tool's turn:", second.output_text)
    with client.responses.stream(
        model=MODEL, input="Say hello.", max_output_tokens=16, store=False
    ) as stream:
        events: list[Any] = list(stream)
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(pieces) == events[-1].response.output_text, events[-1]
    assert REAL or pieces == ["Heard: ", "Say ", "hello."], pieces
    print("responses: streamed:", "".join(pieces))
    parsed = client.responses.parse(model=MODEL, input="A city?", text_format=City)
    assert parsed.output_parsed, parsed
    print("responses: parsed:", parsed.output_parsed)


def conversation() -> None:
    conversation = client.conversations.create(metadata={"of": "tests"})
    for text in ("one", "two"):
        response = client.responses.create(
            model=MODEL, input=text, conversation=conversation.id, max_output_tokens=16
        )
    assert REAL or response.output_text == "Heard: one / two", response
    items = client.conversations.items.list(conversation.id, order="asc").data
    assert [item.type for item in items] == ["message"] * 4, items
    print("conversations:", len(items), "items")


def background() -> None:
    response = client.responses.create(
        model=MODEL, input="Say hello.", background=True, stream=True, max_output_tokens=16
    )
    events = list(response)
    final: Any = events[-1]
    assert final.type == "response.completed" or REAL, final
    again = client.responses.retrieve(final.response.id, stream=True, starting_after=1)
    assert [event.sequence_number for event in again] == list(range(2, len(events)))
    print("background:", len(events), "events, told again from number 2")


def websocket() -> None:
    with client.responses.connect() as connection:
        connection.response.create(model=MODEL, input="one", store=False, max_output_tokens=16)
        first: Any = next(event for event in connection if event.type in ENDS)
        connection.response.create(
            model=MODEL, input="two", previous_response_id=first.response.id, max_output_tokens=16
        )
        second: Any = next(event for event in connection if event.type in ENDS)
    assert REAL or second.response.output_text == "Heard: one / two", second
    print("websocket:", second.response.output_text)


ENDS = {"response.completed", "response.incomplete", "error"}


def errors() -> None:
    found = None
    try:
        client.responses.create(model=MODEL, input="hi", temperature=7)
    except BadRequestError as error:
        found = (error.param, error.type, error.code)
    assert found == ("temperature", "invalid_request_error", "decimal_above_max_value"), found
    print("errors:", found)


for step in (chat, responses, conversation, background, websocket, errors):
    step()
