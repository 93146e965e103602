"""Calls of tools as the tool calls of a chat, whatever kind of item they are."""

import json
from collections.abc import Sequence
from typing import Any

from inhouse.agent.responses.tools import callable_name
from inhouse.engines.text import Json

_OWN = {
    "local_shell_call": ("local_shell", "action"),
    "shell_call": ("shell", "action"),
    "apply_patch_call": ("apply_patch", "operation"),
    "tool_search_call": ("tool_search", "arguments"),
    "web_search_call": ("web_search", "action"),
    "file_search_call": ("file_search", "queries"),
    "code_interpreter_call": ("code_interpreter", "code"),
    "image_generation_call": ("image_generation", "revised_prompt"),
}
"""Items of tools that have no name of their own: the name, and the field that says what was asked.
"""


def spoken(item: Json) -> Json:
    """A call as the model said it: `id`, `type`, and its name with arguments or input."""
    pair = item.get("call_id") or item["id"]
    if item["type"] == "custom_tool_call":
        custom = {"name": _name(item), "input": item["input"]}
        return {"id": pair, "type": "custom", "custom": custom}
    name, arguments = _function(item)
    return {"id": pair, "type": "function", "function": {"name": name, "arguments": arguments}}


def _name(item: Json) -> str:
    return callable_name(item["name"], item.get("namespace"))


def _function(item: Json) -> tuple[str, str]:
    match item["type"]:
        case "function_call":
            return _name(item), item["arguments"]
        case "mcp_call":
            return callable_name(item["name"], item["server_label"]), item["arguments"]
        case "computer_call":
            return "computer", _dump({"actions": item.get("actions") or [item.get("action")]})
        case kind:
            name, key = _OWN[kind]
            asked = item.get(key)
            return name, _dump(asked if isinstance(asked, dict) else {key: asked})


def output_parts(item: Json) -> str | Sequence[Json]:
    """What a client's item says its call came to: a text, or parts."""
    output = item.get("output")
    match item["type"]:
        case "function_call_output" | "custom_tool_call_output":
            return item["output"]
        case "computer_call_output":
            image = item["output"].get("image_url")
            return [{"type": "input_image", "image_url": image}] if image else ""
        case "tool_search_output":
            return _dump([tool.get("name") or tool["type"] for tool in item["tools"]])
        case "apply_patch_call_output":
            return output or item["status"]
        case _:
            return output if isinstance(output, str) else _dump(output)


def own_output(item: Json) -> str:
    """What a hosted tool's item says of its own result."""
    for key in ("output", "error", "results", "outputs"):
        if value := item.get(key):
            return value if isinstance(value, str) else _dump(value)
    return item.get("status") or "completed"


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
