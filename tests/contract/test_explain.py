"""Refusals are worded as OpenAI words them, and name the place."""

import time
from typing import Any

import pytest
from tests.contract.wrong import CHAT, WRONG, chat

from inhouse.contract import Contract
from inhouse.contract.explain import Explainer
from inhouse.errors import BadRequest

CONTRACT = Contract.load()


@pytest.mark.parametrize(
    ("key", "body", "message", "param", "code"),
    WRONG,
    ids=[f"{row[4]}-{row[3]}-{number}" for number, row in enumerate(WRONG)],
)
def test_a_wrong_body_is_refused_in_these_words(
    key: str, body: Any, message: str, param: str, code: str
) -> None:
    with pytest.raises(BadRequest) as raised:
        CONTRACT.operations[key].check_body(body)
    error = raised.value
    assert (error.message, error.param, error.code) == (message, param, code)
    assert error.envelope()["error"]["type"] == "invalid_request_error"


def test_the_table_is_as_long_as_promised() -> None:
    assert len(WRONG) >= 60


def test_what_is_missing_is_said_before_what_is_unknown() -> None:
    with pytest.raises(BadRequest, match="Missing required parameter: 'messages'"):
        CONTRACT.operations[CHAT].check_body({"model": "m", "foo": 1})


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(BadRequest) as raised:
        CONTRACT.operations[CHAT].check_body(chat(verbosity="x" * 10_000))
    assert len(raised.value.message) < 400


def test_the_faulty_one_of_very_many_items_is_found_quickly() -> None:
    """The server answers nobody else meanwhile."""
    spec = CONTRACT.operations["POST /responses"]
    items = [{"role": "user", "content": [{"type": "input_text", "text": "x"}]}] * 50_000
    before = time.process_time()
    with pytest.raises(BadRequest) as raised:
        spec.check_body({"input": [*items, {"role": "x"}]})
    assert raised.value.param == "input[50000].role"
    assert time.process_time() - before < 2


@pytest.mark.parametrize("place", [0, 15, 16, 17, 40])
def test_a_fault_is_found_wherever_it_stands_in_an_array(place: int) -> None:
    tokens: list[Any] = [1] * 41
    tokens[place] = 1.0
    with pytest.raises(BadRequest) as raised:
        CONTRACT.operations["POST /embeddings"].check_body({"model": "m", "input": tokens})
    assert raised.value.param == f"input[{place}]"


def test_a_pattern_that_ends_in_a_dollar_does_not_allow_a_line_end() -> None:
    explainer = Explainer({})
    assert explainer.find({"type": "string", "pattern": "^a$"}, "a\n") is not None
    assert explainer.find({"type": "string", "pattern": "^a$"}, "a") is None


def test_numbers_that_are_none_are_of_the_wrong_type() -> None:
    problem = Explainer({}).find({"type": "number"}, float("nan"), "x")
    assert problem is not None
    assert problem.code == "invalid_type"
