"""What the declarations of tools become, and the choice among them."""

from typing import Any

import pytest
from tests.agent.responses.reading import Json, refused, sent, valid

from inhouse.agent.responses.request import names
from inhouse.agent.responses.tools import callable_name
from inhouse.engines import abilities
from inhouse.engines.scripted import EVERYTHING

LOOSE: Json = {"type": "object", "properties": {"a": {"type": "string"}}}
STRICT: Json = {**LOOSE, "required": ["a"], "additionalProperties": False}
ADD: Json = {"type": "function", "name": "add", "parameters": LOOSE, "strict": False}
LOOK: Json = {"type": "custom", "name": "look", "description": "Looks."}
GRAMMAR: Json = {
    "type": "custom",
    "name": "cut",
    "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "a"'},
}
AGENTS: Json = {
    "type": "namespace",
    "name": "agents",
    "description": "Tools for agents.",
    "tools": [{**ADD, "description": "Adds one."}, {"type": "custom", "name": "say"}],
}
USER: Json = {"role": "user", "content": "Hi"}


async def shown(tools: list[Json], **body: Any) -> list[Json]:
    return (await sent(tools=tools, **body))["tools"]


async def test_functions_and_custom_tools_reach_the_engine_in_chats_form() -> None:
    tools = await shown([{**ADD, "description": "Adds."}, LOOK, GRAMMAR])
    assert tools == [
        {
            "type": "function",
            "function": {"name": "add", "description": "Adds.", "parameters": LOOSE},
        },
        {"type": "custom", "custom": {"name": "look", "description": "Looks."}},
        {
            "type": "custom",
            "custom": {
                "name": "cut",
                "format": {
                    "type": "grammar",
                    "grammar": {"syntax": "lark", "definition": 'start: "a"'},
                },
            },
        },
    ]


@pytest.mark.parametrize(
    ("tool", "becomes"),
    [
        ({"parameters": STRICT}, True),
        ({"parameters": STRICT, "strict": None}, True),
        ({"parameters": LOOSE, "strict": None}, False),
        ({"parameters": STRICT, "strict": False}, False),
        ({"parameters": None, "strict": None}, True),
    ],
)
async def test_a_function_is_strict_if_it_says_so_or_says_nothing_and_can_be(
    tool: Json, *, becomes: bool
) -> None:
    (shown_tool,) = await shown([{"type": "function", "name": "f", **tool}])
    assert shown_tool["function"].get("strict", False) is becomes


async def test_strict_schemas_are_held_to_their_rules() -> None:
    message, param, code = await refused(tools=[LOOK, {**ADD, "strict": True}])
    assert message.startswith("Invalid schema for function 'add': In context=(), ")
    assert (param, code) == ("tools[1].parameters", "invalid_function_parameters")


async def test_a_namespace_gives_its_tools_names_of_their_own_and_gets_the_calls_back() -> None:
    tools = await shown([ADD, AGENTS])
    assert [tool[tool["type"]]["name"] for tool in tools] == ["add", "agents__add", "agents__say"]
    assert tools[1]["function"]["description"] == "Tools for agents.\n\nAdds one."
    assert names(valid(tools=[ADD, AGENTS])) == {
        "add": {"name": "add"},
        "agents__add": {"name": "add", "namespace": "agents"},
        "agents__say": {"name": "say", "namespace": "agents"},
    }


def test_names_that_a_model_could_not_call_are_made_callable_and_stay_apart() -> None:
    assert callable_name("f", "mcp__") == "mcp__f"
    odd, other = callable_name("f", "my tools"), callable_name("f", "my.tools")
    assert odd.startswith("my_tools__f_")
    assert odd != other
    assert len(callable_name("f" * 128, "n")) == 64


async def test_names_are_unique() -> None:
    message, param, _ = await refused(tools=[ADD, {"type": "custom", "name": "add"}])
    assert "Names must be unique" in message
    assert param == "tools[1].name"


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search"},
        {"type": "web_search", "external_web_access": True},
        {"type": "web_search_preview"},
        {"type": "file_search", "vector_store_ids": ["vs_1"]},
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "image_generation"},
        {"type": "mcp", "server_label": "x", "server_url": "https://x"},
        {"type": "computer"},
        {"type": "local_shell"},
        {"type": "shell"},
        {"type": "apply_patch"},
        {"type": "programmatic_tool_calling"},
    ],
)
async def test_hosted_tools_are_refused_by_name_until_they_exist(tool: Json) -> None:
    message, param, code = await refused(tools=[ADD, tool])
    assert message == f"Tool type '{tool['type']}' is not supported by this server yet."
    assert (param, code) == ("tools[1].type", "unsupported_value")


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search", "external_web_access": False},
        {
            "type": "web_search",
            "external_web_access": False,
            "search_content_types": ["text", "image"],
        },
        {"type": "tool_search"},
    ],
)
async def test_tools_that_could_find_nothing_are_accepted_and_not_offered(tool: Json) -> None:
    assert [each["function"]["name"] for each in await shown([ADD, tool])] == ["add"]
    assert "tools" not in await sent(tools=[tool])


