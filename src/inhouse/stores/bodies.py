"""Bodies as JSON text, and text that is lifted out of them into columns."""

import json
from typing import Any

import msgspec

Json = dict[str, Any]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def dump(body: object) -> str:
    """JSON text that holds no NUL (it is escaped) and is valid UTF-8 (lone surrogates are
    escaped).
    """
    try:
        return _encode(body).decode()
    except UnicodeEncodeError:
        return json.dumps(body, separators=(",", ":"))


def load(text: str) -> Any:
    """The body again, equal to what was dumped."""
    try:
        return _decode(text)
    except msgspec.DecodeError:  # lone surrogates
        return json.loads(text)


def lifted(text: str) -> str:
    """`text` as a column takes it on both databases: no NUL, no lone surrogates.

    They become U+FFFD, in what is stored and in what is looked for, so that filters still meet.
    """
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
