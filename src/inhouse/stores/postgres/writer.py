"""Commits units in groups over one connection, and finds out what became of a commit whose answer
was lost.

While a group is being committed, the next one gathers. A group whose connection breaks before its
commit was asked for is done again: the server has undone it. If it breaks after that, the server is
asked for the transaction by its number (`pg_xact_status`): committed, it is acknowledged; aborted,
it is done again; if the server cannot be asked in time, the callers are told that it is not known.
So no unit is done twice, and none is acknowledged that is not there.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress

from asyncpg import PostgresError

from inhouse.stores.desk import GATHERING_SECONDS
from inhouse.stores.errors import OutcomeUnknown, StorageUnavailable
from inhouse.stores.postgres import faults
from inhouse.stores.postgres.address import Address
from inhouse.stores.postgres.session import Session, connected
from inhouse.stores.postgres.transaction import Outcome, Spoiled, Transaction, Unit

STATEMENT_SECONDS = 10.0
_LARGEST_GROUP = 1024
_BREAKS, _COLLISIONS = 2, 5
"""How often a group is done again after its connection broke, or after it met another process's."""
_ASKING_SECONDS = 5.0
_STATUS = "SELECT pg_xact_status(CAST(CAST(? AS TEXT) AS xid8))"

Waiting = tuple[Unit, "asyncio.Future[None]"]


class Writer:
    """Owns the session that writes, and the task that does. `committed` is called with the units of
    every commit before their callers learn of it.
    """

    def __init__(
        self, address: Address, sender: str, committed: Callable[[Sequence[Unit]], None]
    ) -> None:
        self._address = address
        self._sender = sender
        self._committed = committed
        self._queue: list[Waiting] = []
        self._arrived = asyncio.Event()
        self._closing = False
        self._session: Session | None = None
        self._loop = asyncio.get_running_loop()
        self.commits = 0
        """Groups committed so far."""
        self._task = asyncio.create_task(self._write_all(), name="inhouse-writer")

    def submit(self, unit: Unit) -> "asyncio.Future[None]":
        """Queue a unit; the future is resolved when it is committed or was refused."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._queue.append((unit, future))
        self._arrived.set()
        return future

    async def close(self) -> None:
        """Finish what was submitted, then close the session."""
        self._closing = True
        self._arrived.set()
        await asyncio.shield(self._task)
        if self._session:
            await self._session.close()
            self._session = None

    async def _write_all(self) -> None:
        started = -GATHERING_SECONDS
        while True:
            await self._arrived.wait()
            if not self._closing and (wait := started + GATHERING_SECONDS - self._loop.time()) > 0:
                await asyncio.sleep(wait)
            started = self._loop.time()
            group, self._queue = self._queue[:_LARGEST_GROUP], self._queue[_LARGEST_GROUP:]
            if group:
                await self._commit(group)
            elif self._closing:
                return
            if not self._queue and not self._closing:
                self._arrived.clear()

    async def _commit(self, group: list[Waiting]) -> None:
        units = [unit for unit, _ in group]
        try:
            outcomes = await self._outcomes(units)
        except StorageUnavailable as error:
            group += self._queue  # they have waited as well
            self._queue = []
            outcomes = [error] * len(group)
        except Exception as error:  # noqa: BLE001 - the task must live, and nobody wait for ever
            outcomes = [faults.explain(error)] * len(group)
        done = [unit for (unit, _), error in zip(group, outcomes, strict=True) if error is None]
        if done:
            self.commits += 1
        unknown = (
            unit
            for (unit, _), error in zip(group, outcomes, strict=True)
            if isinstance(error, OutcomeUnknown)
        )
        self._committed([*done, *unknown])
        for (_, future), error in zip(group, outcomes, strict=True):
            if future.done():  # its caller was cancelled
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    async def _outcomes(self, units: Sequence[Unit]) -> list[Outcome]:
        """What became of each unit, through collisions and lost connections. StorageUnavailable, or
        an error of the whole group.
        """
        apart, breaks, collisions = False, 0, 0
        while True:
            transaction = Transaction(await self._connected(), units, self._sender, apart=apart)
            try:
                return await transaction.commit()
            except Spoiled:
                apart = True
            except Exception as error:
                if faults.gone(error) or faults.replica(error):
                    self._drop()
                    if (found := await self._found_out(transaction)) is not None:
                        return found
                    breaks += 1
                    if breaks > _BREAKS:
                        raise StorageUnavailable from error
                elif faults.collided(error) and collisions < _COLLISIONS:
                    apart, collisions = True, collisions + 1
                    await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311 - parts two processes
                else:
                    raise

    async def _found_out(self, transaction: Transaction) -> list[Outcome] | None:
        """The outcomes of a transaction whose connection broke; None if nothing of it was done."""
        if not transaction.sent or transaction.number is None:
            return None
        committed = await self._was_committed(transaction.number)
        if committed is False:
            return None
        return [
            OutcomeUnknown() if outcome is None and committed is None else outcome
            for outcome in transaction.outcomes
        ]

    async def _was_committed(self, number: str) -> bool | None:
        """What the server says; None if it cannot be asked or does not know."""
        with suppress(TimeoutError, StorageUnavailable, PostgresError):
            async with asyncio.timeout(_ASKING_SECONDS):
                while True:
                    status = await self._status(number)
                    if status in {"committed", "aborted"}:
                        return status == "committed"
                    if status is None:
                        return None
                    await asyncio.sleep(0.05)  # the server has not noticed yet that we are gone
        return None

    async def _status(self, number: str) -> str | None:
        session = await self._connected()
        try:
            return (await session.fetch(_STATUS, (number,)))[0][0]
        except Exception as error:
            if not faults.gone(error):
                raise
            self._drop()
            return "unasked"

    async def _connected(self) -> Session:
        if self._session is None or self._session.closed:
            self._session = None
            self._session = await connected(
                self._address, read_only=False, seconds=STATEMENT_SECONDS
            )
        return self._session

    def _drop(self) -> None:
        if self._session:
            self._session.drop()
            self._session = None
