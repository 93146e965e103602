"""The worker: what happens to a job between its claim and its end."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from inhouse.clock import FrozenClock
from inhouse.ids import Ids
from inhouse.jobs import Abort, Handler, Job, Jobs, NewJob, Retry, Worker
from inhouse.scope import Principal, Scope
from inhouse.stores import Database, Statement
from inhouse.stores.jobs import LEASE_SECONDS
from inhouse.stores.servers import DEAD_SECONDS, Servers

SCOPE = Scope(
    "org-1", "proj_1", Principal("user-1", "org-1", "proj_1", "key_1", frozenset({"*"})), "req_1"
)
Run = Callable[[Job], Awaitable[None]]


@pytest.fixture
def jobs(database: Database, clock: FrozenClock) -> Jobs:
    return Jobs(database, clock, Ids(), chance=lambda: 1.0)


def new(subject: str = "thing", **fields: Any) -> NewJob:
    return NewJob("work", subject, SCOPE, **fields)


@asynccontextmanager
async def working(
    jobs: Jobs, run: Run, *, server: str = "srv_1", **options: Any
) -> AsyncGenerator[Worker]:
    """A worker that does one kind of job."""
    worker = Worker(jobs, server, [Handler("work", run, **options)], pace=0.02, beat=0.05)
    await worker.start()
    try:
        yield worker
    finally:
        await worker.close(0)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is true."""
    async with asyncio.timeout(10):
        while not await true():  # noqa: ASYNC110 - a row is watched, and knows no event
            await asyncio.sleep(0.005)


async def becomes(
    jobs: Jobs, job_id: str, state: str, also: Callable[[], bool] = lambda: True
) -> None:
    """Wait until the job is in that state, and the rest is true."""

    async def true() -> bool:
        return also() and await jobs.state(job_id) == state

    await until(true)


async def for_ever(_: Job) -> None:
    await asyncio.Event().wait()


