"""The queue's table: who gets a job, who keeps it, and how it ends."""

from collections.abc import Callable
from typing import Any

import pytest

from inhouse.clock import FrozenClock
from inhouse.ids import Ids
from inhouse.scope import Scope
from inhouse.stores import Database, Stale, Statement
from inhouse.stores.jobs import (
    CANCELLED,
    KEPT_SECONDS,
    LEASE_SECONDS,
    NEWS,
    Job,
    Jobs,
    NewJob,
    adding,
    cancel_news,
    cancelling,
)
from inhouse.stores.sqlite import SQLite

FACT = "INSERT INTO facts (name, value) SELECT CAST(? AS TEXT), 'x' WHERE {condition}"


@pytest.fixture
def jobs(database: Database, clock: FrozenClock) -> Jobs:
    return Jobs(database, clock, Ids(), chance=lambda: 1.0)


@pytest.fixture
def new(scope: Scope) -> Callable[..., NewJob]:
    def make(subject: str = "thing", kind: str = "work", **fields: Any) -> NewJob:
        return NewJob(kind, subject, scope, **fields)

    return make


async def claimed(
    jobs: Jobs, worker: str = "srv_1", most: int = 10, kind: str = "work"
) -> list[Job]:
    """What a claimer gets, in a round of its own."""
    claimed.round += 1
    return await jobs.claim(worker, claimed.round, [(kind, most)])


claimed.round = 0


async def test_a_job_is_claimed_once_with_who_and_what_it_is_for(
    jobs: Jobs, new: Callable[..., NewJob]
) -> None:
    job_id = await jobs.add(new("resp_1"))
    assert await jobs.state(job_id) == "waiting"
    [job] = await claimed(jobs)
    assert (job.id, job.kind, job.subject, job.attempt) == (job_id, "work", "resp_1", 1)
    assert (job.organization, job.project) == ("org-1", "proj_1")
    assert (job.key_id, job.owner) == ("key_1", "user-1")
    assert await jobs.state(job_id) == "running"
    assert await claimed(jobs, "srv_2") == []


async def test_priority_goes_before_age_and_age_before_the_rest(
    jobs: Jobs, clock: FrozenClock, new: Callable[..., NewJob]
) -> None:
    await jobs.add(new("late, urgent", due=clock.now() + 5, priority=-1))
    await jobs.add(new("old"))
    clock.advance(1)
    await jobs.add(new("young"))
    await jobs.add(new("young, urgent", priority=-1))
    await jobs.add(new("of another kind", "other"))
    first = await claimed(jobs, most=2)
    assert [job.subject for job in first] == ["young, urgent", "old"]
    clock.advance(5)
    assert [job.subject for job in await claimed(jobs)] == ["late, urgent", "young"]


async def test_a_job_waits_until_it_is_due(
    jobs: Jobs, clock: FrozenClock, new: Callable[..., NewJob]
) -> None:
    assert await jobs.next_due() is None
    await jobs.add(new(due=clock.now() + 60))
    assert await claimed(jobs) == []
    assert await jobs.next_due() == 60
    clock.advance(59.999)
    assert await claimed(jobs) == []
    clock.advance(0.001)
    assert len(await claimed(jobs)) == 1


async def test_a_job_added_with_its_cause_exists_only_with_it(
    database: Database, jobs: Jobs, clock: FrozenClock, new: Callable[..., NewJob]
) -> None:
    cause = Statement("UPDATE facts SET value = '' WHERE name = 'missing'", rows=1)
    with pytest.raises(Stale):
        await database.write(adding("job_1", new(), clock.now()), cause)
    assert await jobs.state("job_1") is None


async def test_of_jobs_with_one_dedupe_there_is_one_until_it_ends(
    jobs: Jobs, new: Callable[..., NewJob]
) -> None:
    first = await jobs.add(new(dedupe="once"))
    again = await jobs.add(new(dedupe="once"))
    assert await jobs.state(again) is None
    other = await jobs.add(new(kind="other", dedupe="once"))
    assert await jobs.state(other) == "waiting"
    [job] = await claimed(jobs)
    assert job.id == first
    assert await jobs.state(await jobs.add(new(dedupe="once"))) is None
    await jobs.finish(job)
    assert await jobs.state(await jobs.add(new(dedupe="once"))) == "waiting"


