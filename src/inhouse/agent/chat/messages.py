"""The rules of a conversation that its schema cannot say, and the messages as engines take them."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from inhouse.engines import abilities
from inhouse.engines.text import Json
from inhouse.errors import BadRequest

Image = Callable[[str, str], Awaitable[str]]
"""Takes an image's URL and the parameter that holds it; gives a `data:` URL that an engine may
see.
"""


def check_order(messages: Sequence[Json]) -> None:
    """Tool messages answer the calls right before them, and every call is answered."""
    open_calls: dict[str, None] = {}
    answered: set[str] = set()
    for index, message in enumerate(messages):
        role = message["role"]
        if role == "tool":
            call = message["tool_call_id"]
            if call not in open_calls and call not in answered:
                raise _unasked(index)
            answered.add(call)
            open_calls.pop(call, None)
            continue
        if open_calls:
            break
        answered = set()
        if role == "assistant":
            open_calls = {call["id"]: None for call in message.get("tool_calls") or ()}
            _check_assistant(message, index)
    if open_calls:
        raise BadRequest(
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. The following tool_call_ids did not have response messages: "
            + ", ".join(open_calls),
            param="messages",
        )


def _unasked(index: int) -> BadRequest:
    return BadRequest(
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message "
        "with 'tool_calls'.",
        param=f"messages[{index}].role",
    )


def _check_assistant(message: Json, index: int) -> None:
    if message.get("audio"):
        raise BadRequest(
            "Audio in messages is not supported with this model.", param=f"messages[{index}].audio"
        )
    said = ("content", "tool_calls", "function_call", "refusal", "reasoning_content")
    if not any(message.get(name) is not None for name in said):
        raise BadRequest(
            "Invalid value for 'content': expected a string, got null.",
            param=f"messages[{index}].content",
        )


def check_mentions_json(messages: Sequence[Json]) -> None:
    """`json_object` is only promised where a message speaks of JSON."""
    if not any("json" in text.lower() for message in messages for text in texts(message)):
        raise BadRequest(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of "
            "type 'json_object'.",
            param="messages",
        )


def texts(message: Json) -> Sequence[str]:
    """The texts of a message's content."""
    content = message.get("content")
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or () if part["type"] == "text"]


async def for_engine(
    messages: Sequence[Json], able: Collection[str], image: Image
) -> Sequence[Json]:
    """The messages as an engine takes them: only what the API knows, images as data, functions of
    the old form as tools. Raises BadRequest for parts that the model cannot take.
    """
    out: list[Json] = []
    calls = _OldCalls()
    for index, message in enumerate(messages):
        content = message.get("content")
        if isinstance(content, list):
            content = await _parts(content, index, able, image)
        match message["role"]:
            case "assistant":
                out.append(calls.asked(_assistant(message, content), message))
            case "function":
                out.append(calls.answered(message))
            case "tool":
                call = message["tool_call_id"]
                out.append({"role": "tool", "tool_call_id": call, "content": content})
            case role:
                plain: Json = {"role": role, "content": content}
                if message.get("name") is not None:
                    plain["name"] = message["name"]
                out.append(plain)
    return out


def _assistant(message: Json, content: Any) -> Json:
    if content is None:
        content = message.get("refusal")
    kept: Json = {"role": "assistant", "content": content}
    for name in ("name", "tool_calls", "reasoning_content"):
        if message.get(name):
            kept[name] = message[name]
    return kept


class _OldCalls:
    """Turns `function_call` and the answers to it into tool calls, with ids that pair them."""

    def __init__(self) -> None:
        self._count = 0

    def asked(self, kept: Json, message: Json) -> Json:
        """An assistant message; its `function_call` as a tool call."""
        function = message.get("function_call")
        if not function or kept.get("tool_calls"):
            return kept
        self._count += 1
        call = {"name": function["name"], "arguments": function["arguments"]}
        kept["tool_calls"] = [{"id": self._id(), "type": "function", "function": call}]
        return kept

    def answered(self, message: Json) -> Json:
        """A function message as the tool message that answers the last call."""
        return {"role": "tool", "tool_call_id": self._id(), "content": message.get("content") or ""}

    def _id(self) -> str:
        return f"call_function_{self._count}"


async def _parts(
    parts: Sequence[Json], index: int, able: Collection[str], image: Image
) -> str | Sequence[Json]:
    """Content parts; one text where there is nothing but one text, which every engine takes."""
    out: list[Json] = []
    for at, part in enumerate(parts):
        where = f"messages[{index}].content[{at}]"
        match part["type"]:
            case "text":
                out.append({"type": "text", "text": part["text"]})
            case "refusal":
                out.append({"type": "text", "text": part["refusal"]})
            case "image_url" if abilities.VISION in able:
                url = await image(part["image_url"]["url"], f"{where}.image_url.url")
                seen: Json = {"url": url}
                if part["image_url"].get("detail") is not None:
                    seen["detail"] = part["image_url"]["detail"]
                out.append({"type": "image_url", "image_url": seen})
            case kind:
                raise BadRequest(
                    f"Invalid content type. {kind} is only supported by certain models.",
                    param=f"{where}.type",
                )
    if len(out) == 1 and out[0]["type"] == "text":
        return out[0]["text"]
    return out
