"""Tools of a chat request: their rules, and the two forms that every engine understands: a list of
tools, and `auto`, `none` or `required`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inhouse.agent.parameters import requires
from inhouse.agent.schemas import Subject, check_object, check_strict
from inhouse.engines import abilities
from inhouse.engines.text import Json
from inhouse.errors import BadRequest

ToolName = tuple[str, str]
"""A tool's kind and its name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The tools that the model may call and how: `auto`, `none` or `required`. `single`: once."""

    tools: Sequence[Json]
    mode: str | None
    single: bool = False


def check(body: Json) -> None:
    """Tools and functions against the rules that their schemas cannot say."""
    requires(body, "tool_choice", "tools", "are specified")
    requires(body, "parallel_tool_calls", "tools", "are specified")
    requires(body, "function_call", "functions", "are specified")
    tools: Sequence[Json] | None = body.get("tools")
    if tools is not None and not tools:
        raise BadRequest(
            "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an "
            "empty array instead.",
            param="tools",
            code="empty_array",
        )
    functions: Sequence[Json] | None = body.get("functions")
    if tools and functions:
        raise BadRequest(
            "'functions' and 'tools' cannot both be given. Please use 'tools'.",
            param="functions",
            code="invalid_parameter_combination",
        )
    names: set[str] = set()
    for index, tool in enumerate(tools or ()):
        kind = tool["type"]
        _check_name(tool[kind]["name"], names, f"tools[{index}].{kind}.name")
        if kind == "function":
            _check_function(tool["function"], f"tools[{index}].function.parameters")
    for index, function in enumerate(functions or ()):
        _check_name(function["name"], names, f"functions[{index}].name")
        _check_function(function, f"functions[{index}].parameters")


def _check_name(name: str, names: set[str], param: str) -> None:
    if name in names:
        raise BadRequest(f"Invalid value: '{name}'. Names must be unique.", param=param)
    names.add(name)


def _check_function(function: Json, param: str) -> None:
    subject = Subject(f"function '{function['name']}'", param, "invalid_function_parameters")
    parameters = function.get("parameters")
    if function.get("strict"):
        check_strict(parameters or _NOTHING, subject)
    elif parameters:
        check_object(parameters, subject)


_NOTHING: Mapping[str, Any] = {
    "type": "object",
    "properties": {},
    "required": [],
    "additionalProperties": False,
}


def needs_grammar(tools: Sequence[Json]) -> int | None:
    """The first custom tool whose input follows a grammar."""
    for index, tool in enumerate(tools):
        given = tool["custom"].get("format") if tool["type"] == "custom" else None
        if given and given["type"] == "grammar":
            return index
    return None


def choose(body: Json, able: frozenset[str]) -> Choice:
    """The tools that the model is shown, after `tool_choice` or `function_call`.

    A named tool is the only one that is shown, and required; of allowed tools only those are shown.
    """
    tools: Sequence[Json] = body.get("tools") or _as_tools(body.get("functions") or ())
    if (index := needs_grammar(tools)) is not None and abilities.GRAMMAR not in able:
        raise BadRequest(
            "Unsupported value: grammars of custom tools are not supported with this model.",
            param=f"tools[{index}].custom.format",
            code="unsupported_value",
        )
    if body.get("functions"):
        return _choose_function(tools, body.get("function_call"))
    return _choose_tool(tools, body.get("tool_choice"))


def _choose_function(tools: Sequence[Json], choice: str | Json | None) -> Choice:
    if choice is None or isinstance(choice, str):
        return Choice(tools, choice, single=True)
    return _only(tools, "function", choice["name"], ("function_call", "functions"))


def _choose_tool(tools: Sequence[Json], choice: str | Json | None) -> Choice:
    if choice is None or isinstance(choice, str):
        return Choice(tools, choice)
    kind = choice["type"]
    if kind != "allowed_tools":
        return _only(tools, kind, choice[kind]["name"], ("tool_choice", "tools"))
    if not choice["allowed_tools"]["tools"]:
        raise BadRequest(
            "Invalid 'tool_choice.allowed_tools.tools': empty array. Expected an array with "
            "minimum length 1, but got an empty array instead.",
            param="tool_choice.allowed_tools.tools",
            code="empty_array",
        )
    known = {(tool["type"], tool[tool["type"]]["name"]) for tool in tools}
    allowed = {
        _named(known, given, f"tool_choice.allowed_tools.tools[{index}]")
        for index, given in enumerate(choice["allowed_tools"]["tools"])
    }
    shown = [tool for tool in tools if (tool["type"], tool[tool["type"]]["name"]) in allowed]
    return Choice(shown, choice["allowed_tools"]["mode"])


def _named(known: Collection[ToolName], given: Json, param: str) -> ToolName:
    """The kind and name of an allowed tool. BadRequest unless it is known."""
    kind = given.get("type")
    named = given.get(kind) if isinstance(kind, str) else None
    name = named.get("name") if isinstance(named, dict) else given.get("name")
    if not isinstance(kind, str) or not isinstance(name, str) or (kind, name) not in known:
        raise BadRequest(
            f"Invalid value for 'tool_choice': no {kind} named '{name}' was specified in the "
            "'tools' parameter.",
            param=param,
        )
    return kind, name


def _only(tools: Sequence[Json], kind: str, name: str, params: tuple[str, str]) -> Choice:
    found = [tool for tool in tools if tool["type"] == kind and tool[kind]["name"] == name]
    if not found:
        what = "custom tool" if kind == "custom" else kind
        raise BadRequest(
            f"Invalid value for '{params[0]}': no {what} named '{name}' was specified in the "
            f"'{params[1]}' parameter.",
            param=params[0],
        )
    return Choice(found, "required", single=True)


def _as_tools(functions: Sequence[Json]) -> Sequence[Json]:
    return [{"type": "function", "function": function} for function in functions]
