"""What the body of a response means: checked where its schema cannot, and made into a call."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from inhouse.agent.chat.request import check_stream_options
from inhouse.agent.parameters import Way, select, unsupported, unsupported_value
from inhouse.agent.responses import messages, pairs, tools
from inhouse.agent.responses.compaction import visible
from inhouse.agent.responses.items import new_items, triggers_compaction
from inhouse.agent.responses.parameters import RESPONSE
from inhouse.agent.responses.tools import names
from inhouse.agent.schemas import Subject, check_strict
from inhouse.engines import abilities
from inhouse.engines.text import Json
from inhouse.errors import BadRequest

__all__ = [
    "check",
    "engine_body",
    "hints",
    "names",
    "new_items",
    "nothing_to_read",
    "triggers_compaction",
    "wants_logprobs",
]

_LOGPROBS = "message.output_text.logprobs"
_CONTEXT = ("input", "previous_response_id", "conversation", "prompt")


def check(body: Json) -> None:
    """The rules between parameters, in the order in which the client wrote them. BadRequest."""
    if body.get("model") is None:
        raise _missing("model")
    if all(body.get(name) in (None, []) for name in _CONTEXT):
        raise nothing_to_read()
    for name, value in body.items():
        rule = _RULES.get(name)
        if rule is not None and value is not None:
            rule(body)


async def engine_body(
    body: Json,
    items: Sequence[Json],
    able: frozenset[str],
    image: messages.Image,
    unseal: messages.Unseal,
    *,
    history: int = 0,
) -> Json:
    """The chat body that an engine with the abilities `able` gets for the context `items`.

    `items` are whole, without references: `history` earlier ones, the request's own, and what the
    run has made so far. Raises BadRequest naming what cannot be honoured.
    """
    read = visible(items)
    pairs.check(read)
    settings = _settings(body, items)
    call = select(body, RESPONSE, able)
    _add_lengths(call, body)
    _add_hints(call, settings)
    _add_logprobs(call, body, able)
    thinking: Json = body.get("reasoning") or {}
    reading = messages.Reading(
        able, image, unseal, history, all_thoughts=thinking.get("context") == "all_turns"
    )
    call["messages"] = await messages.for_engine(body.get("instructions"), read, reading)
    if not call["messages"]:
        raise nothing_to_read()
    _add_format(call, settings["format"], able)
    _add_tools(call, body, items, able)
    if body.get("stream") or body.get("background"):
        call["stream"] = True
    return call


def hints(body: Json, able: Collection[str]) -> Json:
    """The part of `body` that belongs to every call made for it, whatever the call is for.
    BadRequest for what is refused whatever the call is for.
    """
    ways = (Way.HINT, Way.REFUSED)
    return select({name: body[name] for name in body if RESPONSE[name].way in ways}, RESPONSE, able)


def wants_logprobs(body: Json) -> bool:
    """Whether the output's tokens are to come with their logprobs: asked for by `include`, or by a
    number of alternatives.
    """
    return _LOGPROBS in (body.get("include") or ()) or bool(body.get("top_logprobs"))


def _settings(body: Json, items: Sequence[Json]) -> Json:
    """The text format, verbosity and effort: the body's, or what the context's last update says
    where the body says nothing.
    """
    text: Json = body.get("text") or {}
    reasoning: Json = body.get("reasoning") or {}
    found: Json = {
        "format": text.get("format"),
        "verbosity": text.get("verbosity"),
        "effort": reasoning.get("effort"),
    }
    for item in reversed(items):
        if item["type"] == "configuration_update":
            updated: Mapping[str, Any] = {
                "format": (item.get("text") or {}).get("format"),
                "effort": (item.get("reasoning") or {}).get("effort"),
            }
            for name, value in updated.items():
                if found[name] is None:
                    found[name] = value
    return found


def _add_lengths(call: Json, body: Json) -> None:
    if body.get("max_output_tokens") is not None:
        call["max_completion_tokens"] = body["max_output_tokens"]


def _add_hints(call: Json, settings: Json) -> None:
    if settings["effort"] is not None:
        call["reasoning_effort"] = settings["effort"]
    if settings["verbosity"] is not None:
        call["verbosity"] = settings["verbosity"]


def _add_logprobs(call: Json, body: Json, able: frozenset[str]) -> None:
    if not wants_logprobs(body):
        return
    if abilities.LOGPROBS not in able:
        raise unsupported("top_logprobs" if body.get("top_logprobs") else "include")
    call["logprobs"] = True
    if body.get("top_logprobs"):
        call["top_logprobs"] = body["top_logprobs"]


def _add_format(call: Json, form: Json | None, able: frozenset[str]) -> None:
    if form is None or form["type"] == "text":
        return
    if abilities.JSON_SCHEMA not in able:
        raise unsupported("text.format")
    if form["type"] == "json_object":
        if not messages.mentions_json(call["messages"]):
            raise BadRequest(
                "Response input messages must contain the word 'json' in some form to use "
                "'text.format' of type 'json_object'.",
                param="input",
            )
        call["response_format"] = form
        return
    inner = {name: form[name] for name in _SCHEMA if form.get(name) is not None}
    call["response_format"] = {"type": "json_schema", "json_schema": inner}


_SCHEMA = ("name", "description", "schema", "strict")


def _add_tools(call: Json, body: Json, items: Sequence[Json], able: frozenset[str]) -> None:
    if any(item["type"] in tools.BRINGING for item in items):
        tools.check(body, items)
    choice = tools.choose(body, items, able)
    if not choice.tools:
        return
    if abilities.TOOLS not in able:
        raise unsupported("tools")
    call["tools"] = choice.tools
    if choice.mode is not None:
        call["tool_choice"] = choice.mode
    if choice.single or body.get("parallel_tool_calls") is False:
        call["parallel_tool_calls"] = False


def nothing_to_read() -> BadRequest:
    """The 400 for a request that gives the model nothing at all."""
    return BadRequest(
        "One of 'input', 'previous_response_id', 'conversation' or 'prompt' must be provided.",
        param="input",
        code="missing_required_parameter",
    )


def _missing(name: str) -> BadRequest:
    return BadRequest(
        f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter"
    )


def _check_conversation(body: Json) -> None:
    if body.get("previous_response_id") is not None:
        raise BadRequest(
            "Mutually exclusive parameters: 'conversation' and 'previous_response_id'. Ensure you "
            "are only providing one of: 'previous_response_id' or 'conversation'.",
            param="conversation",
            code="mutually_exclusive_parameters",
        )


def _check_background(body: Json) -> None:
    if body["background"] and body.get("store") is False:
        raise BadRequest(
            "Invalid value for 'background': background responses must be stored; 'store' cannot "
            "be false.",
            param="background",
        )


def _check_background_options(body: Json) -> None:
    window = body["background_options"].get("completion_window")
    if window in {None, "soonest"}:
        return
    tier = body.get("service_tier") or "auto"
    if not body.get("background") or body.get("stream") or tier not in {"auto", "default"}:
        raise BadRequest(
            f"The completion window '{window}' requires 'background' to be true, the default "
            "service tier and no 'stream'.",
            param="background_options.completion_window",
        )


def _check_format(body: Json) -> None:
    form: Json = body["text"].get("format") or {"type": "text"}
    if form["type"] == "json_schema" and form.get("strict"):
        subject = Subject(
            f"response_format '{form['name']}'", "text.format.schema", "invalid_json_schema"
        )
        check_strict(form["schema"], subject)


def _check_reasoning(body: Json) -> None:
    mode = body["reasoning"].get("mode")
    if mode not in {None, "standard"}:
        raise unsupported_value("reasoning.mode", mode)


def _check_cache(body: Json) -> None:
    if body["prompt_cache_options"].get("prewarm"):
        raise unsupported("prompt_cache_options.prewarm")


def _check_tool_calls(body: Json) -> None:
    if body["max_tool_calls"] < 1:
        raise BadRequest(
            "Invalid 'max_tool_calls': integer below minimum value. Expected a value >= 1, but got "
            f"{body['max_tool_calls']} instead.",
            param="max_tool_calls",
            code="integer_below_min_value",
        )


def _check_management(body: Json) -> None:
    for index, entry in enumerate(body["context_management"]):
        if entry["type"] != "compaction":
            raise BadRequest(
                f"Invalid value: '{entry['type']}'. Supported values are: 'compaction'.",
                param=f"context_management[{index}].type",
                code="invalid_value",
            )


_RULES = {
    "conversation": _check_conversation,
    "background": _check_background,
    "background_options": _check_background_options,
    "stream_options": check_stream_options,
    "text": _check_format,
    "reasoning": _check_reasoning,
    "prompt_cache_options": _check_cache,
    "max_tool_calls": _check_tool_calls,
    "context_management": _check_management,
    "tools": tools.check,
}
