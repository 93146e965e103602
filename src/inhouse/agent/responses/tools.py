"""Tools of a response: what each declaration becomes, and what the model may call.

The model knows functions and custom tools under names that are unique in the request; a function of
a namespace is called `<namespace>__<name>`. `docs/decisions/0006-*` says which declarations of
hosted tools are accepted without being offered, and why.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from inhouse.agent.chat import tools as chat
from inhouse.agent.schemas import Subject, check_object, check_strict
from inhouse.engines.text import Json
from inhouse.errors import BadRequest

BRINGING = frozenset({"additional_tools", "tool_search_output"})
"""Items that bring tools with them."""

_LONGEST = 64
_CALLABLE = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NOTHING: Mapping[str, Any] = {
    "type": "object",
    "properties": {},
    "required": [],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool that the model may call: its name there, its kind, its declaration, where that
    stands in the request, and its namespace (name and description) if it has one.
    """

    name: str
    kind: str
    tool: Json
    place: str
    namespace: Json | None = None


def callable_name(name: str, namespace: str | None = None) -> str:
    """The name under which the model calls a tool. It depends on nothing but the two names, so
    that calls of earlier turns keep theirs.
    """
    plain = name
    if namespace:
        plain = f"{namespace}{name}" if namespace.endswith("__") else f"{namespace}__{name}"
    if _CALLABLE.fullmatch(plain):
        return plain
    digest = sha256(plain.encode()).hexdigest()[:8]
    return re.sub(r"[^a-zA-Z0-9_-]", "_", plain)[: _LONGEST - 9] + "_" + digest


def offered(body: Json, items: Sequence[Json] = ()) -> list[Offered]:
    """The tools that the model may call, those that came with `items` last. BadRequest for
    declarations that this server cannot honour and for names that are not unique.
    """
    found: list[Offered] = []
    names: set[str] = set()
    for tools, place in _declared(body, items):
        for index, tool in enumerate(tools):
            if _finds_nothing(tool, body):
                continue
            for each in _of(tool, f"{place}[{index}]"):
                if each.name in names:
                    if place != "tools":
                        continue  # told again
                    raise BadRequest(
                        f"Invalid value: '{each.name}'. Names must be unique.",
                        param=f"{each.place}.name",
                    )
                names.add(each.name)
                found.append(each)
    return found


def check(body: Json, items: Sequence[Json] = ()) -> None:
    """The tools' declarations, as far as their schemas cannot say."""
    for each in offered(body, items):
        _check_plain(each.tool, each.place)


def names(body: Json, items: Sequence[Json] | None = None) -> Mapping[str, Json]:
    """For each name that the model may call: the fields `name` and `namespace` (if it has one) of
    the item that such a call is; of a search for tools its `type`.

    `items` are the context, which may bring tools; without them the request's own input is asked.
    """
    if items is None:
        given = body.get("input")
        items = [item for item in given if "type" in item] if isinstance(given, list) else ()
    return {each.name: _call_fields(each) for each in offered(body, items)}


def _call_fields(each: Offered) -> Json:
    if each.tool["type"] == "tool_search":
        return {"type": "tool_search_call"}
    fields: Json = {"name": each.tool["name"]}
    if each.namespace is not None:
        fields["namespace"] = each.namespace["name"]
    return fields


def _declared(body: Json, items: Sequence[Json]) -> Iterator[tuple[Sequence[Json], str]]:
    yield body.get("tools") or (), "tools"
    for item in items:
        if item["type"] in BRINGING:
            yield item["tools"], "input.tools"


def _finds_nothing(tool: Json, body: Json) -> bool:
    """Whether a declaration is accepted and not offered; see decision 0006. `client_metadata` tells
    a program that declares its search of the web with every request, wanted or not.
    """
    match tool["type"]:
        case "tool_search":
            return tool.get("execution") != "client"
        case "web_search" | "web_search_2025_08_26":
            return tool.get("external_web_access") is False or bool(body.get("client_metadata"))
        case _:
            return False


def _of(tool: Json, place: str) -> Iterator[Offered]:
    match tool["type"]:
        case "function" | "custom" as kind:
            yield Offered(callable_name(tool["name"]), kind, tool, place)
        case "namespace":
            for index, inner in enumerate(tool["tools"]):
                where = f"{place}.tools[{index}]"
                name = callable_name(inner["name"], tool["name"])
                yield Offered(name, inner["type"], inner, where, tool)
        case "tool_search":
            yield Offered("tool_search", "function", _search(tool), place)
        case kind:
            raise BadRequest(
                f"Tool type '{kind}' is not supported by this server yet.",
                param=f"{place}.type",
                code="unsupported_value",
            )


def _search(tool: Json) -> Json:
    """A search for tools that the client runs, as the function that it is for the model."""
    kept = {name: tool.get(name) for name in ("description", "parameters")}
    return {"type": "tool_search", "name": "tool_search", "strict": False, **kept}


