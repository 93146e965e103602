"""The line to a child: what a client of its server needs, once it can answer."""

from inhouse.engines.client_endpoints import Endpoints
from inhouse.engines.embedded.supervisor import Child
from inhouse.engines.wire import Limits, Wire

_LIMITS = Limits(connect=5.0, first_byte=600.0, idle=120.0)
"""A prompt of thousands of tokens takes minutes on a small machine."""


class Line:
    """Connections to one child, at most `connections` of them kept.

    `wait_seconds` is how long a call waits for a child that is starting (again).
    """

    def __init__(self, child: Child, connections: int, *, wait_seconds: float = 60.0) -> None:
        self._child = child
        self._wait_seconds = wait_seconds
        self._wire = Wire(idle_connections=connections)
        self._endpoints: Endpoints | None = None

    async def ready(self) -> Endpoints:
        """The child's endpoint, once it can answer. Raises `Unavailable` when it will not."""
        if not self._child.ready:
            await self._child.wait_ready(self._wait_seconds)
        if self._endpoints is None or self._endpoints.base_url != self._child.base_url:
            self._endpoints = Endpoints(
                [self._child.base_url],
                api_key=self._child.key,
                limits=_LIMITS,
                retries=1,
                probe_seconds=0,
                wire=self._wire,
            )
        return self._endpoints

    def close(self) -> None:
        """Close what connections are kept. The child is its owner's to stop."""
        self._wire.close()
