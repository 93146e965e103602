"""The `Worker`: claims jobs of the kinds it knows, runs them, and keeps hold of them meanwhile.

Two loops. One claims: at once when there is news, else when the next job is due, else at its pace.
The other holds: extends the leases of all that runs in one write, lets jobs of dead processes wait
again, and drops what is not this worker's any more (cancelled, or lost to another process).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence

from inhouse.errors import APIError
from inhouse.jobs.attempt import Attempt
from inhouse.jobs.handler import Handler
from inhouse.stores.jobs import LEASE_SECONDS, Jobs
from inhouse.stores.servers import Servers
from inhouse.stores.watches import Watch

log = logging.getLogger(__name__)

DRAIN_SECONDS = 5.0
"""How long running handlers may go on when the worker closes."""
_CANCEL_SECONDS = 5.0
"""How long a handler may take to end when it is cancelled."""
_MOST_AT_ONCE = 100
"""Jobs of a kind in one claim, so that another process gets some, too."""


class Worker:
    """Runs jobs in this process from `start` to `close`. `server` is the process's id.

    `pace` is the longest pause between two looks for work, `beat` between two signs of life, both
    in seconds.
    """

    def __init__(
        self,
        jobs: Jobs,
        server: str,
        handlers: Sequence[Handler],
        *,
        pace: float = 1.0,
        beat: float = 5.0,
    ) -> None:
        self.server = server
        self._jobs = jobs
        self._servers = Servers(jobs.database, jobs.clock)
        self.handlers = tuple(handlers)
        self._handlers = {handler.kind: handler for handler in handlers}
        self._pace = pace
        self._beat = beat
        self._running: dict[tuple[str, int], Attempt] = {}
        self._busy: Counter[str] = Counter()
        self._full: set[str] = set()
        self._rounds = 0
        self._steady = asyncio.Lock()  # between claiming and knowing what was claimed
        self._news: Watch = jobs.watch_news()
        self._cancelled: Watch = jobs.watch_cancelled()
        self._retired = False
        self._closing = False
        self._held_at = 0.0
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Make the process known, take back what dead ones left, begin to work."""
        await self._servers.register(self.server)
        await self._jobs.recover(self.server, alone=not self._jobs.database.shared)
        self._held_at = self._jobs.clock.monotonic()
        self._loops = [asyncio.create_task(self._hold_for_ever())]
        if self._handlers:
            self._loops.append(asyncio.create_task(self._claim_for_ever()))

    def retire(self) -> None:
        """Claim nothing more; what runs goes on."""
        self._retired = True
        self._news.wake()

    async def close(self, seconds: float = DRAIN_SECONDS) -> None:
        """Claim nothing more, let what runs go on for `seconds`, cancel the rest and give it back
        to whoever comes.
        """
        if not self._loops or self._closing:
            return
        self._closing = True
        holding, *claiming = self._loops
        self.retire()
        await asyncio.gather(*claiming)
        await self.idle(seconds)
        for attempt in list(self._running.values()):
            attempt.drop()
        await self.idle(_CANCEL_SECONDS)
        for attempt in self._running.values():
            log.error("job %s does not end when it is cancelled", attempt.job.id)
        holding.cancel()
        await asyncio.wait([holding])
        try:
            await self._jobs.release(self.server)
            await self._servers.unregister(self.server)
        except APIError as error:
            log.warning("what ran here goes to others once its lease is over: %s", error.message)

    async def idle(self, seconds: float) -> bool:
        """Wait until what runs now has ended, for so long at most. Whether it has."""
        tasks = [attempt.task for attempt in self._running.values()]
        return not tasks or not (await asyncio.wait(tasks, timeout=seconds))[1]

    # Claiming

    async def _claim_for_ever(self) -> None:
        with self._news:
            while not self._retired:
                try:
                    pause = await self._claim()
                except Exception as error:  # noqa: BLE001 - the next look may do better
                    _tell("looking for jobs failed", error)
                    pause = self._pace
                if pause:
                    await self._news.wait(pause)

    async def _claim(self) -> float:
        """Claim what there is room for and start it. How long to wait before the next time."""
        room = [
            (kind, min(free, _MOST_AT_ONCE))
            for kind, handler in self._handlers.items()
            if (free := handler.parallel - self._busy[kind]) > 0
        ]
        if not room:
            self._full = set(self._handlers)
            return self._pace
        async with self._steady:
            self._rounds += 1
            claimed = await self._jobs.claim(self.server, self._rounds, room)
            for job in claimed:
                self._begin(Attempt(job, self._handlers[job.kind], self._jobs))
        found = Counter(job.kind for job in claimed)
        self._full = {kind for kind, most in room if found[kind] == most}
        self._full |= self._handlers.keys() - {kind for kind, _ in room}
        if any(self._busy[kind] < self._handlers[kind].parallel for kind in self._full):
            return 0.0
        due = await self._jobs.next_due()
        return self._pace if due is None else min(due, self._pace)

    def _begin(self, attempt: Attempt) -> None:
        job = attempt.job
        self._running[job.id, job.attempt] = attempt
        self._busy[job.kind] += 1

        def ended(_: object) -> None:
            del self._running[job.id, job.attempt]
            self._busy[job.kind] -= 1
            if job.kind in self._full:  # more of them may wait for room
                self._news.wake()

        attempt.task.add_done_callback(ended)

    # Holding

    async def _hold_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        next_beat = loop.time() + self._beat
        with self._cancelled:
            while True:
                await self._cancelled.wait(max(0.0, next_beat - loop.time()))
                try:
                    if loop.time() >= next_beat:
                        next_beat = loop.time() + self._beat
                        await self._extend()
                    await self._check()
                except Exception as error:  # noqa: BLE001 - likewise
                    _tell("keeping hold of jobs failed", error)
                    self._drop_if_lost()

    async def _extend(self) -> None:
        """Give a sign of life for the process and all that it runs."""
        jobs, shared = self._jobs, self._jobs.database.shared
        if shared or self._running:
            await jobs.database.write(
                self._servers.beating(self.server), jobs.extending(self.server), quiet=True
            )
        self._held_at = jobs.clock.monotonic()
        if shared:
            await jobs.recover(self.server)
        await jobs.prune()

    async def _check(self) -> None:
        """Drop what this worker does not hold any more; give back what it holds and does not run
        (its end could not be written down).
        """
        async with self._steady:
            before = set(self._running)
            held = await self._jobs.held(self.server)
            for key in before - held:
                if attempt := self._running.get(key):
                    attempt.drop()
            if orphans := held - before:
                await self._jobs.release(self.server, sorted(orphans))

    def _drop_if_lost(self) -> None:
        """When no sign of life got through for a whole lease, other processes take what runs
        here.
        """
        silent = self._jobs.clock.monotonic() - self._held_at
        if self._jobs.database.shared and silent > LEASE_SECONDS:
            for attempt in list(self._running.values()):
                attempt.drop()


def _tell(what: str, error: Exception) -> None:
    """Log a failure; with its traceback unless the storage has said all that there is to say."""
    if isinstance(error, APIError):
        log.warning("%s: %s", what, error.message)
    else:
        log.error(what, exc_info=error)
