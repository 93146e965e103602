import asyncio
from pathlib import Path

import pytest

from inhouse.errors import ServerError
from inhouse.stores import Database, Duplicate, Stale, Statement
from inhouse.stores.connections import reading, writing
from inhouse.stores.errors import StorageFull
from inhouse.stores.sqlite import SQLite

INSERT = "INSERT INTO facts (name, value) VALUES (?, ?)"


def fact(name: str, value: str = "x") -> Statement:
    return Statement(INSERT, (name, value))


async def names(database: Database) -> set[str]:
    return {row[0] for row in await database.read("SELECT name FROM facts")}


async def test_a_write_is_on_disk_when_it_returns(sqlite: SQLite) -> None:
    await sqlite.write(fact("a"))
    other = reading(sqlite.path)
    assert other.execute("SELECT name FROM facts").fetchall() == [("a",)]
    other.close()


async def test_many_writes_at_once_share_few_commits(sqlite: SQLite) -> None:
    before = sqlite.commits
    await asyncio.gather(*(sqlite.write(fact(f"n{number}")) for number in range(2000)))
    assert len(await names(sqlite)) == 2000
    assert 1 <= sqlite.commits - before <= 20


async def test_writes_are_done_in_the_order_of_their_calls(database: Database) -> None:
    put = (
        "INSERT INTO facts (name, value) VALUES ('a', ?) ON CONFLICT (name) DO UPDATE SET value = ?"
    )
    writes = [database.write(Statement(put, (str(n), str(n)))) for n in range(500)]
    await asyncio.gather(*writes)
    assert await database.read("SELECT value FROM facts") == [("499",)]


async def test_a_failing_unit_fails_alone(database: Database) -> None:
    await database.write(fact("taken"))
    results = await asyncio.gather(
        database.write(fact("a")),
        database.write(fact("taken")),
        database.write(
            fact("b"), Statement("UPDATE facts SET value = '' WHERE name = 'no'", (), 1)
        ),
        database.write(fact("c"), Statement("INSERT INTO nowhere VALUES (1)")),
        database.write(Statement(INSERT, ("d", object()))),
        database.write(fact("e"), fact("f")),
        return_exceptions=True,
    )
    kinds = [type(result) for result in results]
    assert kinds[:3] == [type(None), Duplicate, Stale]
    assert all(isinstance(result, Exception) for result in results[3:5])
    assert results[5] is None
    assert await names(database) == {"taken", "a", "e", "f"}


async def test_a_unit_is_done_whole_or_not_at_all(database: Database) -> None:
    with pytest.raises(Duplicate):
        await database.write(fact("a"), fact("b"), fact("a"))
    assert await names(database) == set()


async def test_a_row_count_other_than_expected_is_stale(database: Database) -> None:
    await database.write(fact("a"), fact("b"))
    with pytest.raises(Stale):
        await database.write(Statement("DELETE FROM facts", (), rows=1))
    assert await names(database) == {"a", "b"}
    await database.write(Statement("DELETE FROM facts", (), rows=2))
    assert await names(database) == set()


async def test_a_write_happens_although_its_caller_is_cancelled(database: Database) -> None:
    async def write() -> None:
        await database.write(fact("a"))

    task = asyncio.create_task(write())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.write(fact("b"))
    assert await names(database) == {"a", "b"}


async def test_reads_cannot_write(database: Database) -> None:
    with pytest.raises(ServerError):
        await database.read("INSERT INTO facts (name, value) VALUES ('a', 'b')")
    assert await database.read("SELECT 1") == [(1,)]


async def test_a_wrong_query_fails_alone(database: Database) -> None:
    with pytest.raises(Exception, match="nowhere"):
        await database.read("SELECT 1 FROM nowhere")
    assert await database.read("SELECT 2") == [(2,)]


async def test_the_generation_grows_on_own_commits_before_they_return(database: Database) -> None:
    before = database.generation
    await database.write(fact("a"))
    assert database.generation > before


async def test_the_generation_stays_on_quiet_writes_and_reads(database: Database) -> None:
    before = database.generation
    await database.write(fact("a"), quiet=True)
    await database.read("SELECT 1")
    await asyncio.sleep(0.6)
    assert database.generation == before


async def test_the_generation_grows_when_another_process_commits(sqlite: SQLite) -> None:
    await sqlite.write(fact("a"), quiet=True)
    before = sqlite.generation
    other = writing(sqlite.path)
    other.execute(INSERT, ("b", "x"))
    other.close()
    for _ in range(500):
        if sqlite.generation > before:
            break
        await asyncio.sleep(0.01)
    assert sqlite.generation > before


async def test_close_finishes_what_was_submitted(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    writes = [database.write(fact(f"n{number}")) for number in range(300)]
    await database.close()
    await asyncio.gather(*writes)
    async with Database.open(tmp_path) as again:
        assert len(await names(again)) == 300


async def test_a_closed_database_refuses(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    await database.close()
    await database.close()
    with pytest.raises(RuntimeError, match="closed"):
        await database.read("SELECT 1")
    with pytest.raises(RuntimeError, match="closed"):
        await database.write(fact("a"))


def test_a_database_serves_one_loop_after_another(tmp_path: Path) -> None:
    database = Database.open(tmp_path)

    async def write(name: str) -> None:
        await database.write(fact(name))

    asyncio.run(write("a"))
    asyncio.run(write("b"))

    async def read_and_close() -> set[str]:
        found = await names(database)
        await database.close()
        return found

    assert asyncio.run(read_and_close()) == {"a", "b"}


async def test_many_reads_at_once_are_all_answered(database: Database) -> None:
    rows = await asyncio.gather(
        *(database.read("SELECT CAST(? AS BIGINT)", (n,)) for n in range(1000))
    )
    assert [row[0][0] for row in rows] == list(range(1000))


async def test_nothing_is_lost_when_space_runs_out_and_it_works_again_after(
    sqlite: SQLite,
) -> None:
    await sqlite.write(fact("before"))
    pages = (await sqlite.read("PRAGMA page_count"))[0][0]
    limit = sqlite._writer._connection.execute
    limit(f"PRAGMA max_page_count = {pages + 4}")
    results = await asyncio.gather(
        *(sqlite.write(fact(f"n{number}", "x" * 3000)) for number in range(20)),
        return_exceptions=True,
    )
    full = [result for result in results if isinstance(result, StorageFull)]
    assert full
    assert full[0].code == "storage_full"
    assert full[0].status == 503
    assert len(full) + results.count(None) == 20
    kept = {f"n{number}" for number, result in enumerate(results) if result is None}
    assert kept  # the ones that fitted are there
    assert await names(sqlite) == {"before"} | kept
    limit("PRAGMA max_page_count = 1000000")
    await sqlite.write(fact("after"))
    assert await names(sqlite) == {"before", "after"} | kept


async def test_a_unit_too_big_for_the_space_leaves_nothing(sqlite: SQLite) -> None:
    pages = (await sqlite.read("PRAGMA page_count"))[0][0]
    sqlite._writer._connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    with pytest.raises(StorageFull):
        await sqlite.write(*(fact(f"n{number}", "x" * 3000) for number in range(20)))
    await sqlite.write(fact("small"))
    assert await names(sqlite) == {"small"}