async def test_two_jobs_with_one_id_are_refused(
    database: Database, clock: FrozenClock, new: Callable[..., NewJob]
) -> None:
    await database.write(adding("job_1", new(dedupe="a"), clock.now()))
    with pytest.raises(Exception, match="exists already"):
        await database.write(adding("job_1", new(dedupe="b"), clock.now()))


async def test_retries_come_later_and_later(
    jobs: Jobs, clock: FrozenClock, new: Callable[..., NewJob]
) -> None:
    await jobs.add(new(attempts=50))
    pauses: list[float | None] = []
    for attempt in range(1, 12):
        [job] = await claimed(jobs)
        assert job.attempt == attempt
        await jobs.retry(job, "no luck")
        pauses.append(await jobs.next_due())
        clock.advance(pauses[-1] or 0)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert (await claimed(jobs))[0].error == "no luck"


async def test_retries_are_spread(
    database: Database, clock: FrozenClock, new: Callable[..., NewJob]
) -> None:
    jobs = Jobs(database, clock, Ids(), chance=lambda: 0.0)
    await jobs.add(new())
    [job] = await claimed(jobs)
    await jobs.retry(job, "")
    assert await jobs.next_due() == 0.5


async def test_what_is_postponed_or_released_loses_no_attempt(
    jobs: Jobs, clock: FrozenClock, new: Callable[..., NewJob]
) -> None:
    await jobs.add(new(attempts=1))
    [job] = await claimed(jobs)
    await jobs.postpone(job, 3)
    assert await jobs.next_due() == 3
    clock.advance(3)
    [job] = await claimed(jobs)
    assert (job.attempt, job.max_attempts) == (2, 2)
    await jobs.release("srv_1")
    [job] = await claimed(jobs, "srv_2")
    assert (job.attempt, job.max_attempts) == (3, 3)


async def test_an_expired_lease_is_anybodys(
    jobs: Jobs, clock: FrozenClock, new: Callable[..., NewJob]
) -> None:
    await jobs.add(new())
    [first] = await claimed(jobs)
    clock.advance(LEASE_SECONDS)
    await jobs.recover("srv_2")
    assert await claimed(jobs, "srv_2") == []
    await jobs.database.write(jobs.extending("srv_1"))
    clock.advance(LEASE_SECONDS)
    await jobs.recover("srv_2")
    assert await claimed(jobs, "srv_2") == []
    clock.advance(0.001)
    await jobs.recover("srv_1")  # a process that slept does not take from itself
    assert await jobs.held("srv_1") == {(first.id, 1)}
    await jobs.recover("srv_2")
    [second] = await claimed(jobs, "srv_2")
    assert (second.id, second.attempt) == (first.id, 2)
    assert second.error == "the process that ran it ended"


async def test_a_process_that_is_alone_need_not_wait_for_leases(
    jobs: Jobs, new: Callable[..., NewJob]
) -> None:
    await jobs.add(new())
    await claimed(jobs, "srv_dead")
    await jobs.recover("srv_1", alone=True)
    assert len(await claimed(jobs, "srv_1")) == 1


async def test_whoever_has_lost_a_job_can_write_nothing(
    database: Database, jobs: Jobs, clock: FrozenClock, new: Callable[..., NewJob]
) -> None:
    job_id = await jobs.add(new())
    [zombie] = await claimed(jobs)
    await jobs.recover("srv_2", alone=True)
    condition, params = zombie.holding
    fact = Statement(FACT.format(condition=condition), ("name", *params), rows=1)
    guarded = Statement("INSERT INTO facts (name, value) VALUES ('guarded', '')")
    [heir] = await claimed(jobs, "srv_2")
    for write in (
        jobs.finish(zombie),
        jobs.fail(zombie, "no"),
        jobs.retry(zombie, "no"),
        jobs.postpone(zombie, 1),
        jobs.checkpoint(zombie, "no"),
        database.write(fact),
        database.write(guarded, zombie.guard),
        database.write(guarded, zombie.finishing(clock.now())),
    ):
        with pytest.raises(Stale):
            await write
    assert await jobs.state(job_id) == "running"
    assert await database.read("SELECT name FROM facts") == []
    condition, params = heir.holding
    await database.write(
        Statement(FACT.format(condition=condition), ("name", *params), rows=1),
        guarded,
        heir.guard,
        heir.finishing(clock.now()),
    )
    assert await jobs.state(job_id) == "done"
    assert len(await database.read("SELECT name FROM facts")) == 2


