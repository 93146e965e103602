"""The durable queue: rows of `jobs`, from waiting over running to done, failed or cancelled.

A job carries an id and may run twice. What it does to the world is written on the condition that
the attempt still holds the job (`Job.holding`, `Job.guard`), so that a process that has lost it
cannot write. Knows when a job may run, not what it does.

waiting ──claim──> running ──finish──> done
   ^                  │ ├────fail────> failed
   └──retry, lost─────┘ └───cancel───> cancelled       (cancel ends a waiting one, too)

Every start is an attempt with a number of its own, never used again. Going back without blame
(`postpone`, `release`) raises the number of attempts that the job has instead.
"""

import random
from collections.abc import Callable, Sequence

import msgspec

from inhouse.clock import Clock
from inhouse.ids import IdMaker
from inhouse.scope import Scope
from inhouse.stores.bodies import lifted
from inhouse.stores.database import Database, Row, Statement
from inhouse.stores.watches import Watch

NEWS = "jobs"
"""What a write wakes that adds a job or lets one wait again."""
CANCELLED = "jobs:cancelled"
LEASE_SECONDS = 30.0
"""How long a job stays with a process that gives no sign of life."""
KEPT_SECONDS = 3 * 86400.0
"""How long a job that ended is kept."""
_SLICE = 500
_LONGEST_ERROR = 500
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0

Condition = tuple[str, tuple[object, ...]]

_INSERT = (
    "INSERT INTO jobs (id, kind, subject, organization, project, key_id, owner, state, dedupe,"
    " priority, due, attempt, max_attempts, worker, claim, lease_until, checkpoint, error, created)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, 0, ?, '', 0, 0, '', '', ?)"
)
_ONCE = (
    " ON CONFLICT (kind, dedupe) WHERE dedupe <> '' AND state IN ('waiting', 'running') DO NOTHING"
)
_CLAIM = (
    "WITH picked AS MATERIALIZED (SELECT id FROM jobs WHERE state = 'waiting' AND kind = ? AND due"
    " <= ? ORDER BY priority, due, id LIMIT ?{locking})"
    " UPDATE jobs SET state = 'running', attempt = attempt + 1, worker = ?, claim = ?,"
    " lease_until = ? WHERE state = 'waiting' AND id IN (SELECT id FROM picked)"
)
_HELD = "id = ? AND attempt = ? AND state = 'running'"
_OURS = "state = 'running' AND worker = ?"
_COLUMNS = (
    "id, kind, subject, attempt, max_attempts, key_id, owner, organization, project, checkpoint,"
    " error"
)
_CLAIMED = f"SELECT {_COLUMNS} FROM jobs WHERE {_OURS} AND claim = ? ORDER BY priority, due, id"  # noqa: S608
_AWAY = "state = 'waiting', worker = '', lease_until = 0"
_OVER = "worker = '', lease_until = 0, checkpoint = '', ended = ?"


class NewJob(msgspec.Struct, frozen=True):
    """A job to add. It acts with the rights of the key that `scope` came with.

    `subject` is the id of the object that it works on. `due` is in seconds since the epoch, 0 for
    at once; smaller `priority` goes first, then what is due longer. Of jobs with one `dedupe` and
    kind there is one until it ends.
    """

    kind: str
    subject: str
    scope: Scope
    priority: int = 0
    due: float = 0.0
    dedupe: str = ""
    attempts: int = 5


class Job(msgspec.Struct, frozen=True):
    """One attempt at a job, as it was claimed. `error` is why the one before failed, if it did."""

    id: str
    kind: str
    subject: str
    attempt: int
    max_attempts: int
    key_id: str
    owner: str
    organization: str
    project: str
    checkpoint: str
    error: str

    @property
    def holding(self) -> Condition:
        """SQL that is true while this attempt holds the job, and its parameters.

        For `INSERT ... SELECT ... WHERE`. On PostgreSQL it does not keep the job from being lost
        until the commit; `guard` does.
        """
        return f"EXISTS (SELECT 1 FROM jobs WHERE {_HELD})", (self.id, self.attempt)  # noqa: S608

    @property
    def guard(self) -> Statement:
        """A statement that lets its unit pass only while this attempt holds the job; else Stale."""
        return Statement(
            f"UPDATE jobs SET attempt = attempt WHERE {_HELD}",  # noqa: S608
            (self.id, self.attempt),
            rows=1,
        )

    def finishing(self, now: float) -> Statement:
        """The statement that ends the job as done, for the unit that writes its last effect."""
        return self._ending("done", now)

    def checkpointing(self, checkpoint: str) -> Statement:
        """The statement that keeps how far the job came, for the next attempt. Stale if it is
        lost.
        """
        sql = f"UPDATE jobs SET checkpoint = ? WHERE {_HELD}"  # noqa: S608
        return Statement(sql, (lifted(checkpoint), self.id, self.attempt), rows=1)

    def _ending(self, state: str, now: float, error: str = "") -> Statement:
        sql = f"UPDATE jobs SET state = ?, error = ?, {_OVER} WHERE {_HELD}"  # noqa: S608
        return Statement(sql, (state, error, _ms(now), self.id, self.attempt), rows=1)

    def failing(self, error: str, now: float) -> Statement:
        """The statement that ends the job as failed."""
        return self._ending("failed", now, _short(error))


