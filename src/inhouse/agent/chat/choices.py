"""Turn events told as `choices[]` of chat completion chunks.

The chunk encoder wraps them one by one; the fold adds them up to the completion. So the stream and
the object cannot differ.
"""

from collections.abc import Sequence
from typing import assert_never

from inhouse.agent.turn import (
    CallTools,
    Done,
    End,
    Event,
    Limit,
    NeedsClient,
    Predicted,
    Said,
)
from inhouse.agent.usage import usage_object
from inhouse.engines.text import Json, Reasoning, Refusal, Text, ToolCall, Usage


class Choices:
    """The state of one completion's telling.

    `legacy` tells tool calls as `function_call`. `usage` is the `usage` object once it is known.
    """

    __slots__ = ("_legacy", "_opened", "_predicted", "usage")

    def __init__(self, *, legacy: bool = False) -> None:
        self._legacy = legacy
        self._opened: set[int] = set()
        self._predicted: Predicted | None = None
        self.usage: Json | None = None

    def tell(self, batch: Sequence[Event]) -> list[Json]:
        """The batch's `choices[]` elements, in order; a choice is opened by its role."""
        told: list[Json] = []
        opened = self._opened
        for event in batch:
            if type(event) is Text and event.choice in opened:  # the hot path
                logprobs = event.logprobs
                told.append(
                    {
                        "index": event.choice,
                        "delta": {"content": event.text},
                        "logprobs": logprobs and {"content": logprobs, "refusal": None},
                        "finish_reason": None,
                    }
                )
            else:
                self._tell(event, told)
        return told

    def _tell(self, event: Event, told: list[Json]) -> None:
        if isinstance(event, Usage):
            self.usage = usage_object(event, self._predicted)
            return
        if isinstance(event, Predicted):
            self._predicted = event
            return
        if event.choice not in self._opened:
            self._opened.add(event.choice)
            told.append(_choice(event.choice, _opening(event)))
        told.extend(self._told(event))

    def _told(self, event: Said | End) -> Sequence[Json]:
        match event:
            case Text():
                return [_choice(event.choice, {"content": event.text}, _logprobs(event))]
            case Refusal():
                return [_choice(event.choice, {"refusal": event.text}, _logprobs(event))]
            case Reasoning():
                return [_choice(event.choice, {"reasoning_content": event.text})]
            case ToolCall():
                return self._call(event)
            case _:
                return [_end(event.choice, self._reason(event))]

    def _reason(self, end: End) -> str:
        match end:
            case Done():
                return "content_filter" if end.filtered else "stop"
            case Limit():
                return "length"
            case CallTools() | NeedsClient():
                return "function_call" if self._legacy else "tool_calls"
            case _:
                assert_never(end)

    def _call(self, event: ToolCall) -> Sequence[Json]:
        if not self._legacy:
            return [_choice(event.choice, {"tool_calls": [_piece(event)]})]
        if event.index:  # the old form has room for one call
            return []
        function = {"arguments": event.arguments}
        if event.name is not None:
            function = {"name": event.name, **function}
        return [_choice(event.choice, {"function_call": function})]


def _opening(event: Said | End) -> Json:
    """The first delta of a choice: content is null where something else comes first."""
    speaks = isinstance(event, Text | Done | Limit)
    return {"role": "assistant", "content": "" if speaks else None, "refusal": None}


def _logprobs(event: Text | Refusal) -> Json | None:
    if not event.logprobs:
        return None
    if isinstance(event, Text):
        return {"content": event.logprobs, "refusal": None}
    return {"content": None, "refusal": event.logprobs}


def _piece(event: ToolCall) -> Json:
    """One element of a delta's `tool_calls`."""
    text = "input" if event.kind == "custom" else "arguments"
    if event.id is None and event.name is None:
        return {"index": event.index, event.kind: {text: event.arguments}}
    return {
        "index": event.index,
        "id": event.id,
        "type": event.kind,
        event.kind: {"name": event.name, text: event.arguments},
    }


def _choice(index: int, delta: Json, logprobs: Json | None = None) -> Json:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": None}


def _end(index: int, reason: str) -> Json:
    return {"index": index, "delta": {}, "logprobs": None, "finish_reason": reason}
