"""Commits units in groups: one transaction for all, a savepoint for each that could fail half-way.

Neighbours that only insert rows go together, all rows of a table in one statement; where nothing
else is to be done than one statement, that is the transaction. Every call of the database costs the
writer's thread the interpreter's lock, which the event loop wants all the time.

Runs in the writer thread only.
"""

import logging
import sqlite3
from collections.abc import Sequence

from inhouse import errors
from inhouse.stores import rows
from inhouse.stores.database import Statement
from inhouse.stores.errors import Duplicate, Stale, StorageBusy, StorageFull

log = logging.getLogger(__name__)

Statements = Sequence[Statement]
Outcome = Exception | None


class Writer:
    """Owns the one connection that writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute
        self.commits = 0
        self._data_version = self._read_data_version()

    def commit(self, units: Sequence[Statements]) -> list[Outcome]:
        """Do the units, in order, in one transaction. For each: None, or why it (alone) was not
        done.

        When the transaction itself fails (disk full, a lock that does not open), each unit is tried
        in a transaction of its own, so that a big one does not take small ones down.
        """
        try:
            if self._commit_joined(units):
                return [None] * len(units)
            self._execute("BEGIN IMMEDIATE")
            outcomes: list[Outcome] = []
            for start, end in rows.insert_runs(units):
                outcomes += self._apply_run(units[start:end])
            self._execute("COMMIT")
            self.commits += 1
        except sqlite3.Error as error:
            self._roll_back()
            if len(units) > 1 and not _busy(error):
                return [self.commit([unit])[0] for unit in units]
            return [explain(error)] * len(units)
        return outcomes

    def others_committed(self) -> bool:
        """Whether another process has committed since the last call."""
        version = self._read_data_version()
        changed = version != self._data_version
        self._data_version = version
        return changed

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _commit_joined(self, units: Sequence[Statements]) -> bool:
        """Do units that come to one insert without a transaction around it. False, and nothing
        done, if they do not or if it fails.
        """
        run = next(rows.insert_runs(units), None)
        if run is None or run[1] < len(units) or not rows.only_inserts(units[0]):
            return False
        statements = rows.grouped(units)
        if len(statements) > 1 or not self._do_all(statements):
            return False
        self.commits += 1
        return True

    def _apply_run(self, run: Sequence[Statements]) -> list[Outcome]:
        if len(run) > 1 and self._do_joined(run):
            return [None] * len(run)
        return [self._apply(unit) for unit in run]

    def _do_joined(self, run: Sequence[Statements]) -> bool:
        """Whether all of it succeeded; else nothing of it is done, and it may be tried one by
        one.
        """
        statements = rows.grouped(run)
        if len(statements) == 1:
            return self._do_all(statements)
        self._execute("SAVEPOINT run")
        done = self._do_all(statements)
        if not done:
            self._execute("ROLLBACK TO run")
        self._execute("RELEASE run")
        return done

    def _do_all(self, statements: Statements) -> bool:
        try:
            for statement in statements:
                self._execute(statement.sql, statement.params)
        except Exception as error:
            if _whole_transaction(error):
                raise
            return False
        return True

    def _apply(self, unit: Statements) -> Outcome:
        if len(unit) == 1 and unit[0].rows is None:  # atomic as it is
            return self._try(unit)
        self._execute("SAVEPOINT unit")
        outcome = self._try(unit)
        if outcome is not None:
            self._execute("ROLLBACK TO unit")
        self._execute("RELEASE unit")
        return outcome

    def _try(self, unit: Statements) -> Outcome:
        try:
            for statement in unit:
                touched = self._execute(statement.sql, statement.params).rowcount
                if statement.rows is not None and touched != statement.rows:
                    return Stale()
        except Exception as error:
            if _whole_transaction(error) or not self._connection.in_transaction:
                raise
            return explain(error)
        return None

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._execute("ROLLBACK")

    def _read_data_version(self) -> int:
        try:
            return self._execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:  # as with a full disk; the next look will tell
            return -1


def _busy(error: Exception) -> bool:
    return _primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _whole_transaction(error: Exception) -> bool:
    """Whether it is the storage that failed, not the unit."""
    return _primary_code(error) in {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    }


def _primary_code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def explain(error: Exception) -> Exception:
    """The error that the caller gets: an APIError for what the outside caused, else the error
    itself.
    """
    code = _primary_code(error)
    if code == sqlite3.SQLITE_FULL or _no_room_for_shared_memory(error):
        return StorageFull()
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StorageBusy()
    if isinstance(error, sqlite3.IntegrityError) and "UNIQUE" in str(error):
        return Duplicate()
    if _whole_transaction(error):
        log.error("storage failed: %s (%s)", error, getattr(error, "sqlite_errorname", "?"))
        return errors.ServerError("The server's storage failed.", code="storage_failed")
    return error


def _no_room_for_shared_memory(error: Exception) -> bool:
    """A full disk shows so when the WAL's index must grow."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code in {sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP}