async def test_a_checkpoint_is_there_at_the_next_attempt_and_gone_at_the_end(
    database: Database, jobs: Jobs, new: Callable[..., NewJob]
) -> None:
    await jobs.add(new())
    [job] = await claimed(jobs)
    assert job.checkpoint == ""
    await jobs.checkpoint(job, "half \0 way")
    await jobs.recover("srv_2", alone=True)
    [job] = await claimed(jobs, "srv_2")
    assert job.checkpoint == "half \ufffd way"
    await jobs.finish(job)
    assert await database.read("SELECT checkpoint, worker FROM jobs") == [("", "")]


async def test_a_job_can_be_cancelled_until_it_ends(
    database: Database, jobs: Jobs, clock: FrozenClock, new: Callable[..., NewJob]
) -> None:
    waiting = await jobs.add(new("waiting"))
    with database.watch(f"job:{waiting}") as own, database.watch(CANCELLED) as all_of_them:
        await jobs.cancel(waiting)
        assert await own.wait(5)
        assert await all_of_them.wait(5)
    assert await jobs.state(waiting) == "cancelled"
    assert await claimed(jobs) == []
    running = await jobs.add(new("running"))
    [job] = await claimed(jobs)
    await database.write(cancelling(running, clock.now()), wakes=cancel_news(running))
    assert await jobs.state(running) == "cancelled"
    assert await jobs.held("srv_1") == set()
    with pytest.raises(Stale):
        await jobs.finish(job)
    done = await jobs.add(new("done"))
    await jobs.finish((await claimed(jobs))[0])
    await jobs.cancel(done)
    assert await jobs.state(done) == "done"


async def test_adding_and_going_back_are_news(jobs: Jobs, new: Callable[..., NewJob]) -> None:
    with jobs.database.watch(NEWS) as watch:
        await jobs.add(new())
        assert await watch.wait(5)
        await jobs.retry((await claimed(jobs))[0], "")
        assert await watch.wait(5)


async def test_a_failed_job_says_why_in_few_words(
    database: Database, jobs: Jobs, new: Callable[..., NewJob]
) -> None:
    await jobs.add(new())
    await jobs.fail((await claimed(jobs))[0], "x\0" * 1000)
    [(state, error)] = await database.read("SELECT state, error FROM jobs")
    assert state == "failed"
    assert error == "x\ufffd" * 250


async def test_jobs_that_ended_long_ago_are_deleted_and_no_others(
    jobs: Jobs, clock: FrozenClock, new: Callable[..., NewJob]
) -> None:
    old = await jobs.add(new("old"))
    await jobs.finish((await claimed(jobs))[0])
    running = await jobs.add(new("running"))
    await claimed(jobs)
    waiting = await jobs.add(new("waiting"))
    clock.advance(KEPT_SECONDS)
    recent = await jobs.add(new("recent", "other"))
    await jobs.finish((await claimed(jobs, kind="other"))[0])
    await jobs.prune()
    assert await jobs.state(old) == "done"
    clock.advance(1)
    await jobs.prune()
    found = [await jobs.state(each) for each in (old, running, waiting, recent)]
    assert found == [None, "running", "waiting", "done"]


async def test_what_is_claimed_does_not_touch_the_caches_of_others(
    database: Database, jobs: Jobs, new: Callable[..., NewJob]
) -> None:
    before = database.generation
    await jobs.add(new())
    [job] = await claimed(jobs)
    await jobs.finish(job)
    assert database.generation == before


async def test_processes_are_alone_on_sqlite_and_are_not_on_postgresql(
    database: Database,
) -> None:
    assert database.shared == (not isinstance(database, SQLite))
