"""One transaction over the units of a group."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from inhouse.stores import rows
from inhouse.stores.database import Statement
from inhouse.stores.errors import Stale
from inhouse.stores.postgres import faults
from inhouse.stores.postgres.session import Session

CHANNEL = "inhouse"

_MOST_NAMES = 64
_SHORT_WAIT, _LONG_WAIT = "300ms", "5s"

Outcome = Exception | None


class Unit(NamedTuple):
    """What `Database.write` was given."""

    statements: Sequence[Statement]
    quiet: bool
    wakes: Sequence[str]


class News(msgspec.Struct, frozen=True, array_like=True):
    """What processes tell each other: who committed, whether caches may be stale, whom to wake."""

    sender: str
    loud: bool
    wakes: Sequence[str]


class Spoiled(Exception):
    """A unit failed half-way, so nothing of the group was done: its units must be done apart."""


class Transaction:
    """A try at committing `units`, in order.

    Together, they share everything, and wait for a row that another process holds only for a
    moment: Spoiled, and nothing done, if one of them fails. `apart`, each has a savepoint and fails
    alone. `number` is the transaction's, once there is something to commit; `sent` says that the
    commit was asked for, so that what became of it is the server's to tell.
    """

    def __init__(
        self, session: Session, units: Sequence[Unit], sender: str, *, apart: bool
    ) -> None:
        self._session = session
        self._units = units
        self._sender = sender
        self._apart = apart
        self.outcomes: list[Outcome] = []
        self.number: str | None = None
        self.sent = False

    async def commit(self) -> list[Outcome]:
        """For each unit: None, or why it (alone) was not done. Raises Spoiled, or what broke the
        whole transaction, which is then rolled back.
        """
        try:
            wait = _LONG_WAIT if self._apart else _SHORT_WAIT
            await self._session.script(f"BEGIN; SET LOCAL lock_timeout = '{wait}'")
            await (self._do_apart() if self._apart else self._do_together())
            await self._end()
        except Exception as error:
            if not faults.gone(error):
                await self._session.script("ROLLBACK")
            raise
        return self.outcomes

    async def _end(self) -> None:
        done = [unit for unit, error in zip(self._units, self.outcomes, strict=True) if not error]
        if not done:
            await self._session.script("ROLLBACK")
            return
        self.number = await self._sign(done)
        self.sent = True
        if await self._session.script("COMMIT") != "COMMIT":
            raise AssertionError("a transaction with an error in it was to be committed")

    async def _sign(self, done: Sequence[Unit]) -> str | None:
        """Tell other processes what will be committed. The transaction's number, None if it changes
        nothing.
        """
        loud = any(not unit.quiet for unit in done)
        names = list(dict.fromkeys(name for unit in done for name in unit.wakes))
        columns, payloads = "", list[str]()
        for start in range(0, len(names) or int(loud), _MOST_NAMES):
            news = News(self._sender, loud, names[start : start + _MOST_NAMES])
            payloads.append(msgspec.json.encode(news).decode())
            columns += f", pg_notify('{CHANNEL}', ?)"
        sql = f"SELECT CAST(pg_current_xact_id_if_assigned() AS TEXT){columns}"
        return (await self._session.fetch(sql, payloads))[0][0]

    async def _do_together(self) -> None:
        units = [unit.statements for unit in self._units]
        for start, end in rows.runs(units):
            if end - start > 1:
                joined = rows.joined([unit[0] for unit in units[start:end]])
                await self._guarded((joined,))
                self.outcomes += [None] * (end - start)
            else:
                self.outcomes.append(await self._guarded(units[start]))

    async def _guarded(self, statements: Sequence[Statement]) -> Outcome:
        """Do one unit among others without a savepoint: its error is returned if nothing of it was
        done; Spoiled if something was and others are concerned.
        """
        try:
            touched = await self._do(statements)
        except Exception as error:
            alone = len(self._units) == 1
            if faults.gone(error) or (alone and not _passing(error)):
                raise
            raise Spoiled from error
        if touched is None:
            return None
        if touched:
            raise Stale if len(self._units) == 1 else Spoiled
        return Stale()

    async def _do(self, statements: Sequence[Statement]) -> bool | None:
        """None if all row counts were as expected; else whether something may have been changed."""
        for place, statement in enumerate(statements):
            touched = await self._session.touch(statement.sql, statement.params)
            if statement.rows is not None and touched != statement.rows:
                return bool(place or touched)
        return None

    async def _do_apart(self) -> None:
        script = self._session.script
        for unit in self._units:
            await script("SAVEPOINT unit")
            outcome = await self._tried(unit.statements)
            await script("RELEASE unit" if outcome is None else "ROLLBACK TO unit; RELEASE unit")
            self.outcomes.append(outcome)

    async def _tried(self, statements: Sequence[Statement]) -> Outcome:
        try:
            return None if await self._do(statements) is None else Stale()
        except Exception as error:
            if faults.gone(error) or faults.collided(error) or faults.replica(error):
                raise
            return faults.explain(error)


def _passing(error: Exception) -> bool:
    return faults.collided(error) or faults.waited(error)
