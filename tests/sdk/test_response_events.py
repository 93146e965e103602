"""Every event that a response can stream without a hosted tool, through the official client."""

from typing import Any

import pytest
from tests import oracle
from tests.conftest import House
from tests.stream_events import OPERATION

from inhouse.engines.scripted import Scripted, Step, answer
from inhouse.engines.text import Finish, Reasoning, Refusal, Text, ToolCall, Usage
from inhouse.errors import ServerError

Json = dict[str, Any]
FAMILIES = {
    # the response
    "created",
    "queued",
    "in_progress",
    "completed",
    "incomplete",
    "failed",
    # its items and their parts
    "output_item",
    "content_part",
    "output_text",
    "refusal",
    "function_call_arguments",
    "custom_tool_call_input",
    "reasoning_text",
    "reasoning_summary_part",
    "reasoning_summary_text",
    "compaction",
}
LATER = {"response.output_text.annotation.added"}
"""Needs a tool that finds something to cite."""

END: Step = [Finish(0, "stop"), Usage(3, 2)]
ADD: Json = {"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": False}
LOOK: Json = {"type": "custom", "name": "look"}
USER: Json = {"role": "user", "content": "Hi"}
THOUGHT: list[Step] = [[Reasoning(0, "Hm."), Text(0, "Yes.")], END]

SCRIPTS: dict[str, tuple[list[Step], Json]] = {
    "text": (answer("Hello", "."), {}),
    "refusal": ([[Refusal(0, "No.")], END], {}),
    "functions": (
        [
            [
                ToolCall(0, 0, "{}", "call_1", "add"),
                ToolCall(0, 1, "up", "call_2", "look", "custom"),
            ],
            [Finish(0, "tool_calls"), Usage(3, 2)],
        ],
        {"tools": [ADD, LOOK]},
    ),
    "reasoning": (THOUGHT, {}),
    "summary": (THOUGHT, {"reasoning": {"summary": "auto"}}),
    "compaction": (answer("In short."), {"input": [USER, {"type": "compaction_trigger"}]}),
    "cut": (answer("He", finish="length"), {}),
    "lost": ([[Text(0, "He")], 0.3, ServerError("The model's server was lost.")], {}),
    "background": (answer("Hello."), {"background": True}),
}


def family(event: str) -> str:
    """`output_text` of `response.output_text.delta`."""
    return event.removeprefix("response.").partition(".")[0]


async def stream(house: House, engine: Scripted, name: str) -> list[Any]:
    """The events of one script."""
    engine.script, more = SCRIPTS[name]
    asked: Json = {"model": "scripted", "input": "Hi", **more}
    told = await house.client().responses.create(**asked, stream=True)
    return [event async for event in told]


async def test_every_event_of_these_families_is_seen(house: House, engine: Scripted) -> None:
    for name in SCRIPTS:
        await stream(house, engine, name)
    events = oracle.event_types(OPERATION)
    ours = {event for event in events if family(event) in FAMILIES}
    assert {family(event) for event in ours} == FAMILIES
    assert house.recorder.events == ours - LATER


@pytest.mark.parametrize("name", SCRIPTS)
async def test_events_are_numbered_and_name_the_items_that_they_are_of(
    house: House, engine: Scripted, name: str
) -> None:
    told = await stream(house, engine, name)
    assert [event.sequence_number for event in told] == list(range(len(told)))
    last = told[-1].response
    assert last.status in {"completed", "incomplete", "failed"}
    for event in told:
        if event.type.startswith("response.output_item."):
            assert event.item.id == last.output[event.output_index].id
        elif hasattr(event, "output_index"):
            assert event.item_id == last.output[event.output_index].id


async def test_what_is_done_is_what_its_deltas_add_up_to(house: House, engine: Scripted) -> None:
    fields = {
        "output_text": "text",
        "refusal": "refusal",
        "function_call_arguments": "arguments",
        "custom_tool_call_input": "input",
        "reasoning_text": "text",
        "reasoning_summary_text": "text",
    }
    seen: set[str] = set()
    for name in SCRIPTS:
        deltas: dict[tuple[str, str], str] = {}
        for event in await stream(house, engine, name):
            kind = family(event.type)
            if kind in fields and event.type.endswith(".delta"):
                key = (kind, event.item_id)
                deltas[key] = deltas.get(key, "") + event.delta
            elif kind in fields:
                seen.add(kind)
                assert deltas[kind, event.item_id] == getattr(event, fields[kind])
    assert seen == set(fields)
