from typing import Any

import pytest
from openai.lib._pydantic import to_strict_json_schema
from pydantic import BaseModel

from inhouse.agent.schemas import Subject, check_object, check_strict
from inhouse.errors import BadRequest

SUBJECT = Subject("response_format 'x'", "response_format", "invalid_json_schema")
TEXT = {"type": "string"}


def strict(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def refusal(schema: dict[str, Any]) -> str:
    with pytest.raises(BadRequest) as caught:
        check_strict(schema, SUBJECT)
    assert (caught.value.param, caught.value.code) == ("response_format", "invalid_json_schema")
    return caught.value.message.removeprefix("Invalid schema for response_format 'x': ")


class Leaf(BaseModel):
    name: str
    rank: int | None


class Tree(BaseModel):
    leaves: list[Leaf]
    branches: "list[Tree]"


def test_what_the_official_client_makes_of_models_is_strict() -> None:
    check_strict(to_strict_json_schema(Tree), SUBJECT)


def test_an_open_object_is_refused_in_the_words_that_clients_know() -> None:
    schema = {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}
    assert refusal(schema) == (
        "In context=(), 'additionalProperties' is required to be supplied and to be false."
    )


def test_the_place_of_the_fault_is_named() -> None:
    inner = {"type": "object", "properties": {}}
    assert refusal(strict(a={"type": "array", "items": inner})).startswith(
        "In context=('properties', 'a', 'items'), 'additionalProperties'"
    )


def test_optional_properties_are_refused() -> None:
    schema = {**strict(a=TEXT, b=TEXT), "required": ["a"]}
    assert refusal(schema).endswith("including every key in properties. Missing 'b'.")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, "got 'type: \"string\"'"),
        ({}, "got 'type: \"None\"'"),
        ({"anyOf": [strict(a=TEXT)]}, "'anyOf' at the top level"),
        (strict(a={"oneOf": [TEXT]}), "'oneOf' is not permitted"),
        (strict(a={}), "('properties', 'a'), schema must have a 'type' key"),
        (strict(a={"type": "array"}), "array schema missing items"),
        (strict(a={"$ref": "#/$defs/b"}), "reference to component '#/$defs/b'"),
        (strict(a=7), "schema must be an object"),
        ({**strict(a=TEXT), "required": ["a", "z"]}, "Extra required key 'z' supplied"),
        ({**strict(a=TEXT), "required": ["a", [1]]}, "Extra required key"),
        ({**strict(), "properties": 7}, "'properties' must be an object"),
        (strict(**{f"p{n}": TEXT for n in range(5001)}), "at most 5000 properties"),
        (strict(a={"type": "string", "enum": ["x"] * 1001}), "at most 1000 enum values"),
    ],
)
def test_what_a_strict_schema_may_not_have(schema: dict[str, Any], words: str) -> None:
    assert words in refusal(schema)


def test_nesting_has_a_limit() -> None:
    schema: dict[str, Any] = TEXT
    for _ in range(9):
        schema = strict(a=schema)
    check_strict(schema, SUBJECT)
    assert "at most 10 levels deep" in refusal(strict(a=strict(a=schema)))


def test_a_schema_that_refers_to_itself_ends() -> None:
    check_strict(strict(child={"anyOf": [{"$ref": "#"}, {"type": "null"}]}), SUBJECT)


def test_parameters_of_a_loose_function_describe_an_object() -> None:
    check_object({}, SUBJECT)
    check_object({"type": "object"}, SUBJECT)
    with pytest.raises(BadRequest, match="got 'type: \"array\"'"):
        check_object({"type": "array"}, SUBJECT)


def test_a_schema_with_too_many_properties_is_refused_before_they_are_looked_at() -> None:
    properties = {f"p{at}": 7 for at in range(5001)}
    assert "at most 5000 properties" in refusal({**strict(**properties), "required": []})
