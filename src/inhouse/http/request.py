"""Reading a request: its headers and, within a limit, its body."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from inhouse.errors import BadRequest, PayloadTooLarge

ASGIScope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_CLIENT_REQUEST_ID_LIMIT = 512


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


class Head:
    """What is known before the body: method, path, query, headers (the last of equal names
    wins).
    """

    __slots__ = ("_headers", "_scope", "method", "path")

    def __init__(self, scope: ASGIScope) -> None:
        self._scope = scope
        self.method: str = scope["method"]
        raw = scope.get("raw_path") or scope["path"].encode()
        self.path: str = raw.decode("latin-1")
        self._headers: dict[bytes, bytes] = dict(scope["headers"])

    def header(self, name: bytes) -> str | None:
        """The header `name` (lower case), or None."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def query(self) -> list[tuple[str, str]]:
        """Name and value pairs, decoded, in order."""
        text = self._scope.get("query_string", b"")
        if not text:
            return []
        return parse_qsl(text.decode("latin-1"), keep_blank_values=True)

    def client_request_id(self) -> str | None:
        """`X-Client-Request-Id`: at most 512 ASCII characters, else 400."""
        value = self.header(b"x-client-request-id")
        if value is None:
            return None
        if len(value) > _CLIENT_REQUEST_ID_LIMIT or not value.isascii():
            raise BadRequest(
                "Invalid 'X-Client-Request-Id' header: expected at most "
                f"{_CLIENT_REQUEST_ID_LIMIT} ASCII characters.",
                code="invalid_client_request_id",
            )
        return value

    def require_json(self) -> None:
        """400 if the body is declared as something other than JSON."""
        declared = self.header(b"content-type")
        if declared is None or declared.partition(";")[0].strip().lower() == "application/json":
            return
        raise BadRequest(
            f"Unsupported content type: '{declared}'. This API method only accepts "
            "'application/json' requests, but you specified the header "
            f"'Content-Type: {declared}'. Please try again with a supported content type.",
            code="unsupported_content_type",
        )


async def read_body(head: Head, receive: Receive, limit: int) -> bytes:
    """The whole body; 413 when it is over `limit` bytes, declared or not.

    Raises `ClientGone` when the connection ends before the body does.
    """
    declared = head.header(b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        data: bytes = message.get("body", b"")
        if len(data) > limit:
            raise _too_large(limit)
        return data
    return await _read_pieces(message, receive, limit)


async def _read_pieces(message: MutableMapping[str, Any], receive: Receive, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        pieces.append(piece)
        if not message.get("more_body"):
            return b"".join(pieces)
        message = await receive()


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"The request body is over the limit of {limit} bytes.",
        code="request_too_large",
        headers={"connection": "close"},
    )
