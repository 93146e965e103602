"""A context told again in fewer tokens."""

from typing import Any

import pytest
from tests.agent.responses.reading import Json, counting, opened, seen, told, valid

from inhouse.agent.responses.compaction import compacted, summary_body, threshold, visible
from inhouse.agent.responses.items import new_items
from inhouse.agent.responses.messages import Reading
from inhouse.engines.scripted import EVERYTHING

USER: Json = {"role": "user", "content": "Hi"}
SAID: Json = {"role": "assistant", "content": "Hello"}
CALL: Json = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT: Json = {"type": "function_call_output", "call_id": "call_1", "output": "done"}
SUMMARY: Json = {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed:They met."}


def whole(*items: Json) -> list[Json]:
    return new_items(valid(input=list(items)), counting())


def sealed(text: str) -> str:
    return f"sealed:{text}"


async def test_a_summary_is_read_in_the_place_of_all_but_what_people_said() -> None:
    messages = await told(USER, SAID, CALL, OUTPUT, SUMMARY, {"role": "user", "content": "And?"})
    assert [message["role"] for message in messages] == ["user", "system", "user"]
    assert messages[1]["content"].endswith("They met.")


async def test_only_the_last_summary_is_read() -> None:
    later = {**SUMMARY, "id": "cmp_2", "encrypted_content": "sealed:All of it."}
    messages = await told(USER, SUMMARY, USER, SAID, later, USER)
    assert [m["content"].split()[-1] for m in messages] == ["Hi", "Hi", "it.", "Hi"]


async def test_a_call_that_is_answered_after_the_summary_stays() -> None:
    messages = await told(USER, SAID, CALL, SUMMARY, OUTPUT)
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "system"]


async def test_what_is_kept_and_what_is_read_are_the_same() -> None:
    items = whole(USER, SAID, CALL, OUTPUT)
    short = compacted(items, "They met.", sealed, counting())
    assert short == [
        items[0],
        {"id": "cmp_0", "type": "compaction", "encrypted_content": "sealed:They met."},
    ]
    assert visible([*items, short[1]]) == visible(short) == short
    more = {**USER, "id": "msg_more"}
    assert await told(*short, more) == await told(*items, short[1], more)


async def test_the_model_is_asked_to_sum_up_what_it_can_read() -> None:
    reading = Reading(EVERYTHING, seen, opened)
    body = await summary_body("Be brief.", whole(USER, SAID, SUMMARY, USER, SAID), reading)
    roles = [message["role"] for message in body["messages"]]
    assert roles == ["system", "user", "system", "user", "assistant", "user"]
    assert "Sum up our conversation" in body["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("managed", "context", "limit"),
    [
        (None, 8000, None),
        ([{"type": "compaction", "compact_threshold": 5000}], 8000, 5000),
        ([{"type": "compaction"}], 8000, 6400),
        ([{"type": "compaction", "compact_threshold": None}], 1100, 1000),
        ([{"type": "compaction"}], None, None),
    ],
)
def test_the_context_is_compacted_from_the_number_that_was_asked_for(
    managed: Any, context: int | None, limit: int | None
) -> None:
    assert threshold({"context_management": managed}, context) == limit
