"""What of an item is shown only to those who ask for it with `include`.

Image URLs are shown always: who gave them needs them to send the item again.
"""

from collections.abc import Collection
from typing import Any

Json = dict[str, Any]

_FIELDS = {
    "file_search_call": ("results",),
    "web_search_call": ("results",),
    "code_interpreter_call": ("outputs",),
    "reasoning": ("encrypted_content",),
}


def shown(item: Json, include: Collection[str]) -> Json:
    """The item as it is told to a client that asked to `include` these, by their names in the API.

    What was not asked for is null where the item has it; log probabilities are an empty list.
    """
    kind = item["type"]
    hidden = {
        field: None
        for field in _FIELDS.get(kind, ())
        if item.get(field) is not None and f"{kind}.{field}" not in include
    }
    if kind == "message" and "message.output_text.logprobs" not in include:
        hidden |= _without_logprobs(item)
    if kind == "web_search_call" and "web_search_call.action.sources" not in include:
        hidden |= _without_sources(item)
    return {**item, **hidden} if hidden else item


def _without_logprobs(item: Json) -> Json:
    parts = item["content"]
    if not any(part.get("logprobs") for part in parts):
        return {}
    return {
        "content": [{**part, "logprobs": []} if part.get("logprobs") else part for part in parts]
    }


def _without_sources(item: Json) -> Json:
    action = item.get("action") or {}
    if not action.get("sources"):
        return {}
    return {"action": {name: value for name, value in action.items() if name != "sources"}}
