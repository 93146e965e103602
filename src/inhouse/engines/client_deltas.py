"""Turns decoded chunks into deltas, and mends what servers leave out on the way.

Mended: tool calls without an index, or all with index 0; calls without an id; a name that comes
after the id; a finish reason "stop" after tool calls; reasons of other dialects; think markers in
the text; missing usage.
"""

import json
import secrets
from collections.abc import Iterable
from typing import Literal

from inhouse.engines.client_chunks import (
    Chunk,
    FunctionIn,
    LogprobsIn,
    MessageIn,
    ToolCallIn,
    UsageIn,
    chat_logprobs,
)
from inhouse.engines.client_think import ThinkMarkers
from inhouse.engines.text import (
    Delta,
    Finish,
    FinishReason,
    Json,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    Usage,
)

_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "function_call",
    "content_filter": "content_filter",
    "refusal": "content_filter",
}
_BYTES_PER_TOKEN = 4
"""For servers that report no usage at all."""


class _Calls:
    """The tool calls of one choice: which of ours a piece belongs to, and what was told of it."""

    def __init__(self) -> None:
        self._by_index: dict[int, int] = {}
        self._ids: list[str | None] = []
        self._told: list[bool] = []
        self._held: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._ids)

    def piece(self, choice: int, call: ToolCallIn) -> ToolCall | None:
        """The piece as a delta; None while the call has no name yet."""
        kind, name, arguments = _content(call)
        at = self._place(call, name)
        if call.id and not self._ids[at]:
            self._ids[at] = call.id
        if self._told[at]:
            return ToolCall(choice, at, arguments, kind=kind) if arguments else None
        self._held[at] += arguments
        if not name:
            return None
        self._told[at] = True
        call_id = self._ids[at] = self._ids[at] or f"call_{secrets.token_hex(12)}"
        return ToolCall(choice, at, self._held[at], call_id, name, kind)

    def _place(self, call: ToolCallIn, name: str | None) -> int:
        known = self._by_index.get(call.index) if call.index is not None else self._last(call, name)
        if known is not None and not self._another(known, call, name):
            return known
        at = len(self._ids)
        self._ids.append(call.id)
        self._told.append(False)
        self._held.append("")
        self._by_index[at if call.index is None else call.index] = at
        return at

    def _last(self, call: ToolCallIn, name: str | None) -> int | None:
        if call.id and call.id in self._ids:
            return self._ids.index(call.id)
        return None if call.id or name or not self._ids else len(self._ids) - 1

    def _another(self, at: int, call: ToolCallIn, name: str | None) -> bool:
        """Whether a piece under a known index begins another call all the same."""
        return bool(call.id and name and self._told[at] and self._ids[at] != call.id)


class _Choice:
    """What has to be remembered of one choice between chunks."""

    __slots__ = ("calls", "finished", "think")

    def __init__(self) -> None:
        self.think = ThinkMarkers()
        self.calls = _Calls()
        self.finished = False


