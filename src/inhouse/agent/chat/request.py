"""What a chat completion's body means: checked where its schema cannot, and made into a call."""

from collections.abc import Sequence

from inhouse.agent.chat import messages, tools
from inhouse.agent.chat.parameters import CHAT
from inhouse.agent.parameters import requires, select, unsupported_value
from inhouse.agent.schemas import Subject, check_strict
from inhouse.engines.text import Json
from inhouse.errors import BadRequest

_MAX_MESSAGES = 2048


async def engine_body(body: Json, able: frozenset[str], image: messages.Image) -> Json:
    """The body that an engine with the abilities `able` gets.

    Raises BadRequest naming the parameter that is wrong or cannot be honoured.
    """
    check(body)
    call = select(body, CHAT, able)
    call["messages"] = await messages.for_engine(body["messages"], able, image)
    if body.get("tools") or body.get("functions"):
        _add_tools(call, body, able)
    return call


def check(body: Json) -> None:
    """The rules between parameters, in the order in which the client wrote them."""
    if len(body["messages"]) > _MAX_MESSAGES:
        raise BadRequest(
            f"Invalid 'messages': array too long. Expected an array with maximum length "
            f"{_MAX_MESSAGES}, but got an array with length {len(body['messages'])} instead.",
            param="messages",
            code="array_above_max_length",
        )
    messages.check_order(body["messages"])
    done: set[object] = set()
    for name, value in body.items():
        rule = _RULES.get(name)
        if rule is not None and value is not None and rule not in done:
            rule(body)
            done.add(rule)


def _add_tools(call: Json, body: Json, able: frozenset[str]) -> None:
    choice = tools.choose(body, able)
    call.pop("tool_choice", None)
    if not choice.tools:
        call.pop("tools", None)
        return
    call["tools"] = choice.tools
    if choice.mode is not None:
        call["tool_choice"] = choice.mode
    if choice.single:
        call["parallel_tool_calls"] = False


def _check_lengths(body: Json) -> None:
    if body.get("max_completion_tokens") is not None:
        raise BadRequest(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            param="max_tokens",
            code="invalid_parameter_combination",
        )


def _check_top_logprobs(body: Json) -> None:
    requires(body, "top_logprobs", "logprobs", "is enabled")


def check_stream_options(body: Json) -> None:
    """`stream_options` is for streams."""
    if not body.get("stream"):
        raise BadRequest(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )


def _check_metadata(body: Json) -> None:
    if body["metadata"] and not body.get("store"):
        raise BadRequest(
            "The 'metadata' parameter is only allowed when 'store' is enabled.", param="metadata"
        )


def check_logit_bias(body: Json) -> None:
    """Keys are token ids."""
    for key in body["logit_bias"]:
        if not (key.isascii() and key.isdigit()):
            raise BadRequest(
                f"Invalid key in 'logit_bias': {key}. You should only be submitting non-negative "
                "integers.",
                param="logit_bias",
            )


def check_stop(body: Json) -> None:
    """An empty text is everywhere: it would stop every answer before its first token."""
    given: str | Sequence[str] = body["stop"]
    for index, text in enumerate([given] if isinstance(given, str) else given):
        if not text:
            raise BadRequest(
                "Invalid 'stop': empty string. Expected a string with minimum length 1, but got "
                "an empty string instead.",
                param="stop" if isinstance(given, str) else f"stop[{index}]",
                code="empty_string",
            )


def _check_format(body: Json) -> None:
    wanted: Json = body["response_format"]
    if wanted["type"] == "json_object":
        messages.check_mentions_json(body["messages"])
    if wanted["type"] != "json_schema":
        return
    schema: Json | None = wanted["json_schema"].get("schema")
    if schema is None:
        raise BadRequest(
            "Missing required parameter: 'response_format.json_schema.schema'.",
            param="response_format.json_schema.schema",
            code="missing_required_parameter",
        )
    if wanted["json_schema"].get("strict"):
        name = wanted["json_schema"]["name"]
        subject = Subject(f"response_format '{name}'", "response_format", "invalid_json_schema")
        check_strict(schema, subject)


def _check_prediction(body: Json) -> None:
    if (body.get("n") or 1) > 1:
        raise unsupported_value("n", body["n"])


_RULES = {
    "max_tokens": _check_lengths,
    "top_logprobs": _check_top_logprobs,
    "stream_options": check_stream_options,
    "metadata": _check_metadata,
    "logit_bias": check_logit_bias,
    "stop": check_stop,
    "response_format": _check_format,
    "prediction": _check_prediction,
    "tools": tools.check,
    "tool_choice": tools.check,
    "parallel_tool_calls": tools.check,
    "functions": tools.check,
    "function_call": tools.check,
}


def prediction_text(body: Json) -> str | None:
    """The predicted output, if one is given."""
    given = body.get("prediction")
    if given is None:
        return None
    content: str | Sequence[Json] = given["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def service_tier(body: Json) -> str:
    """The tier that the answer names: there is one here, and a hint is echoed."""
    asked: str | None = body.get("service_tier")
    return "default" if asked is None or asked == "auto" else asked
