"""Bytes on the wire: JSON bodies and server-sent events."""

from collections.abc import Sequence
from typing import Any

import orjson

from inhouse.errors import APIError

DONE = b"data: [DONE]\n\n"


def body(value: Any) -> bytes:
    """A JSON body."""
    return orjson.dumps(value)


def events(batch: Sequence[dict[str, Any]], *, named: bool) -> bytes:
    """A batch of events as SSE frames; named ones carry their `type` as the event's name."""
    dumps = orjson.dumps
    if named:
        return b"".join(
            [b"event: %b\ndata: %b\n\n" % (event["type"].encode(), dumps(event)) for event in batch]
        )
    return b"".join([b"data: %b\n\n" % dumps(event) for event in batch])


def error_event(error: APIError, *, named: bool) -> bytes:
    """The last frame of a stream that fails after its first byte."""
    if named:
        detail = error.envelope()["error"]
        return events(
            [{**detail, "type": "error", "error": detail}],
            named=True,
        )
    return events([error.envelope()], named=False)
