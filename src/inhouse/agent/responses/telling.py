"""Turn events told as the events of a response; the response and its output grow with them.

The last event carries the response that all events before it add up to, so stream and object are
one. Events are numbered here, in the order in which they are told.
"""

from collections.abc import Mapping, Sequence

import msgspec

from inhouse.agent.responses.growing import (
    ClientCall,
    Growing,
    Message,
    Sealing,
    Thought,
    ToolSearch,
)
from inhouse.agent.turn import CallTools, Done, End, Event, Limit, NeedsClient, Predicted
from inhouse.clock import Clock
from inhouse.engines.text import Json, Reasoning, Refusal, Text, ToolCall, Usage
from inhouse.errors import APIError, BadRequest, RateLimited
from inhouse.ids import IdMaker

_NOTHING: Mapping[str, Json] = {}


class Manner(msgspec.Struct, frozen=True):
    """How a response is told.

    summary: reasoning goes into summaries, not into content; seal: makes `encrypted_content` of
    reasoning, None if nobody asked; names: by the name that the model calls a tool, what its call
    item says beside the usual; hosted: names of tools whose calls are told by themselves; silent:
    nobody hears the events, only the object is wanted.
    """

    summary: bool = False
    seal: Sealing | None = None
    names: Mapping[str, Json] = _NOTHING
    hosted: frozenset[str] = frozenset()
    silent: bool = False


