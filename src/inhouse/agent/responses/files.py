"""Files inside a request, as the text that a text model can read.

Only texts: a `data:` URL of a textual media type, its bytes in UTF-8. Other formats are refused by
name until there is something that reads them.
"""

import base64
import binascii
from urllib.parse import unquote_to_bytes

from inhouse.engines.text import Json
from inhouse.errors import BadRequest

_TEXTUAL = frozenset(
    {
        "application/json",
        "application/x-ndjson",
        "application/xml",
        "application/yaml",
        "application/x-yaml",
        "application/toml",
        "application/javascript",
        "application/typescript",
        "application/x-sh",
        "application/sql",
        "application/csv",
    }
)


def file_text(part: Json, place: str) -> str:
    """The text of an `input_file` part, after its name. BadRequest at `place` if it is none."""
    head, comma, data = part["file_data"].partition(",")
    if not comma or not head.lower().startswith("data:"):
        raise _unreadable(place, "expected a data URL (data:text/plain;base64,...).")
    kind, *options = head[5:].split(";")
    if not _is_text(kind.strip().lower() or "text/plain"):
        raise BadRequest(
            f"Files of type '{kind}' are not supported by this server yet; texts are.",
            param=place,
            code="unsupported_value",
        )
    try:
        raw = (
            base64.b64decode(data, validate=True)
            if "base64" in [option.strip().lower() for option in options]
            else unquote_to_bytes(data)
        )
        text = raw.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _unreadable(place, "the data cannot be decoded into text.") from error
    name = part.get("filename")
    return f"{name}:\n{text}" if name else text


def _is_text(kind: str) -> bool:
    return kind.startswith("text/") or kind in _TEXTUAL or kind.endswith(("+json", "+xml", "+yaml"))


def _unreadable(place: str, why: str) -> BadRequest:
    return BadRequest(f"Invalid '{place}': {why}", param=place, code="invalid_value")
