"""The database on PostgreSQL: one connection that writes with group commit, a few that read, one
that listens.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from inhouse.stores.database import Database, Row, Statement
from inhouse.stores.postgres import migrate
from inhouse.stores.postgres.address import Address
from inhouse.stores.postgres.listener import Listener
from inhouse.stores.postgres.readers import Readers
from inhouse.stores.postgres.transaction import News, Unit
from inhouse.stores.postgres.writer import Writer
from inhouse.stores.watches import Watch, Watches


@dataclass(frozen=True, slots=True)
class _Connections:
    """What lives in the event loop of the first use."""

    loop: asyncio.AbstractEventLoop
    writer: Writer
    readers: Readers
    listener: Listener


class Postgres(Database):
    """See `Database`. Any number of processes may work on it; one event loop in each."""

    shared = True

    def __init__(self, url: str) -> None:
        self._address = Address(url)
        migrate.migrated(self._address)
        self.generation = 0
        self._sender = secrets.token_hex(8)
        self._watches = Watches()
        self._connections: _Connections | None = None
        self._closed = False

    @property
    def commits(self) -> int:
        """Transactions committed so far by this process; with group commit fewer than writes."""
        return self._connections.writer.commits if self._connections else 0

    def read(self, sql: str, params: Sequence[object] = ()) -> Awaitable[list[Row]]:
        return self._here().readers.fetch(sql, params)

    def write(
        self, *statements: Statement, quiet: bool = False, wakes: Sequence[str] = ()
    ) -> Awaitable[None]:
        return self._here().writer.submit(Unit(statements, quiet, wakes))

    def watch(self, name: str) -> Watch:
        self._here()
        return self._watches.watch(name)

    async def listening(self) -> None:
        """Wait until commits of other processes are heard of."""
        await self._here().listener.listening.wait()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._connections:
            await self._connections.writer.close()
            await self._connections.listener.close()
            await self._connections.readers.close()

    def _here(self) -> _Connections:
        if self._closed:
            raise RuntimeError("the database is closed")
        loop = asyncio.get_running_loop()
        if self._connections is None:
            self._connections = _Connections(
                loop,
                Writer(self._address, self._sender, self._committed),
                Readers(self._address),
                Listener(self._address, self._heard, self._missed),
            )
        elif self._connections.loop is not loop:
            raise RuntimeError(
                "a database on PostgreSQL belongs to the event loop of its first use"
            )
        return self._connections

    def _committed(self, units: Sequence[Unit]) -> None:
        self.generation += any(not unit.quiet for unit in units)
        for unit in units:
            self._watches.wake(unit.wakes)

    def _heard(self, news: News) -> None:
        if news.sender != self._sender:
            self.generation += news.loud
            self._watches.wake(news.wakes)

    def _missed(self) -> None:
        self.generation += 1
        self._watches.wake_all()
