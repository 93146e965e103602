"""Whole transcripts of chat completions, in `transcripts/`. A change of one is a change of what
clients see."""

from typing import Any

from tests.golden.conftest import Golden

from inhouse.engines.scripted import Scripted
from inhouse.engines.text import Finish, Reasoning, Refusal, Text, ToolCall, Usage
from inhouse.errors import ServerError

CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}]}
ADD = {"type": "function", "function": {"name": "add"}}
LOOK = {"type": "custom", "custom": {"name": "look"}}
STREAM = {**BODY, "stream": True}
CALLS = [
    [Text(0, "Let me see."), ToolCall(0, 0, "", "call_1", "add")],
    [ToolCall(0, 0, '{"a":'), ToolCall(0, 0, "1}"), ToolCall(0, 1, "", "call_2", "look", "custom")],
    [ToolCall(0, 1, "up", kind="custom"), Finish(0, "tool_calls")],
    [Usage(20, 9, cached=16)],
]


async def test_an_answer(golden: Golden) -> None:
    await golden(CHAT, BODY)


async def test_a_stream_with_usage(golden: Golden) -> None:
    body = {**STREAM, "stream_options": {"include_usage": True}}
    await golden(CHAT, body)


async def test_tool_calls(golden: Golden, engine: Scripted) -> None:
    engine.script = CALLS
    await golden(CHAT, {**BODY, "tools": [ADD, LOOK]})


async def test_a_stream_of_tool_calls(golden: Golden, engine: Scripted) -> None:
    engine.script = CALLS
    await golden(CHAT, {**STREAM, "tools": [ADD, LOOK]})


async def test_a_stream_of_a_function_call_of_the_old_form(
    golden: Golden, engine: Scripted
) -> None:
    engine.script = [
        [ToolCall(0, 0, "", "call_1", "add"), ToolCall(0, 0, "{}")],
        [Finish(0, "tool_calls"), Usage(5, 3)],
    ]
    body = {**STREAM, "functions": [ADD["function"]]}
    await golden(CHAT, body)


async def test_two_choices_with_reasoning_logprobs_and_a_refusal(
    golden: Golden, engine: Scripted
) -> None:
    entry = {"token": "Yes", "logprob": -0.25, "bytes": [89, 101, 115], "top_logprobs": []}
    engine.script = [
        [Reasoning(0, "Hm."), Text(0, "Yes", [entry])],
        [Refusal(1, "No."), Finish(1, "stop"), Finish(0, "length")],
        [Usage(5, 7, reasoning=2)],
    ]
    body = {**BODY, "n": 2, "logprobs": True, "service_tier": "flex"}
    await golden(CHAT, body)
    await golden(CHAT, {**body, "stream": True})


async def test_a_stream_that_fails_in_the_middle(golden: Golden, engine: Scripted) -> None:
    engine.script = [[Text(0, "Hel")], ServerError("The model's server was lost.")]
    await golden(CHAT, STREAM)


async def test_a_legacy_completion(golden: Golden) -> None:
    body = {"model": "scripted", "prompt": ["a", "b"], "echo": True}
    await golden("/v1/completions", body)


async def test_a_stream_of_a_legacy_completion(golden: Golden) -> None:
    body = {
        "model": "scripted",
        "prompt": "a",
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    await golden("/v1/completions", body)
