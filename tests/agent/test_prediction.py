from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.agent.prediction import common, compared
from inhouse.agent.turn import Predicted, take
from inhouse.clock import FrozenClock
from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.text import TextCall
from inhouse.errors import BadRequest
from inhouse.scope import Usage

tokens = st.lists(st.integers(0, 5), max_size=30)


def table(one: Sequence[int], other: Sequence[int]) -> int:
    """The longest common subsequence by the textbook's table."""
    row = [0] * (len(other) + 1)
    for left in one:
        diagonal = 0
        for at, right in enumerate(other, 1):
            above = row[at]
            row[at] = diagonal + 1 if left == right else max(above, row[at - 1])
            diagonal = above
    return row[-1]


@given(tokens, tokens)
def test_the_alignment_is_the_longest_common_subsequence(one: list[int], other: list[int]) -> None:
    assert common(one, other) == table(one, other)


async def test_tokens_that_came_true_are_told_before_the_usage() -> None:
    async def letters(text: str) -> list[int]:
        return [ord(letter) for letter in text]

    engine = Scripted(answer("a", "bd", "e"))
    events = take(engine, TextCall("chat", {"messages": []}), Usage(), FrozenClock())
    seen = [e async for batch in compared(events, "abcde", letters) for e in batch]
    assert seen[-2] == Predicted(accepted=4, rejected=1)


async def test_closing_the_comparison_closes_the_engine() -> None:
    async def letters(text: str) -> list[int]:
        return [ord(letter) for letter in text]

    engine = Scripted(answer("a", "b"))
    events = compared(
        take(engine, TextCall("chat", {"messages": []}), Usage(), FrozenClock()), "ab", letters
    )
    await anext(events)
    await events.aclose()
    assert engine.stopped == 1


async def test_where_no_tokenizer_is_offered_words_are_compared() -> None:
    async def none(text: str) -> list[int]:
        raise BadRequest("no tokenizer")

    engine = Scripted(answer("The cat", " sleeps."))
    events = take(engine, TextCall("chat", {"messages": []}), Usage(), FrozenClock())
    seen = [e async for batch in compared(events, "The dog sleeps.", none) for e in batch]
    assert seen[-2] == Predicted(accepted=3, rejected=1)


@pytest.mark.parametrize("prediction", ["abcd", "a" * 1000])
async def test_a_prediction_longer_than_the_context_is_refused_before_the_model_is_asked(
    prediction: str,
) -> None:
    async def letters(text: str) -> list[int]:
        return [ord(letter) for letter in text]

    engine = Scripted(answer("a"))
    events = take(engine, TextCall("chat", {"messages": []}), Usage(), FrozenClock())
    with pytest.raises(BadRequest) as caught:
        await anext(compared(events, prediction, letters, context_length=3))
    assert caught.value.param == "prediction.content"
    assert engine.calls == []
