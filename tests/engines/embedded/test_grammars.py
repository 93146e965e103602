"""What is said of a grammar before a model is asked."""

import sys

import pytest

from inhouse.engines.embedded.grammars import SMALL, check_lark, check_regex, check_schema
from inhouse.errors import BadRequest

WORDS = [f"{at * 7919 % 20_011:05}word{at % 7}" for at in range(20_000)]


def quoted(count: int) -> str:
    return " | ".join(f'"{word}"' for word in WORDS[:count])


def lark_reason(definition: str) -> str:
    with pytest.raises(BadRequest) as caught:
        check_lark(definition, "f", "tools[3].custom.format")
    assert (caught.value.param, caught.value.code) == ("tools[3].custom.format", "invalid_grammar")
    return caught.value.message


def test_more_ways_at_once_than_the_engine_follows_are_too_complex() -> None:
    reason = lark_reason(f"start: {quoted(20_000)}")
    assert reason.startswith("Invalid lark grammar for 'f': it is too complex to be enforced (")
    assert "20001 items" in reason
    assert "<state>" not in reason


def test_as_many_words_in_a_terminal_are_not() -> None:
    check_lark(f"start: WORD\nWORD: {quoted(20_000)}", "f", "tools")


def test_a_pattern_that_grows_while_it_is_followed_is_too_complex() -> None:
    with pytest.raises(BadRequest, match="too complex"):
        check_regex("((a{1,1000}){1,1000}){1,1000}", "guided_regex", "guided_regex")


@pytest.mark.parametrize(
    "schema",
    [
        '{"$ref": "#"}',
        '{"anyOf": [{"$ref": "#"}]}',
        '{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}',
    ],
)
def test_a_schema_that_says_only_to_look_at_itself_allows_nothing(schema: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_schema(schema, "Invalid schema", "response_format", "invalid_json_schema")
    assert caught.value.message == "Invalid schema: there is no output that it allows."


def test_a_grammar_without_any_output_is_refused() -> None:
    assert lark_reason("start: A\nA: /a/ & /b/").endswith("there is no output that it allows.")


@pytest.mark.parametrize(
    "definition", ["start: /[0-9]*/", 'start: ""', 'start: "a"', 'start: "é" start | "x"']
)
def test_short_and_endless_outputs_pass(definition: str) -> None:
    check_lark(definition, "f", "tools")


def kept(count: int) -> bool:
    """Whether anything holds on to a grammar of so many words once it is checked."""
    grammar = f"start: WORD\nWORD: {quoted(count)}"
    before = sys.getrefcount(grammar)
    check_lark(grammar, "f", "tools")
    return sys.getrefcount(grammar) > before


def test_only_small_grammars_are_remembered() -> None:
    assert kept(10)
    assert not kept(SMALL // 10)
