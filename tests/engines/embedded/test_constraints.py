"""What a request asks for, as a grammar: which outputs it takes, checked with the engine's own
matcher."""

import json
from typing import Any

import llguidance
import pytest

from inhouse.engines.embedded.constraints import Choice, choice_of, constrain
from inhouse.engines.text import Json
from inhouse.errors import BadRequest

ADD: Json = {
    "type": "function",
    "function": {
        "name": "add",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
            "additionalProperties": False,
        },
    },
}
NOW: Json = {"type": "function", "function": {"name": "now"}}
LOOSE: Json = {
    "type": "function",
    "function": {
        "name": "loose",
        "parameters": {
            "type": "object",
            "properties": {"tags": {"type": "array", "uniqueItems": True}},
        },
    },
}
PYTHON: Json = {"type": "custom", "custom": {"name": "python"}}


def custom(syntax: str, definition: str) -> Json:
    grammar = {"syntax": syntax, "definition": definition}
    return {
        "type": "custom",
        "custom": {"name": "calc", "format": {"type": "grammar", "grammar": grammar}},
    }


SUM = custom("lark", 'start: NUM ("+" NUM)*\nNUM: /[0-9]+/')
DATE = custom("regex", r"[0-9]{4}/[0-9]{2}")
TOOLS = [ADD, NOW, PYTHON, SUM]

ADDED = '<tool_call>{"name":"add","arguments":{"a":1,"b":-2}}'
NOWED = '<tool_call>{"name":"now","arguments":{}}'
RAN = "<tool_call>python\nprint('</b>')\n</tool_call>"
SUMMED = "<tool_call>calc\n1+22</tool_call>"


@pytest.fixture(scope="module")
def bytewise() -> llguidance.LLTokenizer:
    """A tokenizer whose tokens are bytes."""
    return llguidance.LLTokenizer("byte")


@pytest.fixture
def takes(bytewise: llguidance.LLTokenizer) -> Any:
    def takes(body: Json, text: str) -> bool:
        """Whether a model held to the request may say exactly `text`."""
        grammar = constrain(body).grammar
        assert grammar is not None
        matcher = llguidance.LLMatcher(bytewise, grammar, log_level=0)
        tokens = bytewise.tokenize_str(text)
        return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()

    return takes


def schema(value: Any, **more: Any) -> Json:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": value, **more}}


def test_free_text_has_no_grammar() -> None:
    assert constrain({"messages": []}).grammar is None
    assert constrain({"response_format": {"type": "text"}}).grammar is None
    assert constrain({"tools": [ADD], "tool_choice": "none"}).grammar is None


@pytest.mark.parametrize("call", [ADDED, NOWED, RAN, SUMMED])
def test_a_required_call_is_a_whole_call_and_nothing_else(takes: Any, call: str) -> None:
    body = {"tools": TOOLS, "tool_choice": "required"}
    assert takes(body, call)
    assert not takes(body, call[:-1])
    assert not takes(body, call + "\n")
    assert not takes(body, f"Sure: {call}")
    assert not takes(body, "hello")
    assert not takes(body, "")


@pytest.mark.parametrize(
    "call",
    [
        '<tool_call>{"name":"add","arguments":{"a":1}}',
        '<tool_call>{"name":"add","arguments":{"a":"1","b":2}}',
        '<tool_call>{"name":"add","arguments":{"a":1,"b":2,"c":3}}',
        '<tool_call>{"name":"add","arguments":{"a": 1,"b":2}}',
        '<tool_call>{"name":"sub","arguments":{}}',
        "<tool_call>calc\n1+</tool_call>",
        "<tool_call>calc\none</tool_call>",
    ],
)
@pytest.mark.parametrize("mode", ["auto", "required"])
def test_a_call_that_is_not_as_its_tool_takes_it_cannot_be_said(
    takes: Any, call: str, mode: str
) -> None:
    assert not takes({"tools": TOOLS, "tool_choice": mode}, call)


