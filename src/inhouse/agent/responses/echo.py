"""The response object as it begins: what was asked, with every default filled in."""

from inhouse.agent.responses.tools import strict
from inhouse.engines.text import Json

_TIERS = {None: "default", "auto": "default", "fast": "priority"}

_EMPTY = (
    "background",
    "completed_at",
    "conversation",
    "error",
    "incomplete_details",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "moderation",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "usage",
    "user",
)
"""Fields that are null unless there is something to say."""

_SAME = (
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "user",
)
"""Fields that are told as they were asked."""


_SEARCHES = frozenset({"web_search", "web_search_2025_08_26"})
"""Tools that some clients send with a field of the preview's, which the API does not tell."""


def echo(body: Json, response_id: str, created: int, model_id: str) -> Json:
    """A whole `Response`, in progress, without output."""
    return {
        "id": response_id,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "model": model_id,
        "output": [],
        **dict.fromkeys(_EMPTY),
        **{name: body.get(name) for name in _SAME},
        "background": bool(body.get("background")),
        "conversation": _conversation(body.get("conversation")),
        "metadata": body.get("metadata") or {},
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "reasoning": _reasoning(body.get("reasoning") or {}),
        "service_tier": _tier(body.get("service_tier")),
        "store": body.get("store") is not False,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "temperature": _number(body.get("temperature")),
        "text": _text(body.get("text") or {}),
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": [_tool(tool) for tool in body.get("tools") or ()],
        "top_logprobs": body.get("top_logprobs") or 0,
        "top_p": _number(body.get("top_p")),
        "truncation": body.get("truncation") or "disabled",
        **_asked_only(body),
    }


def _asked_only(body: Json) -> Json:
    """Fields that are there only where the request spoke of them."""
    fields: Json = {}
    if (programs := body.get("access_programs")) and programs.get("cyber"):
        fields["access_programs"] = {"cyber": programs["cyber"]}
    fields |= image_told(body)
    if (options := body.get("prompt_cache_options")) is not None:
        told = {"mode": options.get("mode") or "implicit", "ttl": options.get("ttl") or "30m"}
        if (compared := options.get("comparison_response_id")) is not None:
            told["comparison_response_id"] = compared
            fields["prompt_cache_diagnostics"] = {"type": "unavailable"}
        fields["prompt_cache_options"] = told
    return fields


def image_told(body: Json) -> Json:
    """What is said of images' compression to a request that spoke of it: there is none."""
    return {"image": {"context_compression": "disabled"}} if body.get("image") else {}


def _conversation(given: str | Json | None) -> Json | None:
    if given is None:
        return None
    return {"id": given if isinstance(given, str) else given["id"]}


def _reasoning(given: Json) -> Json:
    told: Json = {
        "effort": given.get("effort"),
        "summary": given.get("summary") or given.get("generate_summary"),
    }
    if (context := given.get("context")) is not None:
        told["context"] = "current_turn" if context == "auto" else context
    if (mode := given.get("mode")) is not None:
        told["mode"] = mode
    return told


def _tier(asked: str | None) -> str:
    return _TIERS.get(asked) or str(asked)


def _number(given: float | None) -> float:
    return 1.0 if given is None else given


def _text(given: Json) -> Json:
    form: Json = given.get("format") or {"type": "text"}
    if form["type"] == "json_schema":
        form = {
            "type": "json_schema",
            "description": form.get("description"),
            "name": form["name"],
            "schema": form["schema"],
            "strict": bool(form.get("strict")),
        }
    return {"format": form, "verbosity": given.get("verbosity") or "medium"}


def _tool(tool: Json) -> Json:
    """A tool as it is understood: with its defaults, without nulls that say nothing."""
    match tool["type"]:
        case "function":
            return _function(tool)
        case "custom":
            return {
                "type": "custom",
                "name": tool["name"],
                "description": tool.get("description"),
                "format": tool.get("format") or {"type": "text"},
            }
        case "namespace":
            return {**_given(tool), "tools": [_tool(inner) for inner in tool["tools"]]}
        case _:
            return _given(tool)


def _function(tool: Json) -> Json:
    told: Json = {
        "type": "function",
        "description": tool.get("description"),
        "name": tool["name"],
        "parameters": tool.get("parameters"),
        "strict": strict(tool),
    }
    for name in ("allowed_callers", "defer_loading", "output_schema"):
        if tool.get(name) is not None:
            told[name] = tool[name]
    return told


def _given(tool: Json) -> Json:
    unknown = "search_content_types" if tool["type"] in _SEARCHES else None
    return {name: each for name, each in tool.items() if each is not None and name != unknown}
