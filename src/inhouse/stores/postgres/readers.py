"""The connections that queries are answered over."""

import asyncio
from collections import deque
from collections.abc import Sequence

from inhouse.stores.database import Row
from inhouse.stores.errors import StorageBusy, StorageUnavailable
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
        self._closed = False
        self._free: list[Session] = []
        self._open = 0
        self._waiting: deque[asyncio.Future[Session | None]] = deque()

    async def fetch(self, text: str, params: Sequence[object]) -> list[Row]:
        """All rows of one query; asked once more, over a new connection, if the first one broke."""
        for again in (True, False):
            try:
                return await self._fetch(text, params)
            except Exception as error:  # noqa: BLE001 - raised as what it means
                if not (again and faults.gone(error)):
                    raise faults.explain(error) from None
            while self._free:  # most likely they are broken as well
                self._discard(self._free.pop())
        raise StorageUnavailable

    async def close(self) -> None:
        """Close those that lie idle; those that are lent close when they come back."""
        self._closed = True
        while self._free:
            self._open -= 1
            await self._free.pop().close()

    async def _fetch(self, text: str, params: Sequence[object]) -> list[Row]:
        session = await self._borrow()
        try:
            rows = await session.fetch(text, params)
        except Exception as error:
            if faults.gone(error):
                self._discard(session)
            else:
                self._give_back(session)
            raise
        except BaseException:  # the caller was cancelled, and the answer is still to come
            self._discard(session)
            raise
        self._give_back(session)
        return rows

    async def _borrow(self) -> Session:
        while self._free:
            session = self._free.pop()
            if not session.closed:
                return session
            self._open -= 1
        if self._open < MOST:
            return await self._connect()
        return await self._wait()

    async def _connect(self) -> Session:
        self._open += 1
        try:
            return await connected(self._address, read_only=True, seconds=STATEMENT_SECONDS)
        except BaseException as error:
            self._open -= 1
            if isinstance(error, StorageUnavailable):
                self._refuse_all()
            else:
                self._offer(None)
            raise

    async def _wait(self) -> Session:
        waiter: asyncio.Future[Session | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(_QUEUE_SECONDS):
                session = await waiter
        except TimeoutError:
            raise StorageBusy from None
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._pass_on(waiter.result())
            raise
        return session or await self._borrow()

    def _pass_on(self, session: Session | None) -> None:
        if session is not None:
            self._give_back(session)
        else:
            self._offer(None)

    def _give_back(self, session: Session) -> None:
        if self._closed or session.closed:
            self._discard(session)
        elif not self._offer(session):
            self._free.append(session)

    def _discard(self, session: Session) -> None:
        self._open -= 1
        session.drop()
        self._offer(None)

    def _offer(self, session: Session | None) -> bool:
        """Hand a session, or the room to make one, to the first who waits."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(session)
                return True
        return False

    def _refuse_all(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(StorageUnavailable())
