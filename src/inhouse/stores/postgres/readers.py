"""The connections that queries are answered over."""

import asyncio
from collections import deque
from collections.abc import Sequence

from inhouse.stores.database import Row
from inhouse.stores.errors import StorageBusy
from inhouse.stores.postgres import faults
from inhouse.stores.postgres.address import Address
from inhouse.stores.postgres.session import Session, connected

MOST = 8
STATEMENT_SECONDS = 30.0
_QUEUE_SECONDS = 15.0


class Readers:
    """Up to `MOST` sessions, made when they are needed. Used in one event loop."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._free: list[Session] = []
        self._open = 0
        self._waiting: deque[asyncio.Future[Session | None]] = deque()

    async def fetch(self, text: str, params: Sequence[object]) -> list[Row]:
        """All rows of one query; asked once more over a new connection if the first one broke."""
        session = await self._borrowed()
        try:
            return await self._asked(session, text, params)
        except Exception as error:
            if not faults.gone(error) or faults.read_only(error):
                raise faults.explain(error) from error
        self._forget_broken()
        session = await self._borrowed(fresh=True)
        try:
            return await self._asked(session, text, params)
        except Exception as error:
            raise faults.explain(error) from error

    async def close(self) -> None:
        """Close those that lie idle; those that are lent are dropped when they come back."""
        self._address = None
        while self._free:
            await self._free.pop().close()

    async def _asked(self, session: Session, text: str, params: Sequence[object]) -> list[Row]:
        ok = False
        try:
            rows = await session.fetch(text, params)
            ok = True
        finally:
            pass
        return rows
