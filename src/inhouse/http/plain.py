"""What is served beside the API: health, metrics, the OpenAPI document."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from inhouse.access import Access
from inhouse.errors import MethodNotAllowed, NotFound, PermissionDenied
from inhouse.http import frames
from inhouse.http.request import Head
from inhouse.operations import Json
from inhouse.telemetry import Metrics

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class PlainAnswer:
    """A small answer, ready to send."""

    status: int
    body: bytes
    media_type: str = _JSON


@dataclass(frozen=True, slots=True)
class Plain:
    """`health` returns whether the server is ready, and what it says about itself; `openapi` the
    document.

    `/metrics` needs a key of the organization's owner, unless it has a port of its own.
    """

    access: Access
    metrics: Metrics
    health: Callable[[], Awaitable[tuple[bool, Json]]]
    openapi: Callable[[], Json]

    async def answer(self, head: Head) -> PlainAnswer:
        """The answer to a path outside /v1. Raises NotFound (`unknown_url`), MethodNotAllowed, 401,
        403.
        """
        handler = {
            "/healthz": self._ready,
            "/healthz/ready": self._ready,
            "/healthz/live": self._live,
            "/metrics": self._metrics,
            "/openapi.json": self._openapi,
        }.get(head.path)
        if handler is None:
            raise NotFound(
                f"Unknown request URL: {head.method} {head.path}. "
                "Please check the URL for typos; the API is under /v1.",
                code="unknown_url",
            )
        if head.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed(
                f"Not allowed to {head.method} on {head.path}. Allowed: GET.",
                code="method_not_supported",
                headers={"allow": "GET"},
            )
        return await handler(head)

    async def _live(self, _head: Head) -> PlainAnswer:
        return PlainAnswer(200, frames.body({"status": "live"}))

    async def _ready(self, _head: Head) -> PlainAnswer:
        ready, facts = await self.health()
        status = "ready" if ready else "not ready"
        return PlainAnswer(200 if ready else 503, frames.body({"status": status, **facts}))

    async def _openapi(self, _head: Head) -> PlainAnswer:
        return PlainAnswer(200, frames.body(self.openapi()))

    async def _metrics(self, head: Head) -> PlainAnswer:
        principal = await self.access.authenticate(head.header(b"authorization"), None, None)
        if principal.role != "owner":
            raise PermissionDenied("Metrics need a key of an owner of the organization.")
        return PlainAnswer(200, self.metrics.render(), _METRICS_TYPE)