@pytest.mark.parametrize("text", ["", "hello", "<b>x</b>", "<tool", "a\nb", '{"name":"add"}', "😀"])
def test_auto_takes_any_text(takes: Any, text: str) -> None:
    assert takes({"tools": TOOLS}, text)


@pytest.mark.parametrize("before", ["", "I will see.\n"])
@pytest.mark.parametrize("call", [ADDED, NOWED, RAN, SUMMED])
def test_auto_takes_a_call_with_text_before_it(takes: Any, before: str, call: str) -> None:
    assert takes({"tools": TOOLS}, before + call)
    assert not takes({"tools": TOOLS}, before + call[:-1])


def test_several_calls_need_leave(takes: Any) -> None:
    two = f"{ADDED}\n{RAN}"
    for choice in ("auto", "required"):
        body = {"tools": TOOLS, "tool_choice": choice}
        assert not takes(body, two)
        assert not takes({**body, "parallel_tool_calls": False}, two)
        assert takes({**body, "parallel_tool_calls": True}, two)
        assert not takes({**body, "parallel_tool_calls": True}, "\n".join([ADDED] * 9))


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "add"}},
        {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "required",
                "tools": [{"type": "function", "function": {"name": "add"}}],
            },
        },
    ],
)
def test_only_a_named_or_allowed_tool_can_be_called(takes: Any, choice: Json) -> None:
    body = {"tools": TOOLS, "tool_choice": choice}
    assert takes(body, ADDED)
    assert not takes(body, NOWED)


def test_a_named_custom_tool_is_called(takes: Any) -> None:
    body = {"tools": TOOLS, "tool_choice": {"type": "custom", "custom": {"name": "python"}}}
    assert takes(body, RAN)
    assert not takes(body, ADDED)


def test_allowed_tools_may_leave_it_to_the_model(takes: Any) -> None:
    allowed = {"mode": "auto", "tools": [{"type": "custom", "custom": {"name": "python"}}]}
    body = {
        "tools": TOOLS,
        "tool_choice": {"type": "allowed_tools", "allowed_tools": allowed},
    }
    assert takes(body, "text")
    assert takes(body, RAN)
    assert not takes(body, ADDED)


def test_a_tool_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        choice_of({"tools": [ADD], "tool_choice": {"type": "function", "function": {"name": "x"}}})
    assert caught.value.param == "tool_choice"


def test_legacy_functions_are_tools(takes: Any) -> None:
    body = {"functions": [ADD["function"]], "function_call": {"name": "add"}}
    assert takes(body, ADDED)
    assert choice_of({"functions": [NOW["function"]], "function_call": "none"}) == Choice(
        (), required=False, parallel=False
    )


def test_a_regex_may_hold_slashes(takes: Any) -> None:
    body = {"tools": [DATE], "tool_choice": "required"}
    assert takes(body, "<tool_call>calc\n2024/05</tool_call>")
    assert not takes(body, "<tool_call>calc\n2024-05</tool_call>")


def test_unnamed_properties_are_left_out_unless_asked_for(takes: Any) -> None:
    parameters: Json = {"type": "object", "properties": {"a": {"type": "integer"}}}
    function = {"name": "f", "parameters": parameters}
    body = {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}
    more = '<tool_call>{"name":"f","arguments":{"a":1,"b":2}}'
    assert not takes(body, more)
    parameters["additionalProperties"] = True
    assert takes(body, more)


def test_keywords_that_cannot_be_held_are_passed_over_without_strict(takes: Any) -> None:
    call = '<tool_call>{"name":"loose","arguments":{"tags":[1,1]}}'
    assert takes({"tools": [LOOSE], "tool_choice": "required"}, call)


