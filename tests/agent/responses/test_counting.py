"""How many tokens a context is, and the longest end of it that fits."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.responses.reading import Json

from inhouse.agent.responses import pairs
from inhouse.agent.responses.counting import check_counted, count, fit, room
from inhouse.engines.model import Model
from inhouse.errors import BadRequest

MODEL = Model("m", 0, "us", frozenset({"text"}), "upstream", "http://x")


class Words:
    """Counts a token a message; `None` if it cannot count."""

    def __init__(self, *, able: bool = True) -> None:
        self.able = able

    async def count_chat(self, model: Model, body: Json) -> int | None:
        return len(body["messages"]) if self.able else None


async def test_tokens_are_counted_by_the_model_or_not_at_all() -> None:
    assert await count(Words(), MODEL, {"messages": [{}, {}]}) == 2
    with pytest.raises(BadRequest, match="cannot count tokens") as caught:
        await count(Words(able=False), MODEL, {"messages": []})
    assert caught.value.param == "model"


def test_a_personality_changes_the_prompt_and_is_refused() -> None:
    check_counted({"personality": None})
    with pytest.raises(BadRequest) as caught:
        check_counted({"personality": "friendly"})
    assert caught.value.param == "personality"


def test_room_is_kept_for_the_answer() -> None:
    assert room({"max_output_tokens": 100}, 1000) == 900
    assert room({}, 1000) == 750
    assert room({}, 100_000) == 95_904
    with pytest.raises(BadRequest) as caught:
        room({"truncation": "auto"}, None)
    assert caught.value.param == "truncation"


def message(role: str) -> Json:
    return {"type": "message", "role": role}


def call(number: int) -> Json:
    return {"type": "function_call", "call_id": f"call_{number}"}


def output(number: int) -> Json:
    return {"type": "function_call_output", "call_id": f"call_{number}"}


USER, SAID, THOUGHT = message("user"), message("assistant"), {"type": "reasoning"}


async def length(items: Sequence[Json]) -> int:
    return len(items)


@pytest.mark.parametrize(
    ("items", "budget", "kept"),
    [
        ([USER, SAID, USER], 3, 3),
        ([USER, SAID, USER], 2, 2),
        ([USER, SAID, USER], 1, 1),
        ([USER, call(1), output(1), USER], 3, 3),
        ([USER, call(1), output(1), USER], 2, 1),
        ([USER, call(1), call(2), output(1), output(2), USER], 4, 1),
        ([USER, THOUGHT, SAID, USER], 2, 1),
        ([USER, SAID, USER, call(1), output(1)], 4, 4),
    ],
)
async def test_items_are_dropped_from_the_beginning_and_never_between_call_and_output(
    items: list[Json], budget: int, kept: int
) -> None:
    assert await fit(items, budget, length) == items[len(items) - kept :]


@pytest.mark.parametrize("items", [[USER, call(1), output(1)], [SAID, SAID], [USER, SAID]])
async def test_a_last_message_that_is_too_long_is_refused(items: list[Json]) -> None:
    with pytest.raises(BadRequest) as caught:
        await fit(items, 1, length)
    assert (caught.value.param, caught.value.code) == ("input", "context_length_exceeded")


_ITEMS = st.lists(
    st.one_of(
        st.sampled_from([[USER], [SAID], [THOUGHT, SAID]]),
        st.integers(0, 10_000).map(lambda n: [call(n), output(n)]),
    ),
    max_size=8,
    unique_by=str,
).map(lambda groups: [item for group in groups for item in group])


@given(_ITEMS, st.integers(0, 12))
async def test_what_is_left_is_a_context_of_its_own_and_fits(
    items: list[Json], budget: int
) -> None:
    try:
        left = await fit(items, budget, length)
    except BadRequest:
        return
    assert len(left) <= budget
    assert items[len(items) - len(left) :] == left
    pairs.check(left)
    if USER in items:
        assert USER in left


async def test_a_long_context_costs_few_counts() -> None:
    counts = 0

    async def counted(items: Sequence[Json]) -> int:
        nonlocal counts
        counts += 1
        return len(items)

    assert len(await fit([USER, SAID] * 500 + [USER], 100, counted)) == 100
    assert counts <= 12
