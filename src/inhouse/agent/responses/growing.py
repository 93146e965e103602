"""Output items as they grow: each opens, takes deltas, closes, and says so in events.

Events are made without numbers; `telling` numbers them.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from inhouse.engines.text import Json, Reasoning, Refusal, Text, ToolCall

Status = str
Say = Callable[[str, Json], None]
"""Takes an event's type, without `response.`, and its fields."""
Sealing = Callable[[str], str]


class Growing(Protocol):
    """One open item, at `index` of the output. `item` is what it has come to; `close` says its
    end.
    """

    item: Json
    index: int

    def close(self, status: Status) -> None: ...


class _Part:
    """A part of a message or of a thought, whose text comes in pieces."""

    __slots__ = ("kind", "logprobs", "pieces")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.pieces: list[str] = []
        self.logprobs: list[Json] = []


class Message:
    """The assistant's message: parts of text and refusal."""

    def __init__(self, item_id: str, index: int, say: Say) -> None:
        self.item: Json = {
            "id": item_id,
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        self._say = say
        self.index = index
        self._part: _Part | None = None
        self._at: Json = {}
        say("output_item.added", {"output_index": index, "item": {**self.item, "content": []}})

    def add(self, delta: Text | Refusal) -> None:
        """Take a piece; a piece of the other kind begins a part of its own."""
        kind = "output_text" if isinstance(delta, Text) else "refusal"
        part = self._part
        if part is None or part.kind != kind:
            part = self._open(kind)
        part.pieces.append(delta.text)
        fields = {**self._at, "delta": delta.text}
        if kind == "output_text":
            tokens = list(delta.logprobs or ())
            fields["logprobs"] = _in_events(tokens)
            part.logprobs += tokens
        self._say(f"{kind}.delta", fields)

    def close(self, status: Status) -> None:
        """The message is over."""
        self._close_part()
        self.item["status"] = status
        self._say("output_item.done", {"output_index": self.index, "item": self.item})

    def _open(self, kind: str) -> _Part:
        self._close_part()
        self._part = _Part(kind)
        number = len(self.item["content"])
        self._at = {
            "item_id": self.item["id"],
            "output_index": self.index,
            "content_index": number,
        }
        self._say("content_part.added", {**self._at, "part": _content(kind, "", [])})
        return self._part

    def _close_part(self) -> None:
        part = self._part
        if part is None:
            return
        text = "".join(part.pieces)
        whole = _content(part.kind, text, part.logprobs)
        self.item["content"].append(whole)
        if part.kind == "output_text":
            said = {**self._at, "text": text, "logprobs": _in_events(part.logprobs)}
            self._say("output_text.done", said)
        else:
            self._say("refusal.done", {**self._at, "refusal": text})
        self._say("content_part.done", {**self._at, "part": whole})
        self._part = None


class Thought:
    """A reasoning item: its text as a summary, if one was asked for, else as its content."""

    def __init__(
        self, item_id: str, index: int, say: Say, *, summary: bool, seal: Sealing | None
    ) -> None:
        self.item: Json = {"id": item_id, "type": "reasoning", "summary": [], "content": []}
        self._say = say
        self.index = index
        self._summary = summary
        self._seal = seal
        self._pieces: list[str] = []
        kind = "summary_index" if summary else "content_index"
        self._at = {"item_id": item_id, "output_index": index, kind: 0}
        part = self._part("")
        say("output_item.added", {"output_index": index, "item": self._as_item([])})
        say(f"{self._part_events}.added", {**self._at, "part": part})

    @property
    def _part_events(self) -> str:
        return "reasoning_summary_part" if self._summary else "content_part"

    @property
    def _text_events(self) -> str:
        return "reasoning_summary_text" if self._summary else "reasoning_text"

    def add(self, delta: Reasoning) -> None:
        """Take a piece."""
        self._pieces.append(delta.text)
        self._say(f"{self._text_events}.delta", {**self._at, "delta": delta.text})

    def close(self, status: Status) -> None:
        """The thought is over."""
        text = "".join(self._pieces)
        part = self._part(text)
        self.item = self._as_item([part])
        if self._seal is not None:
            self.item["encrypted_content"] = self._seal(text)
        self.item["status"] = status
        self._say(f"{self._text_events}.done", {**self._at, "text": text})
        self._say(f"{self._part_events}.done", {**self._at, "part": part})
        self._say("output_item.done", {"output_index": self.index, "item": self.item})

    def _part(self, text: str) -> Json:
        return {"type": "summary_text" if self._summary else "reasoning_text", "text": text}

    def _as_item(self, parts: Sequence[Json]) -> Json:
        own = "summary" if self._summary else "content"
        return {**self.item, own: list(parts)}


class ClientCall:
    """A call of a function or a custom tool, which the client answers.

    `extra` are fields that the call's item has beside the usual: its name as the client knows it,
    and its namespace.
    """

    def __init__(self, item_id: str, index: int, say: Say, call: ToolCall, extra: Json) -> None:
        self._custom = call.kind == "custom"
        self._field = "input" if self._custom else "arguments"
        self.item: Json = {
            "id": item_id,
            "type": "custom_tool_call" if self._custom else "function_call",
            "status": "in_progress",
            self._field: "",
            "call_id": call.id,
            "name": call.name,
            **extra,
        }
        self._say = say
        self.index = index
        self._pieces: list[str] = []
        self._at = {"item_id": item_id, "output_index": index}
        self._events = "custom_tool_call_input" if self._custom else "function_call_arguments"
        say("output_item.added", {"output_index": index, "item": dict(self.item)})

    def add(self, delta: ToolCall) -> None:
        """Take a piece."""
        if delta.arguments:
            self._pieces.append(delta.arguments)
            self._say(f"{self._events}.delta", {**self._at, "delta": delta.arguments})

    def close(self, status: Status) -> None:
        """The call is whole, or will never be."""
        text = "".join(self._pieces)
        self.item = {**self.item, self._field: text, "status": status}
        done: Json = {**self._at, self._field: text}
        if not self._custom:
            done["name"] = self.item["name"]
        self._say(f"{self._events}.done", done)
        self._say("output_item.done", {"output_index": self.index, "item": self.item})


class ToolSearch:
    """A search for tools, which the client runs: told only when it begins and when it is whole."""

    def __init__(self, item_id: str, index: int, say: Say, call: ToolCall) -> None:
        self.item: Json = {
            "id": item_id,
            "type": "tool_search_call",
            "execution": "client",
            "status": "in_progress",
            "call_id": call.id,
            "arguments": {},
        }
        self.index = index
        self._say = say
        self._pieces: list[str] = []
        say("output_item.added", {"output_index": index, "item": dict(self.item)})

    def add(self, delta: ToolCall) -> None:
        """Take a piece of the arguments' JSON."""
        self._pieces.append(delta.arguments)

    def close(self, status: Status) -> None:
        """The search is whole; cut or broken arguments are none."""
        try:
            arguments = msgspec.json.decode("".join(self._pieces) or "{}")
        except msgspec.DecodeError:
            arguments, status = {}, "incomplete"
        self.item = {**self.item, "arguments": arguments, "status": status}
        self._say("output_item.done", {"output_index": self.index, "item": self.item})


def _content(kind: str, text: str, logprobs: list[Json]) -> Json:
    if kind == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def _in_events(logprobs: Sequence[Json]) -> list[Json]:
    """Tokens as events tell them: the bytes are in the message's part only."""
    return [
        {
            "token": token["token"],
            "logprob": token["logprob"],
            "top_logprobs": [
                {"token": other["token"], "logprob": other["logprob"]}
                for other in token["top_logprobs"]
            ],
        }
        for token in logprobs
    ]
