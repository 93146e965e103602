"""Whole transcripts of responses, in `transcripts/`. A change of one is a change of what clients
see."""

from typing import Any

from tests.golden.conftest import Golden

from inhouse.engines.scripted import Scripted, Step, answer
from inhouse.engines.text import Finish, Reasoning, Refusal, Text, ToolCall, Usage
from inhouse.errors import ServerError

RESPONSES = "/v1/responses"
BODY: dict[str, Any] = {"model": "scripted", "input": "Hi", "store": False}
STREAM = {**BODY, "stream": True}
ADD = {"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": False}
LOOK = {"type": "custom", "name": "look"}
THOUGHT: list[Step] = [
    [Reasoning(0, "Let me"), Reasoning(0, " see."), Text(0, "Yes.")],
    [Finish(0, "stop"), Usage(9, 6, reasoning=4)],
]


async def test_a_response(golden: Golden) -> None:
    await golden(RESPONSES, {**BODY, "instructions": "Be brief.", "metadata": {"team": "red"}})


async def test_a_stream_of_a_response(golden: Golden) -> None:
    await golden(RESPONSES, STREAM)


async def test_a_stream_of_a_response_with_logprobs(golden: Golden, engine: Scripted) -> None:
    other = {"token": "No", "logprob": -1.5, "bytes": [78, 111]}
    entry = {"token": "Yes", "logprob": -0.25, "bytes": [89, 101, 115], "top_logprobs": [other]}
    engine.script = [[Text(0, "Yes", [entry]), Finish(0, "stop"), Usage(1, 1)]]
    await golden(RESPONSES, {**STREAM, "top_logprobs": 1})


async def test_a_stream_of_a_refusal(golden: Golden, engine: Scripted) -> None:
    engine.script = [[Refusal(0, "I"), Refusal(0, " won't.")], [Finish(0, "stop"), Usage(3, 3)]]
    await golden(RESPONSES, STREAM)


async def test_a_stream_of_two_parallel_function_calls(golden: Golden, engine: Scripted) -> None:
    engine.script = [
        [Text(0, "Both."), ToolCall(0, 0, "", "call_1", "add")],
        [ToolCall(0, 0, '{"a":'), ToolCall(0, 0, "1}")],
        [ToolCall(0, 1, '{"a":2}', "call_2", "add"), Finish(0, "tool_calls"), Usage(20, 9, 16)],
    ]
    await golden(RESPONSES, {**STREAM, "tools": [ADD]})


async def test_a_stream_of_a_custom_tools_call(golden: Golden, engine: Scripted) -> None:
    engine.script = [
        [ToolCall(0, 0, "at ", "call_1", "look", "custom"), ToolCall(0, 0, "me", kind="custom")],
        [Finish(0, "tool_calls"), Usage(5, 3)],
    ]
    await golden(RESPONSES, {**STREAM, "tools": [LOOK]})


async def test_a_stream_of_reasoning(golden: Golden, engine: Scripted) -> None:
    engine.script = THOUGHT
    await golden(RESPONSES, STREAM)


async def test_a_stream_of_reasoning_with_a_summary(golden: Golden, engine: Scripted) -> None:
    engine.script = THOUGHT
    await golden(RESPONSES, {**STREAM, "reasoning": {"effort": "low", "summary": "auto"}})


async def test_a_stream_that_is_cut_off(golden: Golden, engine: Scripted) -> None:
    engine.script = answer("He", finish="length")
    await golden(RESPONSES, {**STREAM, "max_output_tokens": 16})


async def test_a_stream_that_a_filter_stops(golden: Golden, engine: Scripted) -> None:
    engine.script = answer("He", finish="content_filter")
    await golden(RESPONSES, STREAM)


async def test_a_response_that_fails_in_its_stream(golden: Golden, engine: Scripted) -> None:
    engine.script = [[Text(0, "Hel")], ServerError("The model's server was lost.")]
    await golden(RESPONSES, STREAM)
