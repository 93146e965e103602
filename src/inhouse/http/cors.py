"""Letting pages of other origins call the API: none, unless the operator names them."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

_EXPOSED = (
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


def allow(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """`app`, answering preflight requests of `origins` (`*`: all) and marking its answers for them.

    Without origins it is `app` itself. Keys travel in a header and never in cookies, so credentials
    are not allowed.
    """
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "DELETE", "PUT", "PATCH"],
        allow_headers=["*"],
        expose_headers=list(_EXPOSED),
        max_age=3600,
    )
