"""Bytes on the wire: header lines, JSON bodies and server-sent events."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from inhouse.errors import APIError, ServerError

DONE = b"data: [DONE]\n\n"


def body(value: Any) -> bytes:
    """A JSON body."""
    return orjson.dumps(value)


def fields(headers: Iterable[tuple[str, str]]) -> bytes:
    """Header lines, each ended by CRLF. ValueError if a header has a line break of its own."""
    lines = [f"{name}: {value}" for name, value in headers]
    if not lines:
        return b""
    whole = "\r\n".join(lines)
    if whole.count("\n") != len(lines) - 1 or whole.count("\r") != len(lines) - 1:
        raise ValueError("a line break in a header")
    return whole.encode("latin-1") + b"\r\n"


def events(batch: Sequence[dict[str, Any]], *, named: bool) -> bytes:
    """A batch of events as SSE frames; named ones carry their `type` as the event's name."""
    dumps = orjson.dumps
    if named:
        return b"".join(
            [b"event: %b\ndata: %b\n\n" % (event["type"].encode(), dumps(event)) for event in batch]
        )
    return b"".join([b"data: %b\n\n" % dumps(event) for event in batch])


def refusal(status: bytes, error: APIError) -> bytes:
    """A whole answer, its connection's last; `status` is that of the status line."""
    told = body(error.envelope())
    return (
        b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
        b"connection: close\r\n\r\n%b" % (status, len(told), told)
    )


def defect(request_id: str) -> ServerError:
    """What a client is told of a failure that is this program's own."""
    return ServerError(
        "The server had an error while processing your request. Please report it with the "
        f"request id {request_id}."
    )


def error_event(error: APIError, *, named: bool) -> bytes:
    """The last frame of a stream that fails after its first byte."""
    if named:
        detail = error.envelope()["error"]
        return events(
            [{**detail, "type": "error", "error": detail}],
            named=True,
        )
    return events([error.envelope()], named=False)
