"""Messages as a template can take them.

For one without tools (`render`): plain text of system, user and assistant; tools are described in
the system message, calls and their results are written in the form that
`inhouse.engines.embedded.constraints` holds the output to. For one that has tools (`native`): what
was called and what came of it stay what they are.
"""

import json
from collections.abc import Sequence

from inhouse.engines.embedded.constraints import END, MARKER, Choice
from inhouse.engines.embedded.template import Template
from inhouse.engines.text import Json
from inhouse.errors import BadRequest

_PARTS = {"text": "text", "refusal": "refusal"}
_ROLES = {"developer": "system", "tool": "user", "function": "user"}


def render(messages: Sequence[Json], choice: Choice, template: Template) -> list[Json]:
    """The messages for the template. Raises `BadRequest` on content that the model cannot take."""
    names = _call_names(messages)
    rendered: list[Json] = []
    for at, message in enumerate(messages):
        role = message["role"]
        content = _content(message, at, sees=template.sees)
        if role in {"tool", "function"}:
            name = message.get("name") or names.get(message.get("tool_call_id", ""), "tool")
            content = f"Result of {name}:\n{content}"
            if rendered and messages[at - 1]["role"] in {"tool", "function"}:
                rendered[-1]["content"] += f"\n{content}"
                continue
        elif role == "assistant":
            content = _with_calls(message, content)
        elif message.get("name"):
            content = _prefixed(f"{message['name']}: ", content)
        rendered.append({"role": _ROLES.get(role, role), "content": content})
    if choice.tools:
        _describe(rendered, choice)
    return rendered if template.system else _without_system(rendered)


def native(messages: Sequence[Json], template: Template) -> list[Json]:
    """The messages for a template that has tools; legacy calls become tool calls. Raises
    `BadRequest` on content that the model cannot take."""
    rendered: list[Json] = []
    for at, message in enumerate(messages):
        role = message["role"]
        told: Json = {"role": role, "content": _content(message, at, sees=template.sees)}
        if role == "developer":
            told["role"] = "system"
        elif role == "function":
            told |= {"role": "tool", "tool_call_id": message["name"], "name": message["name"]}
        elif role == "tool":
            told["tool_call_id"] = message["tool_call_id"]
        elif calls := _calls(message):
            told["tool_calls"] = [_function(call) for call in calls]
        if message.get("name") and role in {"user", "system", "developer"}:
            told["content"] = _prefixed(f"{message['name']}: ", told["content"])
        rendered.append(told)
    return rendered if template.system else _without_system(rendered)


def _calls(message: Json) -> list[Json]:
    """The calls that a message made, with a legacy one among them."""
    calls: list[Json] = list(message.get("tool_calls") or ())
    legacy: Json | None = message.get("function_call")
    if legacy:
        calls.append({"id": legacy["name"], "type": "function", "function": legacy})
    return calls


def _function(call: Json) -> Json:
    """A call as one of a function; a custom tool's input is its only argument."""
    if call.get("type") != "custom":
        made = {**call["function"], "arguments": call["function"].get("arguments") or "{}"}
        return {"id": call["id"], "type": "function", "function": made}
    custom: Json = call["custom"]
    made = {"name": custom["name"], "arguments": json.dumps({"input": custom["input"]})}
    return {"id": call["id"], "type": "function", "function": made}


def _without_system(rendered: Sequence[Json]) -> list[Json]:
    """What the system says, said by the user first: for templates that know no system message."""
    system = [each["content"] for each in rendered if each["role"] == "system"]
    others = [each for each in rendered if each["role"] != "system"]
    if not system:
        return others
    said = "\n\n".join(str(each) for each in system)
    if others and others[0]["role"] == "user":
        first = {**others[0], "content": _prefixed(f"{said}\n\n", others[0]["content"])}
        return [first, *others[1:]]
    return [{"role": "user", "content": said}, *others]


def _content(message: Json, at: int, *, sees: bool) -> str | list[Json]:
    content: str | list[Json] | None = message.get("content")
    if content is None:
        return message.get("refusal") or ""
    if isinstance(content, str):
        return content
    for part, each in enumerate(content):
        if each["type"] not in _PARTS and not (sees and each["type"] == "image_url"):
            kind = str(each["type"]).removesuffix("_url").removeprefix("input_")
            raise BadRequest(
                f"Invalid content type: this model does not take {kind} input.",
                param=f"messages[{at}].content[{part}]",
                code="unsupported_content_type",
            )
    if any(each["type"] not in _PARTS for each in content):
        return content
    return "".join(each[_PARTS[each["type"]]] for each in content)


def _prefixed(prefix: str, content: str | list[Json]) -> str | list[Json]:
    if isinstance(content, str):
        return prefix + content
    return [{"type": "text", "text": prefix}, *content]


def _with_calls(message: Json, content: str | list[Json]) -> str | list[Json]:
    """An assistant's message with the calls that it made, as it would have written them."""
    calls = _calls(message)
    if not calls or not isinstance(content, str):
        return content
    lines = [content] if content else []
    for call in calls:
        if call.get("type") == "custom":
            lines.append(f"{MARKER}{call['custom']['name']}\n{call['custom']['input']}{END}")
        else:
            name = json.dumps(call["function"]["name"], ensure_ascii=False)
            arguments = call["function"]["arguments"] or "{}"
            lines.append(f'{MARKER}{{"name":{name},"arguments":{arguments}}}')
    return "\n".join(lines)


def _call_names(messages: Sequence[Json]) -> dict[str, str]:
    """The tool's name by the id of the call."""
    return {
        call["id"]: (call.get("function") or call.get("custom") or {}).get("name", "tool")
        for message in messages
        for call in message.get("tool_calls") or ()
    }


def _describe(rendered: list[Json], choice: Choice) -> None:
    """Put the tools into the system message, making one if there is none."""
    lines = ["You can call these tools:"]
    for tool in choice.tools:
        entry: Json = {"name": tool.name}
        if tool.description:
            entry["description"] = tool.description
        if tool.kind == "function":
            entry["parameters"] = tool.spec.get("parameters") or {}
        lines.append(json.dumps(entry, ensure_ascii=False))
    if any(tool.kind == "function" for tool in choice.tools):
        lines.append(f'To call one, write: {MARKER}{{"name":"NAME","arguments":{{...}}}}')
    customs = [tool.name for tool in choice.tools if tool.kind == "custom"]
    if customs:
        lines.append(f"To call {' or '.join(customs)}, write: {MARKER}NAME\nINPUT{END}")
    lines.append(
        "Call a tool now." if choice.required else "Call a tool only if it helps to answer."
    )
    text = "\n".join(lines)
    if rendered and rendered[0]["role"] == "system" and isinstance(rendered[0]["content"], str):
        rendered[0]["content"] = f"{rendered[0]['content']}\n\n{text}".strip()
    else:
        rendered.insert(0, {"role": "system", "content": text})
