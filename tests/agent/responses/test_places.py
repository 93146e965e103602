"""Faults that an engine found are told by the request's own names."""

import pytest
from tests.agent.responses.reading import Json

from inhouse.agent.responses.places import rename, renaming
from inhouse.errors import BadRequest

LOOK: Json = {"type": "custom", "name": "look"}
ADD: Json = {"type": "function", "name": "add"}
BODY: Json = {
    "tools": [LOOK, {"type": "namespace", "name": "n", "description": "", "tools": [ADD]}]
}
CHAT: Json = {
    "tools": [
        {"type": "function", "function": {"name": "n__add"}},
        {"type": "custom", "custom": {"name": "look"}},
        {"type": "function", "function": {"name": "file_search"}},
    ]
}


@pytest.mark.parametrize(
    ("param", "place"),
    [
        ("messages", "input"),
        ("messages[2].content[0]", "input"),
        ("response_format", "text.format"),
        ("response_format.json_schema.schema", "text.format"),
        ("max_completion_tokens", "max_output_tokens"),
        ("reasoning_effort", "reasoning.effort"),
        ("tools[0].function.parameters", "tools[1].tools[0].parameters"),
        ("tools[1].custom.format.grammar.definition", "tools[0].format"),
        ("tools[2].function.parameters", "tools[2].function.parameters"),
        ("tools[9].function.parameters", "tools[9].function.parameters"),
        ("temperature", "temperature"),
    ],
)
def test_the_place_is_that_of_the_request(param: str, place: str) -> None:
    error = BadRequest(f"Invalid '{param}': no.", param=param)
    rename(error, CHAT, BODY, [])
    assert (error.message, error.param) == (f"Invalid '{place}': no.", place)


def test_an_error_without_a_place_has_none() -> None:
    error = BadRequest("No.")
    rename(error, CHAT, BODY, [])
    assert error.param is None


def test_what_is_refused_inside_is_renamed_once() -> None:
    with pytest.raises(BadRequest) as caught, renaming(CHAT, BODY, []), renaming(CHAT, BODY, []):
        raise BadRequest("Invalid 'messages'.", param="messages")
    assert (caught.value.message, caught.value.param) == ("Invalid 'input'.", "input")
