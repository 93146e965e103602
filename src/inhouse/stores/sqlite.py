"""The database on SQLite: one thread that writes with group commit, a few that read.

The life of a write: `write` lays the unit on the desk of its event loop (desk.py); at the end of
the loop's turn the desk hands all its units over; the writer thread drains the queue, does every
unit in one transaction (writer.py), commits once, and the desk resolves the futures with one
wake-up.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from inhouse.stores import connections, migrations
from inhouse.stores.database import Database, Row, Statement
from inhouse.stores.desk import Desk, Unit
from inhouse.stores.lock import ServerLock
from inhouse.stores.watches import Watch, Watches
from inhouse.stores.writer import Writer, explain

READERS = 3
_PATIENCE = 0.5
POLL_SECONDS = 0.25
"""How often the writer looks whether another process has committed."""
_LARGEST_BATCH = 1024

Query = tuple[Desk, "asyncio.Future[list[Row]]", str, Sequence[object]]


class SQLite(Database):
    """See `Database`. The file is `inhouse.db` in the data folder."""

    def __init__(self, data: Path, *, server: bool = False) -> None:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = data / connections.FILE
        self._lock = ServerLock(data).take(_PATIENCE) if server else None
        self.generation = 0
        self.commits = 0
        """Transactions committed so far by this process; with group commit fewer than writes."""
        self._desk: Desk | None = None
        self._next_look = 0.0
        self._closed = False
        self._watches = Watches()
        self._units: SimpleQueue[list[Unit] | None] = SimpleQueue()
        self._queries: SimpleQueue[Query | None] = SimpleQueue()
        try:
            unheld = None if server else ServerLock(data)
            self._writer = Writer(migrations.migrated(self.path, unheld))
            self._threads = [threading.Thread(target=self._write_all, name="inhouse-writer")]
            for number in range(READERS):
                connection = connections.reading(self.path)
                name = f"inhouse-reader-{number}"
                thread = threading.Thread(target=self._read_all, args=(connection,), name=name)
                self._threads.append(thread)
        except BaseException:
            if self._lock:
                self._lock.release()
            raise
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def read(self, sql: str, params: Sequence[object] = ()) -> Awaitable[list[Row]]:
        desk = self._desk_here()
        future: asyncio.Future[list[Row]] = desk.loop.create_future()
        self._queries.put((desk, future, sql, params))
        return future

    def write(
        self, *statements: Statement, quiet: bool = False, wakes: Sequence[str] = ()
    ) -> Awaitable[None]:
        done = self._desk_here().submit(statements, quiet=quiet)
        if wakes:
            done.add_done_callback(lambda _: self._watches.wake(wakes))
        return done

    def watch(self, name: str) -> Watch:
        return self._watches.watch(name)

    async def close(self) -> None:
        if self._closed:
            return
        if self._desk:
            self._desk.flush()
        self._closed = True
        self._units.put(None)
        for _ in range(READERS):
            self._queries.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        if self._lock:
            self._lock.release()

    def _desk_here(self) -> Desk:
        if self._closed:
            raise RuntimeError("the database is closed")
        loop = asyncio.get_running_loop()
        desk = self._desk
        if desk is None or desk.loop is not loop:
            desk = self._desk = Desk(loop, self._units.put)
        return desk

    def _write_all(self) -> None:
        """The writer thread's life: gather, commit, deliver, until a None comes."""
        running = True
        while running:
            batch: list[Unit] = []
            try:
                first = self._units.get(timeout=POLL_SECONDS)
                running = first is not None
                batch += first or ()
                while running and len(batch) < _LARGEST_BATCH:
                    more = self._units.get_nowait()
                    running = more is not None
                    batch += more or ()
            except Empty:
                pass
            self._commit(batch)
        self._writer.close()

    def _commit(self, batch: list[Unit]) -> None:
        foreign = False
        if (now := time.monotonic()) >= self._next_look:
            foreign = self._writer.others_committed()
            self._next_look = now + POLL_SECONDS
        if not batch:
            self.generation += foreign
            return
        try:
            outcomes = self._writer.commit([unit[2] for unit in batch])
        except Exception as error:  # noqa: BLE001 - the thread must live, and nobody wait for ever
            outcomes = [explain(error)] * len(batch)
        self.commits = self._writer.commits
        loud = any(not unit[3] for unit in batch)
        self.generation += foreign or loud  # before anybody learns that the write is done
        for desk in {unit[0] for unit in batch}:
            desk.deliver_all(batch, outcomes)

    def _read_all(self, connection: sqlite3.Connection) -> None:
        """A reader thread's life: one query after the other, until a None comes."""
        while (query := self._queries.get()) is not None:
            desk, future, sql, params = query
            rows: list[Any] | None = None
            error: BaseException | None = None
            try:
                rows = connection.execute(sql, params).fetchall()
            except Exception as caught:  # noqa: BLE001 - it is the caller's, whatever it is
                error = explain(caught)
            desk.deliver(future, rows, error)
            desk.wake()
            del query, rows, error
        connection.close()
