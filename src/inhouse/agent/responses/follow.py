"""A stored response's events for whoever asks for them, from any process on the database."""

from collections.abc import AsyncGenerator, Sequence

from inhouse.agent.responses.fold import ENDS
from inhouse.agent.responses.retell import retold
from inhouse.clock import Clock
from inhouse.engines.text import Json
from inhouse.scope import Scope
from inhouse.stores import run_log
from inhouse.stores.database import Database
from inhouse.stores.responses import ResponseStore
from inhouse.stores.run_log import RunLog

_LOOK_SECONDS = 2.0
"""How long a reader trusts that it is woken."""


class Follower:
    """Reads the log of a run under way, and makes the events again of one whose log is gone."""

    def __init__(self, database: Database, responses: ResponseStore, clock: Clock) -> None:
        self._database = database
        self._responses = responses
        self._log = RunLog(database)
        self._clock = clock

    async def events(
        self, scope: Scope, response_id: str, after: int = -1
    ) -> AsyncGenerator[Sequence[Json], None]:
        """Events with sequence numbers over `after`, until the last one; for a response that is
        cancelled or deleted, until there are no more.

        Events that are made again are fewer than the first were. Who has seen more gets the last.
        """
        with self._database.watch(run_log.name(response_id)) as watch:
            while True:
                events = await self._log.read(response_id, after)
                if events:
                    yield events
                    after = events[-1]["sequence_number"]
                    if events[-1]["type"] in ENDS:
                        return
                    continue
                stored = await self._responses.find(scope, response_id)
                if stored is None:
                    return
                if not stored.under_way:
                    rest = await self._log.read(response_id, after)
                    yield rest or await self._again(scope, response_id, after)
                    return
                await watch.wait(_LOOK_SECONDS)

    async def _again(self, scope: Scope, response_id: str, after: int) -> Sequence[Json]:
        if await self._log.read(response_id, -1):
            return []  # the log is there, and has no more
        stored = await self._responses.find(scope, response_id)
        if stored is None:
            return []
        events = retold(await self._responses.whole(stored), self._clock)
        last = events[-1]
        if last["sequence_number"] < after and last["type"] in ENDS:
            return [{**last, "sequence_number": after + 1}]  # there were more when they were made
        return [event for event in events if event["sequence_number"] > after]
