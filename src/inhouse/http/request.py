"""The head of a request: its method, path, query and headers."""

from collections.abc import Iterable
from urllib.parse import parse_qsl

from inhouse.errors import BadRequest
from inhouse.http.peer import too_large

_CLIENT_REQUEST_ID_LIMIT = 512


class Head:
    """What is known before the body: method, path (as it came, percent-encoded), query, headers
    (names in lower case; the last of equal names wins).
    """

    __slots__ = ("_headers", "_query", "method", "path")

    def __init__(
        self, method: str, path: str, query: bytes, headers: Iterable[tuple[bytes, bytes]]
    ) -> None:
        self.method = method
        self.path = path
        self._query = query
        self._headers: dict[bytes, bytes] = dict(headers)

    def header(self, name: bytes) -> str | None:
        """The header `name` (lower case), or None."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def query(self) -> list[tuple[str, str]]:
        """Name and value pairs, decoded, in order."""
        if not self._query:
            return []
        return parse_qsl(self._query.decode("latin-1"), keep_blank_values=True)

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
        raw = self._headers.get(b"content-type")
        if raw is None or raw == b"application/json":
            return
        declared = raw.decode("latin-1")
        if declared.partition(";")[0].strip().lower() == "application/json":
            return
        raise BadRequest(
            f"Unsupported content type: '{declared}'. This API method only accepts "
            "'application/json' requests, but you specified the header "
            f"'Content-Type: {declared}'. Please try again with a supported content type.",
            code="unsupported_content_type",
        )

    def require_length(self, limit: int) -> None:
        """413 if the body is declared as longer than `limit` bytes."""
        declared = self._headers.get(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > limit:
            raise too_large(limit)
