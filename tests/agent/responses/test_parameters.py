"""The table names every parameter of a response, in the contract and in the SDK."""

import pytest
from openai.types.responses import response_create_params as sdk
from tests.agent.responses.reading import SPEC

from inhouse.agent.parameters import Way, select
from inhouse.agent.responses.parameters import RESPONSE
from inhouse.engines import abilities
from inhouse.engines.scripted import EVERYTHING
from inhouse.errors import BadRequest


def test_the_table_has_the_contracts_parameters_and_no_others() -> None:
    assert set(RESPONSE) == set(SPEC.body_schema["properties"])


def test_the_table_has_all_that_the_official_client_sends() -> None:
    fields = sdk.ResponseCreateParamsBase.__annotations__
    assert set(fields) | {"stream", "client_metadata"} | SPEC.extensions == set(RESPONSE)


def test_every_extension_needs_an_engine_that_honours_it() -> None:
    needing = {name for name, row in RESPONSE.items() if row.ability == abilities.EXTENSIONS}
    assert needing == SPEC.extensions


@pytest.mark.parametrize("name", [n for n, row in RESPONSE.items() if row.way is Way.REFUSED])
def test_what_does_not_exist_yet_is_refused_by_name_whatever_the_engine_can(name: str) -> None:
    with pytest.raises(BadRequest, match=f"'{name}' is not supported") as caught:
        select({name: {"any": "thing"}}, RESPONSE, EVERYTHING)
    assert (caught.value.param, caught.value.code) == (name, "unsupported_parameter")


@pytest.mark.parametrize(
    "idle",
    [
        {"image": {"context_compression": "auto"}},
        {"image": {}},
        {"access_programs": {"cyber": "standard"}},
        {"prompt": None},
    ],
)
def test_values_that_ask_for_nothing_are_no_request(idle: dict[str, object]) -> None:
    assert select(idle, RESPONSE, EVERYTHING) == {}


def test_the_platforms_own_fields_do_not_reach_the_engine() -> None:
    body = {
        "store": True,
        "metadata": {"a": "b"},
        "user": "u",
        "safety_identifier": "s",
        "client_metadata": {"x": 1},
        "background": True,
        "prompt_cache_key": "k",
        "temperature": 0,
    }
    assert select(body, RESPONSE, EVERYTHING) == {"prompt_cache_key": "k", "temperature": 0}
