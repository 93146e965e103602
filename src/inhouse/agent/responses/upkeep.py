"""What keeps responses honest when nobody asks for them: none stays in progress whose process is
gone, and logs of runs go when nobody reads them any more.
"""

import asyncio

from inhouse.agent.responses.telling import error_object
from inhouse.clock import Clock
from inhouse.errors import APIError, ServerError
from inhouse.stores.database import Database
from inhouse.stores.responses import ResponseStore
from inhouse.stores.run_log import RunLog
from inhouse.stores.servers import Servers
from inhouse.telemetry import log

ROUND_SECONDS = 10.0
LOG_SECONDS = 600
"""How long the events of a run are kept after its end."""


class Upkeep:
    """Does its round at the start and then every few seconds. `server` is this process's id."""

    def __init__(self, database: Database, clock: Clock, server: str) -> None:
        self._responses = ResponseStore(database)
        self._log = RunLog(database)
        self._servers = Servers(database, clock)
        self._alone = not database.shared
        self._clock = clock
        self._server = server
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Do the first round, which nothing is served before; go on in the background."""
        await self.round()
        self._task = asyncio.create_task(self._for_ever())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def round(self) -> None:
        """End responses of processes that are gone; delete old logs."""
        now = int(self._clock.now())
        alive = {self._server} if self._alone else {*await self._servers.alive(), self._server}
        error = error_object(ServerError("The server stopped while it made this response."))
        for response, server in await self._responses.of_servers():
            if server not in alive:
                failed = {**response, "status": "failed", "error": error}
                await self._responses.fail(failed, server, now)
        await self._log.prune(now - LOG_SECONDS)

    async def _for_ever(self) -> None:
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            try:
                await self.round()
            except APIError as error:
                log.warning("looking after responses failed: %s", error.message)
            except Exception:  # noqa: BLE001 - the next round may do better
                log.exception("looking after responses failed")
