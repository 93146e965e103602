"""What one request of a model has used, and its settling, once."""

from collections.abc import AsyncGenerator, Sequence

import msgspec

from inhouse.access import Access, Reservation
from inhouse.clock import Clock
from inhouse.operations.operation import Json
from inhouse.scope import Scope
from inhouse.telemetry import ModelMetrics

_CLIENT_CLOSED_REQUEST = 499


class Bill(msgspec.Struct, frozen=True):
    """`scope.usage` holds the counts; engines add to them until the request ends."""

    scope: Scope
    operation: str
    reservation: Reservation
    access: Access
    clock: Clock
    metrics: ModelMetrics

    async def follow(
        self, batches: AsyncGenerator[Sequence[Json], None]
    ) -> AsyncGenerator[Sequence[Json], None]:
        """Pass the batches on, time the gaps between them, and settle however they end."""
        now, gap = self.clock.monotonic, self.metrics.gap.observe
        last, status = None, 200
        try:
            async for batch in batches:
                moment = now()
                if last is not None:
                    gap(moment - last)
                last = moment
                yield batch
        except BaseException as error:
            status = status_of(error)
            raise
        finally:
            await batches.aclose()
            await self.settle(status)

    async def settle(self, status: int = 200) -> None:
        """Give back what was reserved and not used, count the tokens, write the usage row."""
        usage, metrics = self.scope.usage, self.metrics
        self.reservation.settle(usage.total)
        metrics.input += usage.input
        metrics.cached += usage.cached
        metrics.output += usage.output
        metrics.reasoning += usage.reasoning
        if usage.first_token_seconds is not None:
            metrics.first_token.observe(usage.first_token_seconds)
        if usage.total and not usage.recorded:
            await self.access.record(self.scope, self.operation, status)


def status_of(error: BaseException) -> int:
    """The status under which a call that `error` ended is recorded: 499 when its client went."""
    return getattr(error, "status", 500) if isinstance(error, Exception) else _CLIENT_CLOSED_REQUEST