def adding(job_id: str, job: NewJob, now: float) -> Statement:
    """The statement that adds a job, for the unit that causes it; the write wakes `NEWS`.

    Adds nothing if a job of the kind with this `dedupe` waits or runs.
    """
    scope, principal, created = job.scope, job.scope.principal, _ms(now)
    return Statement(
        _INSERT + _ONCE if job.dedupe else _INSERT,
        (
            job_id,
            job.kind,
            job.subject,
            scope.organization,
            scope.project or "",
            principal.key_id,
            principal.id,
            lifted(job.dedupe),
            job.priority,
            max(_ms(job.due), created),
            job.attempts,
            created,
        ),
    )


def cancelling(job_id: str, now: float) -> Statement:
    """The statement that cancels a job unless it has ended; the write wakes `cancel_news`."""
    return Statement(
        f"UPDATE jobs SET state = 'cancelled', {_OVER}"  # noqa: S608
        " WHERE id = ? AND state IN ('waiting', 'running')",
        (_ms(now), job_id),
    )


def cancel_news(job_id: str) -> list[str]:
    """What a write wakes that cancels a job: its worker, and whoever watches the job."""
    return [CANCELLED, f"job:{job_id}"]


class Jobs:
    """The queue. Times of callers are seconds; `chance` (0 to 1) spreads retries."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: IdMaker,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.database = database
        self.clock = clock
        self._ids = ids
        self._chance = chance
        locking = " FOR UPDATE SKIP LOCKED" if database.shared else ""
        self._claim = _CLAIM.format(locking=locking)

    # Whoever has work

    async def add(self, job: NewJob) -> str:
        """Add one job that no other write causes. Its id."""
        job_id = self._ids("job_")
        await self.database.write(adding(job_id, job, self.clock.now()), quiet=True, wakes=[NEWS])
        return job_id

    async def cancel(self, job_id: str) -> None:
        """End a job that waits; stop one that runs. Nothing if it has ended."""
        statement = cancelling(job_id, self.clock.now())
        await self.database.write(statement, quiet=True, wakes=cancel_news(job_id))

    async def state(self, job_id: str) -> str | None:
        """waiting, running, done, failed or cancelled; None if it is not there (any more)."""
        rows = await self.database.read("SELECT state FROM jobs WHERE id = ?", (job_id,))
        return rows[0][0] if rows else None

    # Whoever does it

    async def claim(self, worker: str, round_: int, room: Sequence[tuple[str, int]]) -> list[Job]:
        """Take up to that many due jobs of each kind in `room`, most urgent first.

        `round_` is a number that the worker uses once. A job is given to one claimer only.
        """
        now = _ms(self.clock.now())
        until = now + _ms(LEASE_SECONDS)
        await self.database.write(
            *(
                Statement(self._claim, (kind, now, most, worker, round_, until))
                for kind, most in room
            ),
            quiet=True,
        )
        return [_job(row) for row in await self.database.read(_CLAIMED, (worker, round_))]

    async def next_due(self) -> float | None:
        """Seconds from now until the next job that waits for its time; None if there is none."""
        now = _ms(self.clock.now())
        sql = "SELECT MIN(due) FROM jobs WHERE state = 'waiting' AND due > ?"
        due = (await self.database.read(sql, (now,)))[0][0]
        return None if due is None else (due - now) / 1000

    def extending(self, worker: str) -> Statement:
        """The statement that keeps all that `worker` holds for another lease."""
        until = _ms(self.clock.now() + LEASE_SECONDS)
        return Statement(f"UPDATE jobs SET lease_until = ? WHERE {_OURS}", (until, worker))  # noqa: S608

    async def held(self, worker: str) -> set[tuple[str, int]]:
        """The id and attempt of every job that `worker` holds."""
        rows = await self.database.read(f"SELECT id, attempt FROM jobs WHERE {_OURS}", (worker,))  # noqa: S608
        return {(job_id, attempt) for job_id, attempt in rows}

    async def finish(self, job: Job) -> None:
        """The job is done. Stale if this attempt has lost it."""
        await self.database.write(job.finishing(self.clock.now()), quiet=True)

    async def fail(self, job: Job, error: str) -> None:
        """The job will not be tried again. Stale if this attempt has lost it."""
        await self.database.write(job.failing(error, self.clock.now()), quiet=True)

    async def retry(self, job: Job, error: str, *, last: bool = False) -> None:
        """Try again later: after a pause that doubles with each attempt. Stale if lost.

        `last` says that no attempts are left but the one to fail.
        """
        pause = min(_FIRST_PAUSE * 2.0 ** min(job.attempt - 1, 20), _LONGEST_PAUSE)
        most = min(job.attempt, job.max_attempts) if last else job.max_attempts
        await self._back(job, pause * (0.5 + self._chance() / 2), _short(error), most)

    async def postpone(self, job: Job, seconds: float) -> None:
        """Not now: try again in `seconds`; it does not count as an attempt. Stale if lost."""
        await self._back(job, seconds, job.error, job.max_attempts + 1)

    async def checkpoint(self, job: Job, checkpoint: str) -> None:
        """Keep how far the job came. Stale if this attempt has lost it."""
        await self.database.write(job.checkpointing(checkpoint), quiet=True)

    async def release(self, worker: str, held: Sequence[tuple[str, int]] | None = None) -> None:
        """Give back what `worker` holds, or those of it, to whoever comes; no attempts are lost."""
        sql = f"UPDATE jobs SET {_AWAY}, max_attempts = max_attempts + 1 WHERE {_OURS}"  # noqa: S608
        one = sql + " AND id = ? AND attempt = ?"
        statements = (
            [Statement(sql, (worker,))]
            if held is None
            else [Statement(one, (worker, *each)) for each in held]
        )
        if statements:
            await self.database.write(*statements, quiet=True, wakes=[NEWS])

    async def recover(self, worker: str, *, alone: bool = False) -> None:
        """Let jobs wait again whose process gave no sign of life; with `alone`, all that are not
        `worker`'s, as no other process is there.
        """
        now = _ms(self.clock.now())
        expired = "" if alone else " AND lease_until < ?"
        sql = (
            f"UPDATE jobs SET {_AWAY}, error = 'the process that ran it ended'"  # noqa: S608
            f" WHERE state = 'running' AND worker <> ?{expired}"
        )
        params = (worker,) if alone else (worker, now)
        await self.database.write(Statement(sql, params), quiet=True, wakes=[NEWS])

    async def prune(self, slices: int = 10) -> None:
        """Delete jobs that ended days ago, in up to so many slices."""
        before = _ms(self.clock.now() - KEPT_SECONDS)
        old = "SELECT id FROM jobs WHERE ended IS NOT NULL AND ended < ? ORDER BY ended LIMIT ?"
        sql = f"DELETE FROM jobs WHERE id IN ({old})"  # noqa: S608
        for _ in range(slices):
            if not await self.database.read(old, (before, 1)):
                break
            await self.database.write(Statement(sql, (before, _SLICE)), quiet=True)

    def watch_news(self) -> Watch:
        """Wakes when there may be something to claim."""
        return self.database.watch(NEWS)

    def watch_cancelled(self) -> Watch:
        """Wakes when a job was cancelled."""
        return self.database.watch(CANCELLED)

    async def _back(self, job: Job, pause: float, error: str, most: int) -> None:
        due = _ms(self.clock.now() + pause)
        await self.database.write(
            Statement(
                f"UPDATE jobs SET {_AWAY}, due = ?, error = ?, max_attempts = ?"  # noqa: S608
                f" WHERE {_HELD}",
                (due, error, most, job.id, job.attempt),
                rows=1,
            ),
            quiet=True,
            wakes=[NEWS],
        )


def _job(row: Row) -> Job:
    return Job(*row)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _short(error: str) -> str:
    return lifted(error[:_LONGEST_ERROR])
