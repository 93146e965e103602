"""Reads tool calls out of a text that the grammar of `inhouse.engines.embedded.constraints` formed,
piece by piece.

Text before the first call is text; a call's name is told first, its arguments as they come.
"""

import json
import secrets
from typing import Literal

from inhouse.engines.client_think import overlap
from inhouse.engines.embedded.constraints import END, MARKER, OURS, Form
from inhouse.engines.text import Delta, FinishReason, Json, Text, ToolCall


class CallReader:
    """One choice's output, with calls in `form`. `feed` for each piece, `end` once."""

    def __init__(self, choice: int, form: Form = OURS) -> None:
        self._choice = choice
        self._form = form
        self._state: Literal["text", "head", "arguments", "input", "between"] = "text"
        self._held = ""
        self._logprobs: list[Json] = []
        self._calls = 0
        self._kind: Literal["function", "custom"] = "function"
        self._json = _Json()

    def feed(self, text: str, logprobs: list[Json] | None, out: list[Delta]) -> None:
        """Append what the piece tells to `out`."""
        self._held += text
        if logprobs and self._state == "text":
            self._logprobs += logprobs
        while self._step(out):
            pass

    def end(self, reason: FinishReason, out: list[Delta]) -> FinishReason:
        """Append what is held back; the reason with which the choice ends."""
        if self._state == "text":
            self._say(self._held, out)
        elif self._state == "input":
            self._grow(self._held, out)
        self._held = ""
        return "tool_calls" if self._calls and reason == "stop" else reason

    def _step(self, out: list[Delta]) -> bool:
        """Make one step; whether another may follow without more text."""
        match self._state:
            case "text":
                return self._text(out)
            case "head":
                return self._head(out)
            case "arguments":
                return self._arguments(out)
            case "input":
                return self._input(out)
            case "between":
                return self._between()

    def _text(self, out: list[Delta]) -> bool:
        before, marker, after = self._held.partition(MARKER)
        if marker:
            self._held = before
            self._say(before.rstrip("\n"), out)
            self._state, self._held = "head", after
            return True
        keep = overlap(before, MARKER)
        if len(before) > keep:
            self._say(before[: len(before) - keep], out)
        return False

    def _head(self, out: list[Delta]) -> bool:
        """The name of the tool: JSON for a function, a line for a custom tool."""
        head = self._form.head
        if self._held.startswith(head):
            name, found, after = self._held[len(head) :].partition(self._form.middle)
            if not found:
                return False
            self._begin(json.loads(name), "function", out)
            self._state, self._held, self._json = "arguments", after, _Json()
            return True
        if head.startswith(self._held):
            return False
        name, found, after = self._held.partition("\n")
        if not found:
            return False
        self._begin(name, "custom", out)
        self._state, self._held = "input", after
        return True

    def _arguments(self, out: list[Delta]) -> bool:
        """JSON up to its end; what follows closes the call."""
        end = self._json.end(self._held)
        self._grow(self._held if end is None else self._held[:end], out)
        self._held = "" if end is None else self._held[end:]
        if end is None:
            return False
        self._state = "between"
        return True

    def _input(self, out: list[Delta]) -> bool:
        """A custom tool's input up to the end marker."""
        before, marker, after = self._held.partition(END)
        keep = 0 if marker else overlap(before, END)
        self._grow(before[: len(before) - keep], out)
        self._held = after if marker else before[len(before) - keep :]
        if marker:
            self._state = "between"
        return bool(marker)

    def _between(self) -> bool:
        _, marker, after = self._held.partition(MARKER)
        if marker:
            self._state, self._held = "head", after
        return bool(marker)

    def _say(self, text: str, out: list[Delta]) -> None:
        if text:
            self._held = self._held[len(text) :]
            logprobs, self._logprobs = self._logprobs, []
            kept = _held_back(logprobs, len(self._held))
            if kept:
                self._logprobs = logprobs[-kept:]
                logprobs = logprobs[:-kept]
            out.append(Text(self._choice, text, logprobs or None))

    def _begin(self, name: str, kind: Literal["function", "custom"], out: list[Delta]) -> None:
        call_id = f"call_{secrets.token_hex(12)}"
        out.append(ToolCall(self._choice, self._calls, "", call_id, name, kind))
        self._calls += 1
        self._logprobs = []
        self._kind = kind

    def _grow(self, arguments: str, out: list[Delta]) -> None:
        if arguments:
            out.append(ToolCall(self._choice, self._calls - 1, arguments, kind=self._kind))


class _Json:
    """Finds the end of one JSON value that comes in pieces: objects and arrays, which is what
    arguments are."""

    def __init__(self) -> None:
        self._depth = 0
        self._string = False
        self._escaped = False

    def end(self, piece: str) -> int | None:
        """How many characters of the piece belong to the value, if it ends within it."""
        for at, character in enumerate(piece):
            if self._string:
                self._in_string(character)
            elif character == '"':
                self._string = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if self._depth == 0:
                    return at + 1
                if self._depth < 0:
                    return at
        return None

    def _in_string(self, character: str) -> None:
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == '"':
            self._string = False


def _held_back(logprobs: list[Json], characters: int) -> int:
    """How many of the last tokens make up the last `characters`."""
    count = 0
    while characters > 0 and count < len(logprobs):
        count += 1
        characters -= len(logprobs[-count]["token"])
    return count
