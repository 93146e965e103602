"""What the model of these tests says: predictable, and enough to play a whole turn with tools.

A user who writes `Use get_weather {"city": "Paris"}` gets that tool called with these arguments,
if it is offered; once its output is there, the answer is `The tool said: ...`. A forced tool is
called with arguments made from its schema, a demanded JSON schema is filled the same way. All else
is answered with what the user has said so far: `Heard: first / second`.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from inhouse.engines.scripted import Step, answer
from inhouse.engines.text import Finish, TextCall, ToolCall, Usage

Json = dict[str, Any]
_USE = re.compile(r"Use (\S+)\s?(.*)", re.DOTALL)


def act(call: TextCall) -> list[Step]:
    """The script for one call of a chat."""
    messages: list[Json] = call.body["messages"]
    tools = {name: tool for tool in call.body.get("tools") or [] for name in [_name(tool)]}
    said = _said(messages)
    if messages[-1]["role"] == "tool":
        return _say(f"The tool said: {_text(messages[-1])}")
    forced = _forced(call.body.get("tool_choice"), tools)
    wanted = _USE.search(said[-1]) if said else None
    if wanted and wanted[1] in tools:
        return _use(wanted[1], tools[wanted[1]], wanted[2])
    if forced is not None:
        return _use(forced, tools[forced], "")
    form = call.body.get("response_format") or {}
    if form.get("type") == "json_schema":
        return _say(json.dumps(fill(form["json_schema"]["schema"])))
    return _say("Heard: " + " / ".join(said))


def _say(text: str) -> list[Step]:
    pieces = re.findall(r"\S+\s*", text)
    return answer(*pieces, usage=Usage(input=20, output=len(pieces)))


def _use(name: str, tool: Json, arguments: str) -> list[Step]:
    """Call a tool; its arguments come in two pieces."""
    custom = tool["type"] == "custom"
    if custom or arguments.startswith("{"):
        text = arguments
    else:
        text = json.dumps(fill(tool["function"].get("parameters") or {}))
    middle = len(text) // 2
    kind = "custom" if custom else "function"
    return [
        [ToolCall(0, 0, text[:middle], f"call_{name}", name, kind)],
        [ToolCall(0, 0, text[middle:], kind=kind)],
        [Finish(0, "tool_calls"), Usage(input=30, output=5)],
    ]


def _name(tool: Json) -> str:
    return tool[tool["type"]]["name"]


def _forced(choice: Any, tools: dict[str, Json]) -> str | None:
    if choice == "required":
        return next(iter(tools))
    if isinstance(choice, dict) and choice.get("type") in {"function", "custom"}:
        return choice[choice["type"]]["name"]
    return None


def _said(messages: list[Json]) -> list[str]:
    return [_text(message) for message in messages if message["role"] == "user"]


def _text(message: Json) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(_pieces(content))


def _pieces(content: list[Json]) -> Iterator[str]:
    for part in content:
        yield part["text"] if part["type"] == "text" else f"[{part['type']}]"


_PLAIN: dict[object, Any] = {"integer": 3, "number": 3, "boolean": True, "null": None}


def fill(schema: Json, whole: Json | None = None) -> Any:
    """A value that the JSON schema allows; texts are `Paris`, numbers 3."""
    whole = whole or schema
    schema = _plain(schema, whole)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        named: Json = schema.get("properties", {})
        return {name: fill(inner, whole) for name, inner in named.items()}
    if kind == "array":
        return [fill(schema.get("items", {}), whole)]
    return _PLAIN.get(kind, "Paris")


def _plain(schema: Json, whole: Json) -> Json:
    """The schema that a reference or the first of several alternatives leads to."""
    if "$ref" in schema:
        return _plain(whole["$defs"][schema["$ref"].rpartition("/")[2]], whole)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _plain(schema[several][0], whole)
    return schema