class Deltas:
    """One call's chunks turned into deltas. `add` for each chunk, then `end` once. At most
    `top_logprobs` alternatives of each token are kept: some servers send more than they were
    asked for."""

    def __init__(self, top_logprobs: int = 0, *, usage_per_choice: bool = False) -> None:
        self._top = top_logprobs
        self._per_choice = usage_per_choice
        self._choices: dict[int, _Choice] = {}
        self._usage: UsageIn | None = None
        self._said = 0
        self._thought = 0

    @property
    def finished(self) -> bool:
        """Whether every choice that was seen has given its reason."""
        return bool(self._choices) and all(choice.finished for choice in self._choices.values())

    def add(self, chunk: Chunk, out: list[Delta]) -> None:
        """Append the chunk's deltas to `out`."""
        if chunk.usage is not None:
            self._usage = self._added(chunk.usage) if self._per_choice else chunk.usage
        for each in chunk.choices or ():
            index = each.index
            choice = self._choices.get(index)
            if choice is None:
                choice = self._choices[index] = _Choice()
            logprobs = (
                chat_logprobs(each.logprobs, self._top) if each.logprobs is not None else None
            )
            message = each.delta or each.message
            if message is None:
                self._text(index, choice, each.text, logprobs, out)
            else:
                if message.reasoning_content or message.reasoning:
                    self._thoughts(index, message, out)
                self._text(index, choice, message.content, logprobs, out)
                if message.tool_calls or message.refusal or message.function_call:
                    self._others(index, choice, message, each.logprobs, out)
            if each.finish_reason and not choice.finished:
                self._finish(index, choice, each.finish_reason, out)

    def end(self, prompt_bytes: int) -> list[Delta]:
        """The finish of choices that gave none, and the usage. `prompt_bytes` for servers that
        count nothing."""
        out: list[Delta] = []
        for index, choice in self._choices.items():
            if not choice.finished:
                self._finish(index, choice, "stop", out)
        out.append(self._count(prompt_bytes))
        return out

    def _text(
        self,
        index: int,
        choice: _Choice,
        text: str | None,
        logprobs: list[Json] | None,
        out: list[Delta],
    ) -> None:
        if not text:
            if not logprobs:
                return
            text = ""  # a token that is no whole character yet
        self._said += len(text)
        if choice.think.plain:
            out.append(Text(index, text, logprobs))
        else:
            self._count_thoughts(choice.think.feed(index, text, logprobs), out)

    def _count_thoughts(self, deltas: Iterable[Text | Reasoning], out: list[Delta]) -> None:
        for delta in deltas:
            if isinstance(delta, Reasoning):
                self._thought += len(delta.text)
            out.append(delta)

    def _thoughts(self, index: int, message: MessageIn, out: list[Delta]) -> None:
        thought = message.reasoning_content or message.reasoning
        if isinstance(thought, str) and thought:
            self._said += len(thought)
            self._thought += len(thought)
            out.append(Reasoning(index, thought))

    def _others(
        self,
        index: int,
        choice: _Choice,
        message: MessageIn,
        logprobs: LogprobsIn | None,
        out: list[Delta],
    ) -> None:
        if message.refusal:
            self._said += len(message.refusal)
            entries = logprobs.refusal if logprobs else None
            out.append(Refusal(index, message.refusal, entries))
        calls = message.tool_calls
        if calls is None and message.function_call is not None:
            calls = [ToolCallIn(index=0, function=message.function_call)]
        for call in calls or ():
            piece = choice.calls.piece(index, call)
            if piece is not None:
                self._said += len(piece.arguments)
                out.append(piece)

    def _finish(self, index: int, choice: _Choice, reason: str, out: list[Delta]) -> None:
        if not choice.think.plain:
            self._count_thoughts(choice.think.flush(index), out)
        choice.finished = True
        mapped = _REASONS.get(reason, "stop")
        if mapped == "stop" and choice.calls:
            mapped = "tool_calls"
        out.append(Finish(index, mapped))

    def _added(self, usage: UsageIn) -> UsageIn:
        """The prompt was read once, the choices were all written."""
        if self._usage is not None:
            self._usage.completion_tokens = (self._usage.completion_tokens or 0) + (
                usage.completion_tokens or 0
            )
            return self._usage
        return usage

    def _count(self, prompt_bytes: int) -> Usage:
        usage = self._usage or UsageIn()
        if usage.prompt_tokens is None:
            usage.prompt_tokens = -(-prompt_bytes // _BYTES_PER_TOKEN)
        if usage.completion_tokens is None:
            usage.completion_tokens = -(-self._said // _BYTES_PER_TOKEN)
        output = usage.completion_tokens
        cached = usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens
        details = usage.completion_tokens_details
        reasoning = details.reasoning_tokens if details else None
        if not reasoning and self._thought:
            reasoning = round(output * self._thought / max(1, self._said))
        return Usage(usage.prompt_tokens, output, cached or 0, reasoning or 0)


def _content(call: ToolCallIn) -> tuple[Literal["function", "custom"], str | None, str]:
    if call.custom is not None:
        return "custom", call.custom.name, call.custom.input or ""
    function = call.function or FunctionIn()
    arguments = function.arguments
    if isinstance(arguments, dict):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return "function", function.name, arguments or ""
