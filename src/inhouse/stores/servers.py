"""Processes that work on this database, and which of them live.

On PostgreSQL each gives a sign of life every few seconds. On SQLite exactly one server process
exists (the folder's lock), so whoever registers is alone.
"""

from inhouse.clock import Clock
from inhouse.stores.database import Database, Statement

DEAD_SECONDS = 30.0
"""Without a sign of life for so long, a process is taken for dead."""
_FORGOTTEN_SECONDS = 86400.0


class Servers:
    """The `servers` table."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def register(self, server: str) -> None:
        """The process begins."""
        now = self._now()
        gone = " AND seen < ?" if self._database.shared else ""
        forgotten = [now - round(_FORGOTTEN_SECONDS * 1000)] if gone else []
        await self._database.write(
            Statement(f"DELETE FROM servers WHERE id <> ?{gone}", (server, *forgotten)),  # noqa: S608
            Statement(
                "INSERT INTO servers (id, started, seen) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET seen = excluded.seen",
                (server, now, now),
            ),
            quiet=True,
        )

    def beating(self, server: str) -> Statement:
        """The statement that is a sign of life."""
        return Statement("UPDATE servers SET seen = ? WHERE id = ?", (self._now(), server))

    async def unregister(self, server: str) -> None:
        """The process ends."""
        statement = Statement("DELETE FROM servers WHERE id = ?", (server,))
        await self._database.write(statement, quiet=True)

    async def alive(self) -> set[str]:
        """The ids of all processes that live, as far as one can know."""
        since = self._now() - round(DEAD_SECONDS * 1000) if self._database.shared else 0
        rows = await self._database.read("SELECT id FROM servers WHERE seen >= ?", (since,))
        return {server for (server,) in rows}

    def _now(self) -> int:
        return round(self._clock.now() * 1000)
