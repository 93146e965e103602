"""Letting pages of other origins call the API: none, unless the operator names them.

Keys travel in a header and never in cookies, so credentials are not allowed.
"""

from collections.abc import Collection

from inhouse.errors import BadRequest
from inhouse.http import frames
from inhouse.http.request import Head

_EXPOSED = ", ".join(
    (
        "x-request-id",
        "openai-processing-ms",
        "openai-version",
        "openai-organization",
        "retry-after",
        "retry-after-ms",
        "x-ratelimit-limit-requests",
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-requests",
        "x-ratelimit-reset-tokens",
    )
)
_METHODS = ("GET", "POST", "DELETE", "PUT", "PATCH")
_REMEMBERED_SECONDS = 3600


def lines(head: Head, origins: Collection[str]) -> bytes:
    """What an answer says to a page of one of `origins` (`*`: all), as header lines."""
    vary = () if "*" in origins else (("vary", "Origin"),)
    if (origin := _allowed(head, origins)) is None:
        return frames.fields(vary)
    return frames.fields(
        [
            ("access-control-allow-origin", origin),
            ("access-control-expose-headers", _EXPOSED),
            *vary,
        ]
    )


def preflight(head: Head, origins: Collection[str]) -> bytes | None:
    """The header lines that answer a browser's question before a request; None if it is none.

    `lines` go with them. BadRequest for an origin or a method that is not allowed.
    """
    method = head.header(b"access-control-request-method")
    if head.method != "OPTIONS" or method is None or head.header(b"origin") is None:
        return None
    if _allowed(head, origins) is None or method not in _METHODS:
        raise BadRequest("Pages of this origin may not do that.", code="origin_not_allowed")
    answer = [
        ("access-control-allow-methods", ", ".join(_METHODS)),
        ("access-control-max-age", str(_REMEMBERED_SECONDS)),
    ]
    if (asked := head.header(b"access-control-request-headers")) is not None:
        answer.append(("access-control-allow-headers", asked))
    return frames.fields(answer)


def _allowed(head: Head, origins: Collection[str]) -> str | None:
    """The origin that may read the answer."""
    origin = head.header(b"origin")
    if origin is None:
        return None
    if "*" in origins:
        return "*"
    return origin if origin in origins else None
