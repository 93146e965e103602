"""SQLite connections, set up as this program wants them."""

import sqlite3
from pathlib import Path

FILE = "inhouse.db"
BUSY_SECONDS = 60.0
"""How long a write waits for another process before it is refused as storage_busy."""

_STATEMENTS_KEPT = 512
_WRITING = (
    "journal_mode=WAL",
    "synchronous=FULL",  # a commit is on disk when it returns
    "fullfsync=ON",  # on macOS too
    "foreign_keys=ON",
    "temp_store=MEMORY",
    "journal_size_limit=67108864",
    "cache_size=-8192",  # 8 MiB; readers have SQLite's own 2 MiB
)


def writing(path: Path) -> sqlite3.Connection:
    """A connection for writes.

    sqlite3.OperationalError (SQLITE_BUSY) if another one turns a new file to WAL at this moment.
    """
    connection = _connect(path)
    try:
        for setting in _WRITING:
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection


def reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    connection = _connect(path)
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path,
        timeout=BUSY_SECONDS,
        isolation_level=None,  # transactions are begun and ended by hand
        check_same_thread=False,  # opened by the starter, then used by one thread only
        cached_statements=_STATEMENTS_KEPT,
    )
