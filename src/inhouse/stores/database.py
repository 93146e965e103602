"""The `Database`: reads, and writes that are data. Knows no table.

Rules for all SQL in `stores/`, so that it runs unchanged on SQLite and PostgreSQL:

- Placeholders are `?`, and no literal contains one; the driver translates them (`$1`, `$2`, ... for
  PostgreSQL) once per text.
- Plain SQL only: no `INSERT OR REPLACE` (use `ON CONFLICT`), no `rowid`, no JSON functions, no `IS
?`.
  A missing project or parent is `''`, not NULL, so that it can be compared and be unique.
- What only PostgreSQL needs, such as a row lock, stands in `/*! FOR UPDATE SKIP LOCKED */`; to
  SQLite that is a comment.
- A parameter has a type on PostgreSQL: that of the column it meets. One that meets none
  (`SELECT ?`) is text unless it is cast. A sum of BIGINT comes as an integer on both.
- On PostgreSQL other processes commit between two statements of a unit, and a row that a condition
  only looked at (`WHERE EXISTS`) may change before the unit is committed. A unit that must hold a
  row updates it first, with `rows=1`: then nobody else changes it until the commit.
- Bodies are JSON in TEXT columns. Text in any other column holds no NUL (`bodies.lifted`).
- Ids are compared by code point (`COLLATE "C"` on PostgreSQL), and lists page by them.
- Instants are seconds since the epoch.
- A read never shares a transaction with a write. What depends on a read is written with a
  condition (`WHERE version = ?`) and an expected row count, and tried again on `Stale`; counters
  are increments.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec

from inhouse.stores.watches import Watch

Row = tuple[Any, ...]


class Statement(msgspec.Struct, frozen=True):
    """One SQL statement of a write. `rows` is how many rows it must touch (None: any number)."""

    sql: str
    params: Sequence[object] = ()
    rows: int | None = None


class Database(ABC):
    """What stores need: `read`, `write`, and a number that says whether caches still hold.

    `generation` grows with every commit that may have changed something which is cached in memory
    (keys, aliases, settings): own ones at once, before `write` returns; those of other processes
    within half a second. Compare it, never interpret it.
    """

    generation: int = 0
    shared: ClassVar[bool] = False
    """Whether several server processes may work on it at once (PostgreSQL)."""

    @staticmethod
    def open(data: Path, *, url: str | None = None, server: bool = False) -> "Database":
        """The database of the folder `data`, or the one on PostgreSQL at `url`, made or migrated if
        need be.

        On SQLite `server` claims the folder for this process until `close`: DataInUse if another
        server has it. Without it (short CLI commands) any number of processes may work beside the
        server; on PostgreSQL any number always may. DataTooNew if a newer version of the program
        wrote it; DatabaseError if PostgreSQL cannot be used.
        """
        if url is not None:
            from inhouse.stores.postgres.driver import Postgres  # noqa: PLC0415 - takes its time

            return Postgres(url)
        from inhouse.stores.sqlite import SQLite  # noqa: PLC0415 - the driver subclasses this class

        return SQLite(data, server=server)

    @abstractmethod
    def read(self, sql: str, params: Sequence[object] = ()) -> Awaitable[list[Row]]:
        """All rows of one query, from the last committed state."""

    @abstractmethod
    def write(
        self, *statements: Statement, quiet: bool = False, wakes: Sequence[str] = ()
    ) -> Awaitable[None]:
        """Do all `statements` or none, as one unit; done when it is on disk.

        Other units may share the transaction; each succeeds or fails alone. Once called, the write
        happens even if the caller is cancelled. `quiet` says that no cache depends on it:
        `generation` stays. `wakes` are names that the write is news of: whoever watches one, in any
        process on this database, wakes after the commit.

        Raises Stale (a row count differs), Duplicate (a unique value exists), StorageFull,
        StorageBusy, StorageUnavailable, OutcomeUnknown.
        """

    @abstractmethod
    def watch(self, name: str) -> Watch:
        """A context manager that waits for news of `name`; see `stores.watches`."""

    @abstractmethod
    async def close(self) -> None:
        """Finish the writes that were submitted, then let go of the folder."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
