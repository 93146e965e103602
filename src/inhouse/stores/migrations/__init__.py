"""Numbered migrations: `sqlite/0001_*.sql` and on, each applied once, in order, in one
transaction; and the same steps for PostgreSQL beside them, which `postgres.migrate` applies.
"""

import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from inhouse.stores import connections
from inhouse.stores.errors import DataFolderError, DataInUse, DataTooNew
from inhouse.stores.lock import ServerLock

_PAUSE = 0.02
"""Seconds between two tries."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str
    sql: str


def known(dialect: Literal["sqlite", "postgres"] = "sqlite") -> list[Migration]:
    """All migrations of this program, in order."""
    folder = resources.files(__name__) / dialect
    found = (re.fullmatch(r"(\d{4})_(\w+)\.sql", entry.name) for entry in folder.iterdir())
    names = sorted(match.group(0) for match in found if match)
    return [
        Migration(int(name[:4]), name[5:-4], (folder / name).read_text("utf-8")) for name in names
    ]


def migrated(
    path: Path,
    lock: ServerLock | None,
    steps: Sequence[Migration] | None = None,
    patience: float = 5.0,
) -> sqlite3.Connection:
    """A writing connection to the database at `path`, at the newest schema.

    `lock` is the folder's, not taken: it is taken while migrating, so that the schema never changes
    under a running server; None if the caller is the server and holds it. `steps` are all known
    migrations unless a test says otherwise; `patience` is how many seconds another process may take
    to migrate. DataTooNew, DataInUse, DataFolderError.
    """
    steps = known() if steps is None else steps
    deadline = time.monotonic() + patience
    while True:
        try:
            return _open(path, lock, steps, patience)
        except sqlite3.DatabaseError as error:
            # Turning a new file to WAL does not wait for other processes that do the same.
            if _busy(error) and time.monotonic() < deadline:
                time.sleep(_PAUSE)
                continue
            raise DataFolderError(f"The database {path} cannot be opened: {error}.") from error


def _busy(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _open(
    path: Path, lock: ServerLock | None, steps: Sequence[Migration], patience: float
) -> sqlite3.Connection:
    fresh = not path.exists()
    if not fresh:
        refuse_newer(path, steps)
    connection = connections.writing(path)
    try:
        if fresh:
            path.chmod(0o600)
        _migrate(connection, lock, steps, patience)
    except BaseException:
        connection.close()
        raise
    return connection


def applied(path: Path) -> int:
    """The number of the newest migration in the file at `path`; 0 if none."""
    connection = sqlite3.connect(path, timeout=connections.BUSY_SECONDS)
    try:
        return _applied(connection)
    finally:
        connection.close()


def refuse_newer(path: Path, steps: Sequence[Migration] | None = None) -> None:
    """DataTooNew if the database at `path` has migrations that this program does not know."""
    there, here = applied(path), (known() if steps is None else steps)[-1].number
    if there > here:
        raise DataTooNew(
            f"The data folder {path.parent} was written by a newer version of inhouse (its schema"
            f" is number {there}, this version knows {here}). Update inhouse, or restore a backup."
        )


def _applied(connection: sqlite3.Connection) -> int:
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migrations'").fetchone()
    if not there:
        return 0
    return connection.execute("SELECT COALESCE(MAX(number), 0) FROM migrations").fetchone()[0]


def _migrate(
    connection: sqlite3.Connection,
    lock: ServerLock | None,
    steps: Sequence[Migration],
    patience: float,
) -> None:
    deadline = time.monotonic() + patience
    while _applied(connection) < steps[-1].number:
        try:
            if lock:
                lock.take()
        except DataInUse as error:
            if time.monotonic() < deadline:  # a server that starts now is migrating
                time.sleep(_PAUSE)
                continue
            raise DataInUse(f"{error} It is of an older version: restart it first.") from None
        try:
            _apply_all(connection, steps)
        finally:
            if lock:
                lock.release()


def _apply_all(connection: sqlite3.Connection, steps: Sequence[Migration]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = _applied(connection)  # again: another process may have been faster
        for migration in steps:
            if migration.number > done:
                _apply(connection, migration)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    for statement in _statements(migration.sql):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO migrations (number, name, applied) VALUES (?, ?, ?)",
        (migration.number, migration.name, int(time.time())),
    )


def _statements(sql: str) -> Iterator[str]:
    """The statements of a file, cut at semicolons that end one."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise ValueError(f"a migration ends within a statement: {statement.strip()[:80]}")
