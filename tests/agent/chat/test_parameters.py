"""The tables name every parameter of the contract, and what they say happens."""

import pytest

from inhouse.agent.chat.parameters import CHAT
from inhouse.agent.completions.parameters import COMPLETION
from inhouse.agent.parameters import Parameter, Way, select
from inhouse.contract import Contract
from inhouse.engines import abilities
from inhouse.errors import BadRequest

CONTRACT = Contract.load().operations


@pytest.mark.parametrize(
    ("key", "table"), [("POST /chat/completions", CHAT), ("POST /completions", COMPLETION)]
)
def test_the_table_has_the_contracts_parameters_and_no_others(
    key: str, table: dict[str, Parameter]
) -> None:
    assert set(table) == set(CONTRACT[key].body_schema["properties"])


@pytest.mark.parametrize("key", ["POST /chat/completions", "POST /completions"])
def test_every_extension_needs_an_engine_that_honours_it(key: str) -> None:
    table = CHAT if "chat" in key else COMPLETION
    extensions = {n for n, row in table.items() if row.ability == abilities.EXTENSIONS}
    assert extensions == CONTRACT[key].extensions


def test_what_the_engine_cannot_is_refused_by_name() -> None:
    with pytest.raises(BadRequest) as caught:
        select({"top_k": 5}, CHAT, {abilities.TEXT})
    assert (caught.value.param, caught.value.code) == ("top_k", "unsupported_parameter")


@pytest.mark.parametrize("name", [n for n, row in CHAT.items() if row.way is Way.REFUSED])
def test_what_does_not_exist_yet_is_refused_by_name_whatever_the_engine_can(name: str) -> None:
    everything = {row.ability for row in CHAT.values() if row.ability}
    with pytest.raises(BadRequest, match=f"'{name}' is not supported") as caught:
        select({name: ["audio"]}, CHAT, everything)
    assert caught.value.param == name


def test_nulls_and_values_that_ask_for_nothing_are_no_request() -> None:
    body = {
        "logprobs": False,
        "tools": None,
        "response_format": {"type": "text"},
        "modalities": ["text"],
        "seed": None,
    }
    assert select(body, CHAT, {abilities.TEXT}) == {}


def test_the_platforms_own_fields_do_not_reach_the_engine() -> None:
    body = {
        "store": True,
        "metadata": {"a": "b"},
        "user": "u",
        "safety_identifier": "s",
        "verbosity": "low",
        "temperature": 0,
    }
    assert select(body, CHAT, set()) == {"verbosity": "low", "temperature": 0}
