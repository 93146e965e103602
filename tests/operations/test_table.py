"""Routes are found by path and method, whatever the path holds."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from inhouse.contract import Contract
from inhouse.errors import MethodNotAllowed, NotFound
from inhouse.operations import Operation, Table


def contract(*keys: str) -> Contract:
    """A contract of nothing but routes."""
    specs = {key: SimpleNamespace(method=key.split()[0], path=key.split()[1]) for key in keys}
    return cast("Contract", SimpleNamespace(operations=specs))


async def handler(ctx: Any) -> dict[str, Any]:
    return {}


def test_a_literal_segment_wins_over_a_parameter() -> None:
    table = Table(contract("GET /threads/{id}", "POST /threads/runs", "GET /threads/{id}/runs"), [])
    assert table.match("POST", "/threads/runs")[0].key == "POST /threads/runs"
    assert table.match("GET", "/threads/x") == (table.routes["GET /threads/{id}"], {"id": "x"})


def test_a_dead_end_behind_a_literal_falls_back_to_the_parameter() -> None:
    table = Table(contract("POST /threads/runs", "GET /threads/{id}/runs"), [])
    route, values = table.match("GET", "/threads/runs/runs")
    assert (route.key, values) == ("GET /threads/{id}/runs", {"id": "runs"})


def test_parameters_are_decoded_one_segment_at_a_time() -> None:
    table = Table(contract("GET /models/{model}"), [])
    assert table.match("GET", "/models/Qwen%2FQwen3-8B")[1] == {"model": "Qwen/Qwen3-8B"}


@pytest.mark.parametrize("path", ["/", "/nothing", "/models/", "/models/a/b", "//models/a"])
def test_an_unknown_path_is_a_404_that_names_it(path: str) -> None:
    table = Table(contract("GET /models/{model}"), [])
    with pytest.raises(NotFound) as refused:
        table.match("GET", path)
    assert refused.value.code == "unknown_url"
    assert f"Unknown request URL: GET /v1{path}" in refused.value.message


def test_a_wrong_method_is_a_405_that_names_the_right_ones() -> None:
    table = Table(contract("GET /models/{model}", "DELETE /models/{model}"), [])
    with pytest.raises(MethodNotAllowed) as refused:
        table.match("PATCH", "/models/a")
    assert refused.value.headers == {"allow": "DELETE, GET"}


def test_a_handler_for_what_the_contract_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="GET /nothing"):
        Table(contract("GET /models"), [Operation("GET", "/nothing", handler, "models.read")])
