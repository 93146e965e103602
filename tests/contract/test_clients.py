"""Real clients are understood: what they send is valid, and nothing in it is changed."""

import copy
from typing import Any

import pytest
from tests.contract.clients import BODIES

from inhouse.contract import Contract, parse
from inhouse.errors import BadRequest

CONTRACT = Contract.load()


@pytest.mark.parametrize(("client", "key", "body"), BODIES, ids=[row[0] for row in BODIES])
def test_a_real_body_is_taken_as_it_is(client: str, key: str, body: dict[str, Any]) -> None:
    before = copy.deepcopy(body)
    assert CONTRACT.operations[key].check_body(body) is body, client
    assert body == before


@pytest.mark.parametrize(
    "place", ["reasoning", "text", "tools", "tool_choice", "stream_options", "metadata", "prompt"]
)
def test_config_objects_are_closed(place: str) -> None:
    junk = [{"junk": 1}] if place == "tools" else {"junk": 1}
    with pytest.raises(BadRequest):
        CONTRACT.operations["POST /responses"].check_body({"model": "m", "input": "x", place: junk})


@pytest.mark.parametrize("body", [None, 1, "x", [], [{"model": "m"}], True])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(BadRequest, match="We could not parse the JSON body of your request"):
        CONTRACT.operations["POST /embeddings"].check_body(body)


def test_an_integer_beyond_64_bits_is_refused() -> None:
    body = parse(b'{"model": "m", "prompt": "x", "seed": 123456789012345678901234567890}')
    with pytest.raises(BadRequest) as raised:
        CONTRACT.operations["POST /completions"].check_body(body)
    assert (raised.value.param, raised.value.code) == ("seed", "invalid_type")


def test_a_whole_number_is_a_decimal_too() -> None:
    body = {"model": "m", "prompt": "x", "temperature": 1}
    assert CONTRACT.operations["POST /completions"].check_body(body)["temperature"] == 1


def test_the_beta_form_of_an_operation_has_its_own_schema() -> None:
    plain = CONTRACT.operations["POST /responses"]
    assert plain.beta is not None
    assert plain.beta.body_schema != plain.body_schema
    assert plain.beta.check_body({"model": "m", "input": "x"})