# ---------------------------------------------------------------- the answer's own form
POINT: Json = {
    "type": "object",
    "properties": {"x": {"type": "number"}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
    "required": ["x", "next"],
    "additionalProperties": False,
}


def test_an_answer_is_held_to_its_schema(takes: Any) -> None:
    body = {"response_format": schema(POINT, strict=True)}
    assert takes(body, '{"x":1.5,"next":{"x":2,"next":null}}')
    assert not takes(body, '{"x":1.5}')
    assert not takes(body, '{ "x":1.5,"next":null}')


def test_a_json_object_is_an_object(takes: Any) -> None:
    body = {"response_format": {"type": "json_object"}}
    assert takes(body, '{"a":[1,{"b":null}]}')
    assert not takes(body, "[1]")


def test_a_schema_and_tools_leave_both_ways_open(takes: Any) -> None:
    body = {"response_format": schema(POINT, strict=True), "tools": TOOLS}
    assert takes(body, '{"x":1,"next":null}')
    assert takes(body, ADDED)
    assert takes(body, RAN)
    assert not takes(body, "text")
    assert not takes({**body, "tool_choice": "required"}, '{"x":1,"next":null}')


def test_options_that_a_schema_brings_are_not_ours(takes: Any) -> None:
    wanted = {**POINT, "x-guidance": {"whitespace_flexible": True}}
    assert not takes({"response_format": schema(wanted)}, '{ "x":1,"next":null}')


@pytest.mark.parametrize(
    ("guide", "yes", "no"),
    [
        ({"guided_choice": ["red", 'b"lue']}, 'b"lue', "blue"),
        ({"guided_regex": "[0-9]+/x"}, "12/x", "12-x"),
        ({"guided_json": {"type": "integer"}}, "12", "x"),
        ({"guided_json": '{"type":"integer"}'}, "12", "x"),
        ({"guided_grammar": 'start: "a"+'}, "aaa", "b"),
    ],
)
def test_guides_of_open_servers_are_honoured(takes: Any, guide: Json, yes: str, no: str) -> None:
    assert takes(guide, yes)
    assert not takes(guide, no)


def test_two_guides_at_once_are_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        constrain({"response_format": {"type": "json_object"}, "guided_regex": "a"})
    assert caught.value.param == "guided_regex"


# ---------------------------------------------------------------- what the engine refuses
@pytest.mark.parametrize(
    "bad",
    [
        {"type": "string", "pattern": "(a"},
        {"type": "string", "pattern": r"(?=x)y"},
        {"type": "array", "uniqueItems": True},
        {"$ref": "#/$defs/none"},
        {"type": "nonsense"},
        {"type": "string", "format": "nonsense"},
        {"enum": []},
        {"type": "integer", "minimum": 3, "maximum": 1},
    ],
)
def test_a_schema_that_cannot_be_enforced_is_refused_and_named(bad: Json) -> None:
    wanted = {"type": "object", "properties": {"a": bad}, "required": ["a"]}
    with pytest.raises(BadRequest) as caught:
        constrain({"response_format": schema(wanted, strict=True)})
    assert caught.value.param == "response_format.json_schema.schema"
    assert caught.value.code == "invalid_json_schema"
    assert "'n'" in caught.value.message
    function = {"name": "f", "strict": True, "parameters": wanted}
    with pytest.raises(BadRequest) as caught:
        constrain({"tools": [ADD, {"type": "function", "function": function}]})
    assert caught.value.param == "tools[1].function.parameters"
    assert caught.value.code == "invalid_function_parameters"


@pytest.mark.parametrize(
    "tool", [custom("regex", "(a"), custom("lark", "start: foo"), custom("lark", "")]
)
def test_a_grammar_that_does_not_compile_is_refused_and_named(tool: Json) -> None:
    with pytest.raises(BadRequest) as caught:
        constrain({"tools": [ADD, tool]})
    assert caught.value.param == "tools[1].custom.format"
    assert "calc" in caught.value.message


def test_a_grammar_that_is_too_large_is_refused() -> None:
    values = [f"value {at} {'x' * 50}" for at in range(9000)]
    with pytest.raises(BadRequest) as caught:
        constrain({"response_format": schema({"type": "string", "enum": values})})
    assert "longer" in caught.value.message


def test_a_name_is_written_as_json() -> None:
    function = {"name": 'a"b', "parameters": {"type": "object", "properties": {}}}
    grammar = constrain({"tools": [{"type": "function", "function": function}]}).grammar
    assert grammar
    assert json.dumps('{"name":"a\\"b","arguments":') in grammar
