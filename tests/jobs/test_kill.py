"""A process that works on jobs is killed, again and again; each job takes effect exactly once."""

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

from inhouse.clock import SystemClock
from inhouse.ids import Ids
from inhouse.jobs import Jobs, NewJob
from inhouse.scope import Principal, Scope
from inhouse.stores import Database

KILLS = 30
JOBS = 60
STEPS = 4

PROCESS = """
import asyncio, sys
from pathlib import Path
from inhouse.clock import SystemClock
from inhouse.ids import Ids
from inhouse.jobs import Handler, Job, Jobs, Worker
from inhouse.stores import Database, Statement

INSERT = "INSERT INTO facts (name, value) VALUES (?, '')"

async def main():
    steps = int(sys.argv[2])
    clock, ids = SystemClock(), Ids()
    async with Database.open(Path(sys.argv[1]), server=True) as database:
        jobs = Jobs(database, clock, ids)
        async def run(job: Job) -> None:
            for step in range(int(job.checkpoint or 0), steps):
                await asyncio.sleep(0.03)
                effect = Statement(INSERT, (f"{job.subject}/{step}",))
                last = step == steps - 1
                end = job.finishing(clock.now()) if last else job.checkpointing(str(step + 1))
                await database.write(effect, end)
        await Worker(jobs, ids("srv_"), [Handler("work", run, parallel=4)]).start()
        print("started", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def started(data: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(data), str(STEPS)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "started\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


async def states(data: Path) -> dict[str, int]:
    async with Database.open(data) as database:
        rows = await database.read("SELECT state, COUNT(*) FROM jobs GROUP BY state")
    return dict(rows)


async def test_killed_thirty_times_every_job_is_done_and_takes_effect_once(tmp_path: Path) -> None:
    chance = random.Random(11)  # noqa: S311 - moments, not secrets
    key = Principal("user-1", "org-1", "proj_1", "key_1", frozenset({"*"}))
    scope = Scope("org-1", "proj_1", key, "req_1")
    async with Database.open(tmp_path) as database:
        jobs = Jobs(database, SystemClock(), Ids())
        for number in range(JOBS):
            await jobs.add(NewJob("work", f"job {number}", scope, attempts=KILLS + 1))
    broken_off = 0
    for _ in range(KILLS):
        process = await asyncio.to_thread(started, tmp_path)
        await asyncio.sleep(chance.uniform(0, 0.12))
        await asyncio.to_thread(kill, process)
        broken_off += (await states(tmp_path)).get("running", 0)
    assert broken_off > KILLS  # the kills hit running jobs
    process = await asyncio.to_thread(started, tmp_path)
    try:
        async with asyncio.timeout(60):
            while await states(tmp_path) != {"done": JOBS}:  # noqa: ASYNC110 - another process works
                await asyncio.sleep(0.2)
    finally:
        await asyncio.to_thread(kill, process)
    async with Database.open(tmp_path) as database:
        names = [name for (name,) in await database.read("SELECT name FROM facts")]
        attempts = await database.read("SELECT MAX(attempt) FROM jobs")
    effects = [name for name in names if name.startswith("job ")]
    assert sorted(effects) == sorted(f"job {n}/{s}" for n in range(JOBS) for s in range(STEPS))
    assert attempts[0][0] > 1
