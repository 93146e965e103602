"""Chunks added up to the completion that they tell."""

from collections.abc import Iterable
from typing import Any

from inhouse.engines.text import Json


class _Choice:
    """One choice as it grows; pieces of text are joined once, at the end."""

    __slots__ = ("_calls", "_function", "_logprobs", "_reason", "_texts")

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._calls: dict[int, Json] = {}
        self._function: Json | None = None
        self._logprobs: Json | None = None
        self._reason: str | None = None

    def add(self, choice: Json) -> None:
        for name, value in choice["delta"].items():
            if value is None or name == "role":
                continue
            if name == "tool_calls":
                for piece in value:
                    self._add_call(piece)
            elif name == "function_call":
                self._function = _grown(self._function, value)
            else:
                self._texts.setdefault(name, []).append(value)
        if (logprobs := choice["logprobs"]) is not None:
            self._add_logprobs(logprobs)
        self._reason = choice["finish_reason"] or self._reason

    def _add_call(self, piece: Json) -> None:
        call = self._calls.setdefault(piece["index"], {})
        kind = "custom" if "custom" in piece else "function"
        for name in ("id", "type"):
            if name in piece:
                call[name] = piece[name]
        call[kind] = _grown(call.get(kind), piece[kind])

    def _add_logprobs(self, logprobs: Json) -> None:
        if self._logprobs is None:
            self._logprobs = {"content": None, "refusal": None}
        for name, tokens in logprobs.items():
            if tokens:
                self._logprobs[name] = [*(self._logprobs[name] or ()), *tokens]

    def whole(self, index: int) -> Json:
        """The element of `choices`."""
        texts = {name: "".join(pieces) for name, pieces in self._texts.items()}
        message: Json = {
            "role": "assistant",
            "content": texts.get("content"),
            "refusal": texts.get("refusal"),
            "annotations": [],
        }
        if "reasoning_content" in texts:
            message["reasoning_content"] = texts["reasoning_content"]
        if self._calls:
            message["tool_calls"] = [_joined(call) for _, call in sorted(self._calls.items())]
        if self._function is not None:
            message["function_call"] = _joined({"function": self._function})["function"]
        return {
            "index": index,
            "message": message,
            "logprobs": self._logprobs,
            "finish_reason": self._reason,
        }


class Fold:
    """Adds up `choices[]` elements of chunks."""

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}

    def add(self, told: Iterable[Json]) -> None:
        """Take the elements that one batch was told as."""
        for each in told:
            index = each["index"]
            choice = self._choices.get(index)
            if choice is None:
                choice = self._choices[index] = _Choice()
            choice.add(each)

    def choices(self) -> list[Json]:
        """The completion's `choices`, by index."""
        return [choice.whole(index) for index, choice in sorted(self._choices.items())]


def _grown(function: Json | None, piece: Json) -> dict[str, Any]:
    """A function's or custom tool's call with a piece more; its text is kept in pieces."""
    grown: dict[str, Any] = function if function is not None else {}
    for name, value in piece.items():
        if name == "name":
            grown["name"] = value
        else:
            grown.setdefault(name, []).append(value)
    return grown


def _joined(call: Json) -> Json:
    """A call whose texts are in pieces, whole."""
    return {
        name: {key: "".join(part) for key, part in value.items()}
        if isinstance(value, dict)
        else value
        for name, value in call.items()
    }
