"""Events added up to what they tell: the items, and what of them is still open."""

from collections.abc import Iterable
from typing import Any

from inhouse.engines.text import Json

_TEXTS = {
    "response.output_text.delta": ("content", "content_index", "text"),
    "response.refusal.delta": ("content", "content_index", "refusal"),
    "response.reasoning_text.delta": ("content", "content_index", "text"),
    "response.reasoning_summary_text.delta": ("summary", "summary_index", "text"),
}
_PARTS = {
    "response.content_part.added": ("content", "content_index"),
    "response.reasoning_summary_part.added": ("summary", "summary_index"),
}
_CALLS = {
    "response.function_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
}
ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


class Fold:
    """Adds up the events of one response, from its first on.

    `response` is the object that the last event with one carried; `number` the next event's;
    `items` all items by index, those in `closed` being whole; `ended` says that the last event was
    there.
    """

    def __init__(self, events: Iterable[Json] = ()) -> None:
        self.response: Json = {}
        self.items: dict[int, Json] = {}
        self.closed: set[int] = set()
        self.number = 0
        self.ended = False
        self.add(events)

    def add(self, events: Iterable[Json]) -> None:
        """Take events, in order."""
        for event in events:
            self.number = event["sequence_number"] + 1
            self._take(event["type"], event)

    @property
    def output(self) -> list[Json]:
        """The items that are whole, in their order."""
        return [self.items[index] for index in sorted(self.closed)]

    @property
    def open(self) -> list[Json]:
        """The items that are not, as far as they have come."""
        return [self.items[index] for index in sorted(self.items.keys() - self.closed)]

    def _take(self, kind: str, event: Json) -> None:
        if "response" in event:
            self.response = event["response"]
            self.ended = kind in ENDS
        elif kind == "response.output_item.added":
            self.items[event["output_index"]] = _copy(event["item"])
        elif kind == "response.output_item.done":
            self.items[event["output_index"]] = event["item"]
            self.closed.add(event["output_index"])
        elif kind in _PARTS:
            field, index = _PARTS[kind]
            parts = self.items[event["output_index"]].setdefault(field, [])
            parts.insert(event[index], _copy(event["part"]))
        elif kind in _TEXTS:
            self._grow(kind, event)
        elif kind in _CALLS:
            self.items[event["output_index"]][_CALLS[kind]] += event["delta"]

    def _grow(self, kind: str, event: Json) -> None:
        field, index, text = _TEXTS[kind]
        part = self.items[event["output_index"]][field][event[index]]
        part[text] += event["delta"]
        if event.get("logprobs"):
            part["logprobs"] = [*part["logprobs"], *map(_with_bytes, event["logprobs"])]


def _with_bytes(token: Json) -> Json:
    """A token as a message has it. Events have no bytes: they are those of its text, which for a
    piece of a character are not the model's own.
    """
    told = {name: token[name] for name in ("token", "logprob")}
    told["bytes"] = list(token["token"].encode())
    if "top_logprobs" in token:
        told["top_logprobs"] = [_with_bytes(other) for other in token["top_logprobs"]]
    return told


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(each) for name, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value
