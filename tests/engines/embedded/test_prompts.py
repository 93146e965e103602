"""Messages as a template takes them: one without tools, and one that has them."""

from dataclasses import replace
from typing import Any

import pytest

from inhouse.engines.embedded.constraints import choice_of
from inhouse.engines.embedded.prompts import native, render
from inhouse.engines.embedded.template import Template
from inhouse.engines.text import Json
from inhouse.errors import BadRequest

BLIND = Template(
    tools=False, system=True, effort=False, sees=False, slots=4, context=100, vocabulary=10
)
SEEING = Template(
    tools=False, system=True, effort=False, sees=True, slots=4, context=100, vocabulary=10
)
TOOLS: list[Json] = [
    {
        "type": "function",
        "function": {"name": "f", "description": "does f", "parameters": {"type": "object"}},
    },
    {"type": "custom", "custom": {"name": "py"}},
]


def plain(*messages: Json, template: Template = BLIND, **body: Any) -> list[Json]:
    return render(messages, choice_of(body), template)


def test_a_developer_speaks_as_the_system() -> None:
    assert plain({"role": "developer", "content": "x"}) == [{"role": "system", "content": "x"}]


def test_parts_become_one_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert plain({"role": "user", "content": parts}) == [{"role": "user", "content": "ab"}]


def test_a_name_is_said() -> None:
    assert plain({"role": "user", "content": "hi", "name": "Ada"})[0]["content"] == "Ada: hi"


def test_a_refusal_is_what_the_assistant_said() -> None:
    message = {"role": "assistant", "content": None, "refusal": "no"}
    assert plain(message) == [{"role": "assistant", "content": "no"}]


def test_calls_and_results_are_written_as_the_model_writes_them() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    script = {"id": "2", "type": "custom", "custom": {"name": "py", "input": "1+1"}}
    messages = plain(
        {"role": "assistant", "content": "wait", "tool_calls": [call, script]},
        {"role": "tool", "tool_call_id": "1", "content": "one"},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": "and?"},
    )
    assert messages == [
        {
            "role": "assistant",
            "content": 'wait\n<tool_call>{"name":"f","arguments":{"a":1}}\n'
            "<tool_call>py\n1+1</tool_call>",
        },
        {"role": "user", "content": "Result of f:\none\nResult of py:\ntwo"},
        {"role": "user", "content": "and?"},
    ]


def test_legacy_functions_are_written_likewise() -> None:
    messages = plain(
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "x"},
    )
    assert [message["content"] for message in messages] == [
        '<tool_call>{"name":"f","arguments":{}}',
        "Result of f:\nx",
    ]


def test_tools_are_described_in_the_system_message_that_is_there() -> None:
    messages = plain(
        {"role": "system", "content": "Be kind."}, {"role": "user", "content": "x"}, tools=TOOLS
    )
    assert [message["role"] for message in messages] == ["system", "user"]
    assert messages[0]["content"].startswith("Be kind.\n\n")
    assert '"name": "f", "description": "does f"' in messages[0]["content"]
    assert "write: <tool_call>NAME\nINPUT</tool_call>" in messages[0]["content"]


def test_a_system_message_is_made_for_tools_where_there_is_none() -> None:
    messages = plain({"role": "user", "content": "x"}, tools=TOOLS, tool_choice="required")
    assert [message["role"] for message in messages] == ["system", "user"]
    assert messages[0]["content"].endswith("Call a tool now.")


def test_only_tools_that_may_be_called_are_described() -> None:
    choice = {"type": "custom", "custom": {"name": "py"}}
    text = plain({"role": "user", "content": "x"}, tools=TOOLS, tool_choice=choice)[0]["content"]
    assert "does f" not in text
    none = plain({"role": "user", "content": "x"}, tools=TOOLS, tool_choice="none")
    assert [message["role"] for message in none] == ["user"]


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,x"}}


def test_an_image_is_refused_by_a_model_that_does_not_see() -> None:
    with pytest.raises(BadRequest) as caught:
        plain({"role": "user", "content": [{"type": "text", "text": "a"}, IMAGE]})
    assert caught.value.param == "messages[0].content[1]"
    assert "image" in caught.value.message


def test_an_image_goes_to_a_model_that_sees() -> None:
    content = [{"type": "text", "text": "a"}, IMAGE]
    assert plain({"role": "user", "content": content}, template=SEEING)[0]["content"] == content


def test_a_template_without_a_system_hears_it_from_the_user() -> None:
    template = replace(BLIND, system=False)
    system: Json = {"role": "system", "content": "Be kind."}
    assert plain(system, {"role": "user", "content": "hi"}, template=template) == [
        {"role": "user", "content": "Be kind.\n\nhi"}
    ]
    assert plain(system, template=template) == [{"role": "user", "content": "Be kind."}]


def test_a_template_with_tools_is_told_calls_and_results_as_they_were() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    script = {"id": "2", "type": "custom", "custom": {"name": "py", "input": "1+1"}}
    told = native(
        [
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "content": "hi", "name": "Ada"},
            {"role": "assistant", "content": None, "tool_calls": [call, script]},
            {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "one"}]},
        ],
        BLIND,
    )
    function = {"name": "py", "arguments": '{"input": "1+1"}'}
    assert told == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Ada: hi"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [call, {"id": "2", "type": "function", "function": function}],
        },
        {"role": "tool", "content": "one", "tool_call_id": "1"},
    ]


def test_a_template_with_tools_is_told_legacy_calls_as_tool_calls() -> None:
    made = {"name": "f", "arguments": ""}
    told = native(
        [
            {"role": "assistant", "content": None, "function_call": made},
            {"role": "function", "name": "f", "content": "x"},
        ],
        BLIND,
    )
    function = {"name": "f", "arguments": "{}"}
    assert told[0]["tool_calls"] == [{"id": "f", "type": "function", "function": function}]
    assert told[1] == {"role": "tool", "tool_call_id": "f", "name": "f", "content": "x"}


def test_the_callers_messages_stay_as_they_are() -> None:
    messages = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
    plain(*messages, tools=TOOLS)
    assert messages == [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