async def test_a_search_of_the_web_is_not_offered_to_a_program_that_always_declares_one() -> None:
    search = {"type": "web_search", "external_web_access": True}
    codex = {"client_metadata": {"session_id": "s"}}
    assert "tools" not in await sent(tools=[search], **codex)
    choice = {"type": "web_search"}
    assert (await refused(tools=[search], tool_choice=choice, **codex))[1] == "tool_choice.type"
    assert (await refused(tools=[{"type": "image_generation"}], **codex))[1] == "tools[0].type"


async def test_a_search_for_tools_that_the_client_runs_is_a_function_for_the_model() -> None:
    search = {
        "type": "tool_search",
        "execution": "client",
        "description": "Finds.",
        "parameters": LOOSE,
    }
    assert (await shown([search])) == [
        {
            "type": "function",
            "function": {"name": "tool_search", "description": "Finds.", "parameters": LOOSE},
        }
    ]
    assert names(valid(tools=[search])) == {"tool_search": {"type": "tool_search_call"}}


async def test_tools_that_come_with_the_input_are_offered_too() -> None:
    given = [{"type": "additional_tools", "role": "developer", "tools": [AGENTS, ADD]}, USER]
    body = await sent(tools=[ADD], input=given)
    assert [tool[tool["type"]]["name"] for tool in body["tools"]] == [
        "add",
        "agents__add",
        "agents__say",
    ]
    assert "agents__say" in names(valid(tools=[ADD], input=given))


async def test_tools_that_a_search_found_are_offered() -> None:
    found = [
        {"type": "tool_search_call", "call_id": "call_1", "arguments": {}, "execution": "client"},
        {"type": "tool_search_output", "call_id": "call_1", "tools": [ADD]},
        USER,
    ]
    assert [tool["function"]["name"] for tool in (await sent(input=found))["tools"]] == ["add"]


async def test_tools_that_come_with_the_input_follow_the_same_rules() -> None:
    brought = {"type": "additional_tools", "role": "developer", "tools": [{"type": "computer"}]}
    assert "computer" in (await refused(input=[brought, USER]))[0]


@pytest.mark.parametrize(
    ("field", "value"), [("async", True), ("allowed_callers", ["programmatic"])]
)
async def test_manners_of_calling_that_do_not_exist_here_are_refused(
    field: str, value: object
) -> None:
    assert (await refused(tools=[{**ADD, field: value}]))[1] == f"tools[0].{field}"


@pytest.mark.parametrize(
    ("choice", "expected", "mode"),
    [
        (None, ["add", "look", "agents__add", "agents__say"], None),
        ("none", ["add", "look", "agents__add", "agents__say"], "none"),
        ("required", ["add", "look", "agents__add", "agents__say"], "required"),
        ({"type": "function", "name": "add"}, ["add"], "required"),
        ({"type": "custom", "name": "look"}, ["look"], "required"),
        ({"type": "custom", "name": "say"}, ["agents__say"], "required"),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [
                    {"type": "custom", "name": "look"},
                    {"type": "namespace", "name": "agents"},
                ],
            },
            ["look", "agents__add", "agents__say"],
            "auto",
        ),
    ],
)
async def test_every_tool_choice_reaches_the_engine_as_tools_and_a_mode(
    choice: Any, expected: list[str], mode: str | None
) -> None:
    body = await sent(tools=[ADD, LOOK, AGENTS], tool_choice=choice)
    assert [tool[tool["type"]]["name"] for tool in body["tools"]] == expected
    assert body.get("tool_choice") == mode
    named = isinstance(choice, dict) and choice["type"] != "allowed_tools"
    assert body.get("parallel_tool_calls", True) is not named


@pytest.mark.parametrize(
    ("choice", "param"),
    [
        ({"type": "function", "name": "sub"}, "tool_choice"),
        ({"type": "custom", "name": "add"}, "tool_choice"),
        ({"type": "web_search"}, "tool_choice.type"),
        ({"type": "mcp", "server_label": "x"}, "tool_choice.type"),
        ({"type": "apply_patch"}, "tool_choice.type"),
        ({"type": "shell"}, "tool_choice.type"),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, "tool_choice.tools"),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function"}]},
            "tool_choice.tools[0]",
        ),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{}]}, "tool_choice.tools[0]"),
    ],
)
async def test_a_choice_of_a_tool_that_is_not_there_is_refused(choice: Json, param: str) -> None:
    assert (await refused(tools=[ADD], tool_choice=choice))[1] == param


async def test_no_tool_can_be_required_where_none_is_offered() -> None:
    silent = {"type": "web_search", "external_web_access": False}
    assert (
        "must be specified with 'tools'"
        in (await refused(tools=[silent], tool_choice="required"))[0]
    )
    assert (await sent(tool_choice="auto", parallel_tool_calls=False, tools=[])).keys() == {
        "messages"
    }


async def test_tools_and_grammars_need_an_engine_that_can() -> None:
    assert (await refused(EVERYTHING - {abilities.TOOLS}, tools=[ADD]))[1:] == (
        "tools",
        "unsupported_parameter",
    )
    able = EVERYTHING - {abilities.GRAMMAR}
    assert (await refused(able, tools=[AGENTS, GRAMMAR]))[1] == "tools[1].format"
