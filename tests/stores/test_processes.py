"""Several processes on one data folder, processes that are killed, disks that are full."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inhouse.stores import Database, DataInUse, Statement
from inhouse.stores.errors import StorageBusy, StorageFull
from inhouse.stores.sqlite import SQLite

INSERT = "INSERT INTO facts (name, value) VALUES (?, ?)"

PAIRS = """
import asyncio, sys
from pathlib import Path
from inhouse.stores import Database, Statement

INSERT = "INSERT INTO facts (name, value) VALUES (?, ?)"

async def main():
    name, writes, lanes, server = sys.argv[2], *map(int, sys.argv[3:])
    database = Database.open(Path(sys.argv[1]), server=bool(server))
    async def lane(number):
        for count in range(writes):
            pair = f"{name}-{number}-{count}"
            halves = (Statement(INSERT, (f"{pair}-{half}", "x"), rows=1) for half in "ab")
            await database.write(*halves)
            print(pair, flush=True)
    await asyncio.gather(*map(lane, range(lanes)))
    await database.close()

asyncio.run(main())
"""


HOLDER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("INSERT INTO facts (name, value) VALUES ('held', '')")
print("held", flush=True)
time.sleep(0.5)
connection.execute("COMMIT")
"""

OPENER = """
import asyncio, sys
from pathlib import Path
from inhouse.stores import Database, Statement

INSERT = "INSERT INTO facts (name, value) VALUES (?, '')"

async def main():
    input()
    database = Database.open(Path(sys.argv[1]), server=sys.argv[2] == "0")
    await database.write(Statement(INSERT, (sys.argv[2],)))
    await database.close()

asyncio.run(main())
"""


def started(program: str, *arguments: str, stdin: int | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdin=stdin, stdout=subprocess.PIPE, text=True
    )


def writer(
    data: Path, name: str, writes: int, *, lanes: int = 8, server: bool = False
) -> subprocess.Popen[str]:
    """A process that writes pairs and prints each when it is acknowledged."""
    return started(PAIRS, str(data), name, str(writes), str(lanes), str(int(server)))


async def halves(database: Database) -> dict[str, set[str]]:
    """Which halves of each pair are there."""
    found: dict[str, set[str]] = {}
    for (name,) in await database.read("SELECT name FROM facts"):
        pair, _, half = name.rpartition("-")
        found.setdefault(pair, set()).add(half)
    return found


async def test_kill_9_never_loses_an_acknowledged_write(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311 - moments, not secrets
    acknowledged: set[str] = set()
    for number in range(20):
        process = writer(tmp_path, str(number), 5000, server=True)
        assert process.stdout
        first = process.stdout.readline()
        await asyncio.sleep(chance.uniform(0, 0.06))
        process.send_signal(signal.SIGKILL)
        lines = (first + process.stdout.read()).split("\n")
        process.stdout.close()
        process.wait()
        acknowledged.update(lines[:-1])  # the last line may have been cut
        async with Database.open(tmp_path, server=True) as database:
            found = await halves(database)
            assert acknowledged <= found.keys()
            assert all(pair == {"a", "b"} for pair in found.values())
    assert len(acknowledged) > 40


async def test_processes_write_at_once_and_none_is_locked_out(tmp_path: Path) -> None:
    processes = [writer(tmp_path, name, 40, lanes=4) for name in ("p", "q", "r")]
    async with Database.open(tmp_path, server=True) as database:
        for count in range(200):
            await database.write(
                Statement(INSERT, (f"own-{count}-a", "x")),
                Statement(INSERT, (f"own-{count}-b", "x")),
            )
        for process in processes:
            output, _ = await asyncio.to_thread(process.communicate)
            assert process.returncode == 0
            assert len(output.splitlines()) == 160
        found = await halves(database)
    assert len(found) == 3 * 160 + 200
    assert all(pair == {"a", "b"} for pair in found.values())


async def test_a_write_waits_for_another_process_that_holds_the_lock(tmp_path: Path) -> None:
    async with Database.open(tmp_path) as database:
        process = started(HOLDER, str(tmp_path / "inhouse.db"))
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        await database.write(Statement(INSERT, ("waited", "")))
        rows = await database.read("SELECT name FROM facts ORDER BY name")
        assert rows == [("held",), ("waited",)]
        process.communicate()


async def test_a_write_that_waited_too_long_is_told_so_and_not_done(tmp_path: Path) -> None:
    async with Database.open(tmp_path) as database:
        assert isinstance(database, SQLite)
        database._writer._connection.execute("PRAGMA busy_timeout=50")
        process = started(HOLDER, str(tmp_path / "inhouse.db"))
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        results = await asyncio.gather(
            *(database.write(Statement(INSERT, (f"n{number}", ""))) for number in range(3)),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [StorageBusy] * 3
        await asyncio.to_thread(process.communicate)
        await database.write(Statement(INSERT, ("after", "")))
        rows = await database.read("SELECT name FROM facts ORDER BY name")
        assert rows == [("after",), ("held",)]


async def test_a_second_server_is_refused_and_told_the_pid(tmp_path: Path) -> None:
    process = writer(tmp_path, "server", 10_000, server=True)
    assert process.stdout
    process.stdout.readline()
    with pytest.raises(DataInUse, match=rf"\(pid {process.pid}\)"):
        Database.open(tmp_path, server=True)
    async with Database.open(tmp_path) as beside:
        await beside.write(Statement(INSERT, ("beside", "")))
    process.kill()
    process.communicate()
    async with Database.open(tmp_path, server=True) as after:
        assert await after.read("SELECT 1 FROM facts WHERE name = 'beside'") == [(1,)]


async def test_the_folder_is_free_again_after_close(tmp_path: Path) -> None:
    for _ in range(2):
        async with Database.open(tmp_path, server=True):
            assert (tmp_path / "server.lock").read_text().strip() == str(os.getpid())


async def test_what_is_kept_is_for_its_owner_only(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "data", server=True):
        assert (tmp_path / "data").stat().st_mode & 0o077 == 0
        for path in (tmp_path / "data").iterdir():
            assert path.stat().st_mode & 0o077 == 0, path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_nothing_is_lost_on_a_full_disk_and_it_works_again_after(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    async with Database.open(small_disk / "data", server=True) as database:
        ballast.write_bytes(b"x" * 300_000)
        kept = set[str]()
        failed = 0
        for number in range(200):
            try:
                await database.write(Statement(INSERT, (f"n{number}", "x" * 5000)))
                kept.add(f"n{number}")
            except StorageFull:
                failed += 1
        assert kept
        assert failed
        assert {row[0] for row in await database.read("SELECT name FROM facts")} == kept
        ballast.unlink()
        await database.write(Statement(INSERT, ("after", "")))
    async with Database.open(small_disk / "data", server=True) as again:
        rows = await again.read("SELECT name FROM facts")
        assert {row[0] for row in rows} == kept | {"after"}


async def test_processes_that_open_a_new_folder_at_once_all_can(tmp_path: Path) -> None:
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        processes = [
            started(OPENER, str(folder), str(number), stdin=subprocess.PIPE) for number in range(4)
        ]
        for process in processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            await asyncio.to_thread(process.communicate)
            assert process.returncode == 0
        async with Database.open(folder, server=True) as database:
            assert await database.read("SELECT COUNT(*) FROM facts") == [(4,)]