def _check_plain(tool: Json, place: str) -> None:
    """A function or a custom tool, as far as its schema cannot say."""
    if tool.get("async"):
        raise _unsupported(f"{place}.async", "tools that answer later")
    if (callers := tool.get("allowed_callers")) and "direct" not in callers:
        raise _unsupported(f"{place}.allowed_callers", "tools that only programs may call")
    if tool["type"] == "custom":
        return
    subject = Subject(
        f"function '{tool['name']}'", f"{place}.parameters", "invalid_function_parameters"
    )
    parameters = tool.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise subject.refused("schema must be an object.")
    if tool.get("strict"):
        check_strict(parameters or _NOTHING, subject)
    elif parameters:
        check_object(parameters, subject)


def _unsupported(param: str, what: str) -> BadRequest:
    return BadRequest(
        f"Unsupported value: {what} are not supported by this server yet.",
        param=param,
        code="unsupported_value",
    )


def strict(tool: Json) -> bool:
    """Whether a function's arguments follow its schema: as it says; if it says nothing, whenever
    the schema can be followed strictly.
    """
    if tool.get("strict") is not None:
        return tool["strict"]
    try:
        check_strict(tool.get("parameters") or _NOTHING, Subject("", "", ""))
    except BadRequest:
        return False
    return True


def choose(body: Json, items: Sequence[Json], able: frozenset[str]) -> chat.Choice:
    """The tools that the model is shown, in chat's form, after `tool_choice`."""
    tools = offered(body, items)
    asked: Json = {
        "tools": [_chat_tool(each) for each in tools],
        "tool_choice": _chat_choice(body.get("tool_choice"), tools),
    }
    grammar = chat.needs_grammar(asked["tools"])
    try:
        return chat.choose(asked, able)
    except BadRequest as refused:
        if grammar is not None and refused.param == f"tools[{grammar}].custom.format":
            refused.param = f"{tools[grammar].place}.format"
        raise


def _chat_tool(each: Offered) -> Json:
    tool = each.tool
    spec: Json = {"name": each.name}
    told: list[str | None] = [(each.namespace or {}).get("description"), tool.get("description")]
    if description := "\n\n".join(part for part in told if part):
        spec["description"] = description
    if each.kind == "custom":
        if (form := tool.get("format")) is not None:
            spec["format"] = _chat_format(form)
        return {"type": "custom", "custom": spec}
    if tool.get("parameters") is not None:
        spec["parameters"] = tool["parameters"]
    if strict(tool):
        spec["strict"] = True
    return {"type": "function", "function": spec}


def _chat_format(form: Json) -> Json:
    if form["type"] == "text":
        return form
    grammar = {"syntax": form["syntax"], "definition": form["definition"]}
    return {"type": "grammar", "grammar": grammar}


def _chat_choice(choice: str | Json | None, tools: Sequence[Offered]) -> str | Json | None:
    if choice is None or isinstance(choice, str):
        if choice == "required" and not tools:
            raise BadRequest(
                "Tool choice 'required' must be specified with 'tools' parameter.",
                param="tool_choice",
            )
        return choice
    match choice["type"]:
        case "function" | "custom" as kind:
            name = _named(kind, choice["name"], tools)
            return {"type": kind, kind: {"name": name or choice["name"]}}
        case "allowed_tools":
            return _allowed(choice, tools)
        case kind:
            raise BadRequest(
                f"Tool choice '{kind}' is not supported by this server yet.",
                param="tool_choice.type",
                code="unsupported_value",
            )


def _allowed(choice: Json, tools: Sequence[Offered]) -> Json:
    if not choice["tools"]:
        raise BadRequest(
            "Invalid 'tool_choice.tools': empty array. Expected an array with minimum length 1, "
            "but got an empty array instead.",
            param="tool_choice.tools",
            code="empty_array",
        )
    allowed: list[Json] = []
    for index, given in enumerate(choice["tools"]):
        kind, name = given.get("type"), given.get("name")
        found = _allowed_names(kind, name, tools)
        if not found:
            raise BadRequest(
                f"Invalid value for 'tool_choice': no {kind} named '{name}' was specified in the "
                "'tools' parameter.",
                param=f"tool_choice.tools[{index}]",
            )
        allowed += [{"type": each.kind, each.kind: {"name": each.name}} for each in found]
    return {"type": "allowed_tools", "allowed_tools": {"mode": choice["mode"], "tools": allowed}}


def _allowed_names(kind: object, name: object, tools: Sequence[Offered]) -> list[Offered]:
    if kind == "namespace":
        return [each for each in tools if each.namespace and each.namespace["name"] == name]
    return [each for each in tools if each.kind == kind and name in {each.name, each.tool["name"]}]


def _named(kind: str, name: str, tools: Sequence[Offered]) -> str | None:
    """The name at the model of the tool that a choice names: by that name, or by its own."""
    found = [each.name for each in tools if each.kind == kind and each.name == name]
    found += [each.name for each in tools if each.kind == kind and each.tool["name"] == name]
    return found[0] if found else None