class Waiting:
    """A handler that waits for ever, and tells when it began and when it was stopped."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.stopped = asyncio.Event()

    async def run(self, job: Job) -> None:
        self.started.set()
        try:
            await for_ever(job)
        finally:
            self.stopped.set()


async def test_a_job_is_run_and_done(jobs: Jobs) -> None:
    seen: list[str] = []

    async def run(job: Job) -> None:
        seen.append(job.subject)

    before = await jobs.add(new("before"))
    async with working(jobs, run):
        during = await jobs.add(new("during"))
        await becomes(jobs, before, "done")
        await becomes(jobs, during, "done")
    assert sorted(seen) == ["before", "during"]


async def test_two_workers_never_run_one_job_at_once(jobs: Jobs) -> None:
    runs: list[str] = []
    inside: set[str] = set()

    async def run(job: Job) -> None:
        assert job.id not in inside
        inside.add(job.id)
        runs.append(job.id)
        await asyncio.sleep(0.001)
        inside.discard(job.id)

    async with working(jobs, run, parallel=7), working(jobs, run, server="srv_2", parallel=7):
        ids = [await jobs.add(new(str(number))) for number in range(100)]
        for job_id in ids:
            await becomes(jobs, job_id, "done")
    assert sorted(runs) == sorted(ids)


async def test_no_more_than_allowed_run_at_once_and_none_is_forgotten(jobs: Jobs) -> None:
    inside = most = 0

    async def run(_: Job) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.002)
        inside -= 1

    ids = [await jobs.add(new()) for _ in range(20)]
    async with working(jobs, run, parallel=3):
        for job_id in ids:
            await becomes(jobs, job_id, "done")
    assert most == 3


async def test_a_job_that_fails_is_tried_again_later_until_its_attempts_are_used_up(
    jobs: Jobs, clock: FrozenClock
) -> None:
    attempts: list[int] = []
    told: list[str] = []

    async def run(job: Job) -> None:
        attempts.append(job.attempt)
        raise ValueError("no luck")

    async def failed(_: Job, reason: str) -> None:
        told.append(reason)

    async with working(jobs, run, failed=failed):
        job_id = await jobs.add(new(attempts=3))
        for pause in (1, 2):
            await becomes(jobs, job_id, "waiting", lambda n=pause: len(attempts) == n)
            assert not told
            clock.advance(pause)
        await becomes(jobs, job_id, "failed")
    assert attempts == [1, 2, 3]
    assert told == ["ValueError: no luck"]


async def test_a_job_that_cannot_succeed_is_not_tried_again(jobs: Jobs) -> None:
    told: list[str] = []

    async def run(_: Job) -> None:
        raise Abort("the key was revoked")

    async def failed(_: Job, reason: str) -> None:
        told.append(reason)

    async with working(jobs, run, failed=failed):
        await becomes(jobs, await jobs.add(new()), "failed")
    assert told == ["the key was revoked"]


async def test_a_kind_that_cannot_be_told_of_the_failure_is_told_again(
    jobs: Jobs, clock: FrozenClock
) -> None:
    told: list[int] = []
    ran: list[int] = []

    async def run(job: Job) -> None:
        ran.append(job.attempt)
        raise Abort("no")

    async def failed(job: Job, reason: str) -> None:
        told.append(job.attempt)
        assert reason == "no"
        if job.attempt == 1:
            raise OSError("not now")

    async with working(jobs, run, failed=failed):
        job_id = await jobs.add(new())
        await becomes(jobs, job_id, "waiting", lambda: bool(told))
        clock.advance(1)
        await becomes(jobs, job_id, "failed")
    assert told == [1, 2]
    assert ran == [1]


async def test_not_now_is_no_attempt(jobs: Jobs, clock: FrozenClock) -> None:
    seen: list[int] = []

    async def run(job: Job) -> None:
        seen.append(job.attempt)
        if len(seen) < 4:
            raise Retry(10)

    async with working(jobs, run):
        job_id = await jobs.add(new(attempts=1))
        for count in (1, 2, 3):
            await becomes(jobs, job_id, "waiting", lambda n=count: len(seen) == n)
            clock.advance(10)
        await becomes(jobs, job_id, "done")
    assert seen == [1, 2, 3, 4]


async def test_a_cancelled_job_is_stopped_at_once(jobs: Jobs) -> None:
    waiting = Waiting()
    async with working(jobs, waiting.run):
        job_id = await jobs.add(new())
        async with asyncio.timeout(10):
            await waiting.started.wait()
            await jobs.cancel(job_id)
            await waiting.stopped.wait()
    assert await jobs.state(job_id) == "cancelled"


async def test_a_handler_is_stopped_when_another_process_has_its_job(jobs: Jobs) -> None:
    waiting = Waiting()
    async with working(jobs, waiting.run):
        job_id = await jobs.add(new())
        async with asyncio.timeout(10):
            await waiting.started.wait()
            await jobs.database.write(_claimed_by("srv_2", job_id))
            await waiting.stopped.wait()
    assert await jobs.held("srv_2") == {(job_id, 2)}


async def test_leases_are_kept_while_a_handler_runs(jobs: Jobs, clock: FrozenClock) -> None:
    async with working(jobs, for_ever):
        job_id = await jobs.add(new())
        await becomes(jobs, job_id, "running")
        before = await jobs.database.read("SELECT lease_until FROM jobs")
        clock.advance(29)

        async def extended() -> bool:
            return await jobs.database.read("SELECT lease_until FROM jobs") != before

        await until(extended)
        clock.advance(2)
        await jobs.recover("srv_2")
        assert await jobs.state(job_id) == "running"


async def test_what_runs_at_the_end_may_finish(jobs: Jobs) -> None:
    started, go = asyncio.Event(), asyncio.Event()

    async def run(_: Job) -> None:
        started.set()
        await go.wait()

    async with working(jobs, run) as worker:
        running = await jobs.add(new())
        await started.wait()
        closing = asyncio.create_task(worker.close(10))
        await asyncio.sleep(0.05)
        after = await jobs.add(new())
        go.set()
        await closing
    assert await jobs.state(running) == "done"
    assert await jobs.state(after) == "waiting"


async def test_what_does_not_finish_in_time_is_there_for_the_next_process_at_once(
    jobs: Jobs,
) -> None:
    stopped: list[str] = []

    async def run(job: Job) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(job.id)

    async with working(jobs, run):
        job_id = await jobs.add(new(attempts=1))
        await becomes(jobs, job_id, "running")
    assert stopped == [job_id]
    [job] = await jobs.claim("srv_2", 1, [("work", 1)])
    assert (job.id, job.attempt, job.max_attempts) == (job_id, 2, 2)


async def test_a_job_whose_process_died_on_the_last_attempt_is_failed_not_run(
    jobs: Jobs, clock: FrozenClock
) -> None:
    told: list[str] = []

    async def failed(_: Job, reason: str) -> None:
        told.append(reason)

    job_id = await jobs.add(new(attempts=1))
    await jobs.claim("srv_dead", 1, [("work", 1)])
    clock.advance(LEASE_SECONDS + 1)
    async with working(jobs, for_ever, failed=failed):
        await becomes(jobs, job_id, "failed")
    assert told == ["the process that ran it ended"]


async def test_a_job_that_is_held_and_not_run_is_given_back(jobs: Jobs) -> None:
    ran: list[int] = []

    async def run(job: Job) -> None:
        ran.append(job.attempt)

    async with working(jobs, run):
        job_id = await jobs.add(new(due=jobs.clock.now() + 60))
        await jobs.database.write(_claimed_by("srv_1", job_id))
        await becomes(jobs, job_id, "waiting")
    assert ran == []


async def test_a_handler_that_ends_the_job_itself_is_believed(jobs: Jobs) -> None:
    async def run(job: Job) -> None:
        await jobs.database.write(job.finishing(jobs.clock.now()))

    async with working(jobs, run):
        await becomes(jobs, await jobs.add(new()), "done")


async def test_a_handler_cancelled_from_within_has_failed(jobs: Jobs) -> None:
    async def run(_: Job) -> None:
        raise asyncio.CancelledError

    async with working(jobs, run):
        job_id = await jobs.add(new(attempts=1))
        await becomes(jobs, job_id, "failed")


async def test_a_process_is_alive_from_start_to_close(jobs: Jobs, clock: FrozenClock) -> None:
    servers = Servers(jobs.database, clock)
    await servers.register("srv_dead")
    clock.advance(DEAD_SECONDS + 1)
    async with working(jobs, for_ever):
        assert await servers.alive() == {"srv_1"}
    assert await servers.alive() == set()


def _claimed_by(server: str, job_id: str) -> Any:
    """A claim whose claimer does not know of it."""
    return Statement(
        "UPDATE jobs SET state = 'running', attempt = attempt + 1, worker = ?, claim = -1"
        " WHERE id = ?",
        (server, job_id),
        rows=1,
    )
