"""What an OpenAI-compatible server sends, decoded into typed structs: a whole answer or one chunk
of a stream.

One struct reads all four forms (chat or legacy, streamed or not), because they differ only in where
a choice keeps its text. Servers differ in what they leave out; everything here has a default.
"""

from typing import Any

import msgspec

from inhouse.engines.text import Json


class FunctionIn(msgspec.Struct, gc=False):
    """`arguments` is JSON text; some servers send the object itself."""

    name: str | None = None
    arguments: str | Json | None = None


class CustomIn(msgspec.Struct, gc=False):
    """A custom tool's call."""

    name: str | None = None
    input: str | None = None


class ToolCallIn(msgspec.Struct, gc=False):
    """A piece of a tool call, or a whole one."""

    index: int | None = None
    id: str | None = None
    function: FunctionIn | None = None
    custom: CustomIn | None = None


class MessageIn(msgspec.Struct, gc=False):
    """`choices[].delta` or `choices[].message`."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    tool_calls: list[ToolCallIn] | None = None
    function_call: FunctionIn | None = None


class LogprobsIn(msgspec.Struct, gc=False):
    """Chat form (`content`, `refusal`) or legacy form (parallel lists)."""

    content: list[Json] | None = None
    refusal: list[Json] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class ChoiceIn(msgspec.Struct, gc=False):
    """One choice of a chunk or of an answer."""

    index: int = 0
    delta: MessageIn | None = None
    message: MessageIn | None = None
    text: str | None = None
    logprobs: LogprobsIn | None = None
    finish_reason: str | None = None


class InputDetails(msgspec.Struct, gc=False):
    """Details of the input's tokens."""

    cached_tokens: int | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """Details of the output's tokens."""

    reasoning_tokens: int | None = None


class UsageIn(msgspec.Struct, gc=False):
    """Token counts."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None


class Chunk(msgspec.Struct, gc=False):
    """A chunk or an answer; `error`, or `object` = "error", where the server failed."""

    choices: list[ChoiceIn] | None = None
    usage: UsageIn | None = None
    error: Any = None
    object: str | None = None


decode_chunk = msgspec.json.Decoder(Chunk).decode
"""Bytes or text of one chunk or answer. Raises `msgspec.DecodeError` (also for wrong types)."""


def chat_logprobs(logprobs: LogprobsIn, top: int) -> list[Json] | None:
    """The tokens' logprobs in chat form, `top` alternatives each, with nothing that the form does
    not know."""
    if logprobs.content is not None:
        return [
            _chat_entry(entry, top)
            for entry in logprobs.content
            if entry["token"] or entry.get("bytes") != []
        ]
    if logprobs.tokens is None:
        return None
    return _from_legacy(logprobs, top)


def _chat_entry(entry: Json, top: int) -> Json:
    others = (entry.get("top_logprobs") or ())[:top]
    return {**_token(entry), "top_logprobs": [_token(each) for each in others]}


def _token(entry: Json) -> Json:
    """One token. A part of a character has no text; it is shown by its bytes, as OpenAI does."""
    token: str = entry["token"]
    raw: list[int] | None = entry.get("bytes")
    if raw is None:
        raw = list(token.encode("utf-8", "replace"))
    elif raw and not token:
        token = "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)
    return {"token": token, "bytes": raw, "logprob": entry["logprob"]}


def _from_legacy(logprobs: LogprobsIn, top: int) -> list[Json]:
    values = logprobs.token_logprobs or []
    tops = logprobs.top_logprobs or []
    entries: list[Json] = []
    for at, token in enumerate(logprobs.tokens or ()):
        others = (tops[at] if at < len(tops) else None) or {}
        named = [_legacy_token(*pair) for pair in list(others.items())[:top]]
        value = values[at] if at < len(values) else None
        entries.append({**_legacy_token(token, value), "top_logprobs": named})
    return entries


def _legacy_token(token: str, logprob: float | None) -> Json:
    return _token({"token": token, "logprob": -9999.0 if logprob is None else logprob})
