"""Chunks and the completion that they add up to."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from tests.agent.scripts import batches

from inhouse.agent.chat.encode import Head, Telling, chunks, completion
from inhouse.agent.turn import Events, take
from inhouse.clock import FrozenClock
from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.text import Delta, Finish, Reasoning, Refusal, Text, TextCall, ToolCall, Usage
from inhouse.errors import ServerError
from inhouse.scope import Usage as Meter

Json = dict[str, Any]
HEAD = Head("chatcmpl-1", 1_700_000_000, "tiny", "fp_1")


def events(script: Sequence[Any]) -> Events:
    return take(Scripted(script), TextCall("chat", {"messages": []}), Meter(), FrozenClock())


async def stream(script: Sequence[Any], telling: Telling) -> list[Json]:
    return [chunk async for batch in chunks(events(script), telling) for chunk in batch]


def as_a_client_adds_up(chunks: list[Json]) -> list[Json]:
    """What a program sees that merges deltas as guides say: texts grow, calls by their index."""
    choices: dict[int, Json] = {}
    for chunk in chunks:
        for part in chunk["choices"]:
            choice = choices.setdefault(
                part["index"],
                {"index": part["index"], "message": {}, "logprobs": None, "finish_reason": None},
            )
            merge(choice["message"], part["delta"])
            if part["logprobs"] is not None:
                choice["logprobs"] = choice["logprobs"] or {"content": None, "refusal": None}
                for name, entries in part["logprobs"].items():
                    if entries:
                        choice["logprobs"][name] = (choice["logprobs"][name] or []) + entries
            choice["finish_reason"] = part["finish_reason"] or choice["finish_reason"]
    for choice in choices.values():
        for call in choice["message"].get("tool_calls", []):
            del call["index"]
        choice["message"]["annotations"] = []
    return [choices[index] for index in sorted(choices)]


def merge(into: Json, delta: Json) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            calls = into.setdefault("tool_calls", [])
            for piece in value:
                while len(calls) <= piece["index"]:
                    calls.append({"index": len(calls)})
                merge(calls[piece["index"]], piece)
        elif isinstance(value, dict):
            merge(into.setdefault(name, {}), value)
        elif isinstance(into.get(name), str) and name not in {"role", "type", "id"}:
            into[name] += value
        elif into.get(name) is None:
            into[name] = value


@given(batches())
async def test_the_chunks_of_any_turn_add_up_to_its_completion(script: list[list[Delta]]) -> None:
    told = await stream(script, Telling(HEAD, include_usage=True))
    whole = await completion(events(script), Telling(HEAD))
    assert as_a_client_adds_up(told) == whole["choices"]
    assert told[-1]["usage"] == whole["usage"]


@given(batches())
async def test_the_same_holds_for_functions_of_the_old_form(script: list[list[Delta]]) -> None:
    told = await stream(script, Telling(HEAD, legacy=True))
    whole = await completion(events(script), Telling(HEAD, legacy=True))
    assert as_a_client_adds_up(told) == whole["choices"]


@given(batches())
async def test_every_choice_opens_with_its_role_and_ends_with_its_reason(
    script: list[list[Delta]],
) -> None:
    told = await stream(script, Telling(HEAD))
    by_choice: dict[int, list[Json]] = {}
    for chunk in told:
        (part,) = chunk["choices"]
        by_choice.setdefault(part["index"], []).append(part)
    for parts in by_choice.values():
        assert [part["delta"].get("role") for part in parts].count("assistant") == 1
        assert parts[0]["delta"]["role"] == "assistant"
        assert [bool(part["finish_reason"]) for part in parts] == [False] * (len(parts) - 1) + [
            True
        ]


async def test_without_include_usage_no_chunk_speaks_of_it() -> None:
    assert all("usage" not in chunk for chunk in await stream(answer("a"), Telling(HEAD)))


async def test_with_include_usage_only_the_last_chunk_has_it() -> None:
    *others, last = await stream(answer("a"), Telling(HEAD, include_usage=True))
    assert {chunk["usage"] for chunk in others} == {None}
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 2


async def test_reasoning_is_told_beside_the_content_and_counted() -> None:
    script = [
        [Reasoning(0, "hm"), Text(0, "yes"), Finish(0, "stop"), Usage(1, 5, reasoning=3)],
    ]
    whole = await completion(events(script), Telling(HEAD))
    message = whole["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("hm", "yes")
    assert whole["usage"]["completion_tokens_details"]["reasoning_tokens"] == 3


async def test_a_refusal_leaves_content_null() -> None:
    script = [[Refusal(0, "No."), Finish(0, "stop"), Usage(1, 1)]]
    message = (await completion(events(script), Telling(HEAD)))["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, "No.")


async def test_an_empty_answer_is_an_empty_text() -> None:
    script = [[Finish(0, "stop"), Usage(1, 0)]]
    message = (await completion(events(script), Telling(HEAD)))["choices"][0]["message"]
    assert message["content"] == ""


async def test_the_old_form_has_one_call_and_its_own_reason() -> None:
    calls = [
        [ToolCall(0, 0, "{", "call_1", "add"), ToolCall(0, 0, "}")],
        [ToolCall(0, 1, "{}", "call_2", "look"), Finish(0, "tool_calls"), Usage(1, 1)],
    ]
    (choice,) = (await completion(events(calls), Telling(HEAD, legacy=True)))["choices"]
    assert choice["message"]["function_call"] == {"name": "add", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"


async def test_the_completion_is_kept_before_its_end_is_told() -> None:
    kept: list[Json] = []
    seen: list[bool] = []

    async def keep(whole: Json) -> None:
        kept.append(whole)

    async for batch in chunks(events(answer("a", "b")), Telling(HEAD, keep=keep)):
        seen += [bool(kept) for chunk in batch if chunk["choices"][0]["finish_reason"]]
    assert seen == [True]
    assert kept == [await completion(events(answer("a", "b")), Telling(HEAD))]


async def test_a_turn_that_fails_is_not_kept() -> None:
    async def keep(_: Json) -> None:
        pytest.fail("kept")

    with pytest.raises(ServerError):
        await stream([[Text(0, "a")], ServerError("lost")], Telling(HEAD, keep=keep))


async def test_closing_the_chunks_closes_the_engine() -> None:
    engine = Scripted(answer("a", "b"))
    told = chunks(
        take(engine, TextCall("chat", {"messages": []}), Meter(), FrozenClock()), Telling(HEAD)
    )
    await anext(told)
    await told.aclose()
    assert engine.stopped == 1
