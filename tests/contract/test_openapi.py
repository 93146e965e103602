"""The published document says what the contract says."""

import re
from typing import Any

import jsonschema_rs
import pytest
import schemathesis

from inhouse.contract import Contract
from inhouse.contract.openapi import openapi

CONTRACT = Contract.load()
SOME = {"POST /chat/completions", "GET /chat/completions", "GET /models/{model}", "POST /files"}


def test_only_what_is_implemented_is_in_it() -> None:
    document = openapi(CONTRACT, SOME)
    paths = {
        f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item
    }
    assert paths == SOME
    assert openapi(CONTRACT, set())["paths"] == {}


def test_every_reference_has_its_schema() -> None:
    document = openapi(CONTRACT, set(CONTRACT.operations))
    schemas = document["components"]["schemas"]
    found = set(references(document))
    assert {reference.removeprefix("#/components/schemas/") for reference in found} <= set(schemas)
    assert all(re.fullmatch(r"[a-zA-Z0-9._-]+", name) for name in schemas)


def test_every_schema_is_a_schema() -> None:
    document = openapi(CONTRACT, set(CONTRACT.operations))
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)


def test_tools_that_read_such_documents_read_it() -> None:
    document = openapi(CONTRACT, SOME)
    labels = {result.ok().label for result in schemathesis.openapi.from_dict(document)
              .get_all_operations()}  # fmt: skip
    assert labels == SOME


def test_the_key_the_errors_and_the_parameters_are_described() -> None:
    document = openapi(CONTRACT, SOME)
    assert document["openapi"] == "3.1.0"
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    listing = document["paths"]["/chat/completions"]["get"]
    parameters = {parameter["name"]: parameter for parameter in listing["parameters"]}
    assert parameters["limit"]["schema"] == {
        "type": "integer", "minimum": 1, "maximum": 100, "default": 20,
    }  # fmt: skip
    assert parameters["metadata"]["style"] == "deepObject"
    assert {"200", "400", "401", "404", "429"} <= set(listing["responses"])
    retrieve = document["paths"]["/models/{model}"]["get"]
    assert retrieve["parameters"][0]["in"] == "path"
    assert "requestBody" not in retrieve


@pytest.mark.parametrize(
    ("key", "kind"),
    [("POST /chat/completions", "application/json"), ("POST /files", "multipart/form-data")],
)
def test_bodies_are_described_in_their_media_type(key: str, kind: str) -> None:
    method, path = key.split()
    operation = openapi(CONTRACT, {key})["paths"][path][method.lower()]
    assert list(operation["requestBody"]["content"]) == [kind]
    assert operation["requestBody"]["required"]


def test_answers_are_described() -> None:
    document = openapi(CONTRACT, {"POST /chat/completions"})
    content = document["paths"]["/chat/completions"]["post"]["responses"]["200"]["content"]
    assert set(content) == {"application/json", "text/event-stream"}
    name = content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    assert {"id", "choices", "usage"} <= set(document["components"]["schemas"][name]["properties"])


def references(value: Any) -> list[str]:
    """All references in a document."""
    if isinstance(value, list):
        return [found for part in value for found in references(part)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return own + [found for part in value.values() for found in references(part)]