class Telling:
    """The state of one response. `response` is the object as it stands, `output` its items that
    are closed, `end` how the last turn ended.
    """

    def __init__(
        self, response: Json, ids: IdMaker, clock: Clock, manner: Manner, *, number: int = 0
    ) -> None:
        self.response = response
        self.end: End | None = None
        self.usage = Usage(0, 0)
        self.number = number
        self._ids = ids
        self._clock = clock
        self.manner = manner
        self._closed: dict[int, Json] = dict(enumerate(response["output"]))
        self._opened = len(self._closed)
        self._open: Message | Thought | None = None
        self._calls: dict[int, ClientCall | ToolSearch] = {}
        self._hidden: set[int] = set()
        self._told: list[Json] = []

    @property
    def output(self) -> list[Json]:
        """The items that are closed, in their order."""
        return [item for _, item in sorted(self._closed.items())]

    def begin(self, *kinds: str) -> Sequence[Json]:
        """Events that show the whole response as it stands: created, queued, in_progress."""
        for kind in kinds:
            self._say(kind, {"response": {**self.response, "output": self.output}})
        return self._taken()

    def tell(self, batch: Sequence[Event]) -> Sequence[Json]:
        """The batch's events, in order."""
        for event in batch:
            self._tell(event)
        return self._taken()

    def open(self, item: Json) -> tuple[int, Sequence[Json]]:
        """Begin an item that is made elsewhere (a hosted tool's call): its index, and its event."""
        index = self._next()
        self._say("output_item.added", {"output_index": index, "item": item})
        return index, self._taken()

    def between(self, index: int, item: Json, kind: str, fields: Json) -> Sequence[Json]:
        """Tell what happens to an item between its beginning and its end."""
        self._say(kind, {"output_index": index, "item_id": item["id"], **fields})
        return self._taken()

    def close(self, index: int, item: Json) -> Sequence[Json]:
        """End an item that was begun with `open`."""
        self._closed[index] = item
        self._say("output_item.done", {"output_index": index, "item": item})
        return self._taken()

    def finish(self) -> Sequence[Json]:
        """The last event, after the last turn's end."""
        end = self.end
        if isinstance(end, Limit):
            return self._finish("incomplete", reason="max_output_tokens")
        if isinstance(end, Done) and end.filtered:
            return self._finish("incomplete", reason="content_filter")
        return self._finish("completed")

    def fail(self, error: BaseException) -> Sequence[Json]:
        """The last event where `error` ended the run: what was open stays incomplete."""
        self._close("incomplete")
        self.response["error"] = error_object(error)
        return self._finish("failed")

    def stop(self) -> None:
        """The run was cancelled: nobody is told, and what was open is kept as incomplete."""
        self._close("incomplete")
        self._told.clear()
        self.response["status"] = "cancelled"
        self.response["output"] = self.output

    def _finish(self, status: str, reason: str | None = None) -> Sequence[Json]:
        response = self.response
        response["status"] = status
        if reason is not None:
            response["incomplete_details"] = {"reason": reason}
        if status == "completed":
            response["completed_at"] = int(self._clock.now())
        response["output"] = self.output
        if self.usage.input or self.usage.output:
            response["usage"] = usage_object(self.usage)
        self._say(status, {"response": response})
        return self._taken()

    def _tell(self, event: Event) -> None:
        match event:
            case Text() | Refusal():
                self._message().add(event)
            case Reasoning():
                self._thought().add(event)
            case ToolCall():
                self._call(event)
            case Usage():
                self.usage = self.usage.plus([event])
            case Predicted():
                pass
            case Done() | Limit() | NeedsClient() | CallTools():
                self.end = event
                self._close("incomplete" if isinstance(event, Limit) else "completed")

    def _message(self) -> Message:
        if not isinstance(self._open, Message):
            self._close_open("completed")
            self._open = Message(self._ids("msg_"), self._next(), self._say)
        return self._open

    def _thought(self) -> Thought:
        if not isinstance(self._open, Thought):
            self._close_open("completed")
            manner = self.manner
            self._open = Thought(
                self._ids("rs_"),
                self._next(),
                self._say,
                summary=manner.summary,
                seal=manner.seal,
            )
        return self._open

    def _call(self, delta: ToolCall) -> None:
        if delta.index in self._hidden:
            return
        call = self._calls.get(delta.index)
        if call is None:
            if delta.name in self.manner.hosted:
                self._hidden.add(delta.index)
                return
            self._close_open("completed")
            call = self._calls[delta.index] = self._begun(delta)
        call.add(delta)

    def _begun(self, delta: ToolCall) -> ClientCall | ToolSearch:
        extra = self.manner.names.get(delta.name or "", {})
        if extra.get("type") == "tool_search_call":
            return ToolSearch(self._ids("tsc_"), self._next(), self._say, delta)
        prefix = "ctc_" if delta.kind == "custom" else "fc_"
        return ClientCall(self._ids(prefix), self._next(), self._say, delta, extra)

    def _close(self, status: str) -> None:
        """Close what is open: of several calls only the last may have been cut."""
        self._close_open(status)
        calls = list(self._calls.values())
        for number, call in enumerate(calls):
            self._end_item(call, status if number == len(calls) - 1 else "completed")
        self._calls.clear()
        self._hidden.clear()

    def _close_open(self, status: str) -> None:
        if self._open is not None:
            self._end_item(self._open, status)
            self._open = None

    def _end_item(self, growing: Growing, status: str) -> None:
        growing.close(status)
        self._closed[growing.index] = growing.item

    def _next(self) -> int:
        self._opened += 1
        return self._opened - 1

    def _say(self, kind: str, fields: Json) -> None:
        if not self.manner.silent:
            told = {"type": f"response.{kind}", "sequence_number": self.number, **fields}
            self._told.append(told)
        self.number += 1

    def _taken(self) -> Sequence[Json]:
        told, self._told = self._told, []
        return told


def usage_object(usage: Usage) -> Json:
    """A `ResponseUsage`."""
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }


def error_object(error: BaseException) -> Json:
    """A `ResponseError`: what ended a run. A defect's own words stay inside."""
    message = error.message if isinstance(error, APIError) else _DEFECT
    match error:
        case BadRequest():
            code = "invalid_prompt"
        case RateLimited():
            code = "rate_limit_exceeded"
        case _:
            code = "server_error"
    return {"code": code, "message": message}


_DEFECT = "The server had an error while making this response. Please try again."
