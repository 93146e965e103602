"""What only PostgreSQL has: other processes, a server that restarts, an address with a password."""

import asyncio
import time
from collections.abc import AsyncGenerator

import asyncpg
import pytest
from tests.stores import postgres as pg

from inhouse.errors import APIError
from inhouse.settings import Settings, SettingsError, load
from inhouse.stores import Database, DataTooNew, Statement, migrations
from inhouse.stores.errors import DatabaseError, StorageBusy, StorageUnavailable
from inhouse.stores.postgres import migrate
from inhouse.stores.postgres.address import Address
from inhouse.stores.postgres.driver import Postgres

INSERT = "INSERT INTO facts (name, value) VALUES (?, '')"


def fact(name: str) -> Statement:
    return Statement(INSERT, (name,))


@pytest.fixture
async def database(postgres_url: str) -> AsyncGenerator[Postgres]:
    async with Postgres(postgres_url) as opened:
        await opened.listening()
        yield opened


@pytest.fixture
async def other(postgres_url: str) -> AsyncGenerator[Postgres]:
    """Another process's, as far as the database can tell."""
    async with Postgres(postgres_url) as opened:
        await opened.listening()
        yield opened


async def names(database: Database) -> set[str]:
    return {row[0] for row in await database.read("SELECT name FROM facts")}


async def test_a_wake_up_reaches_another_process(database: Postgres, other: Postgres) -> None:
    with other.watch("run:1") as watch, other.watch("run:2") as deaf:
        await database.write(fact("a"), quiet=True, wakes=["run:1"])
        assert await watch.wait(2)
        assert not await deaf.wait(0.05)
        assert await names(other) == {"a"}


async def test_many_wake_ups_in_one_write_all_arrive(database: Postgres, other: Postgres) -> None:
    wakes = [f"run:{number}" for number in range(1000)]
    with other.watch(wakes[0]) as first, other.watch(wakes[-1]) as last:
        await database.write(fact("a"), wakes=wakes)
        assert await first.wait(2)
        assert await last.wait(2)


async def test_a_commit_of_another_process_changes_the_generation(
    database: Postgres, other: Postgres
) -> None:
    before = other.generation
    await database.write(fact("a"), quiet=True)
    await asyncio.sleep(0.1)
    assert other.generation == before
    await database.write(fact("b"))
    await asyncio.sleep(0.5)
    assert other.generation > before


async def test_a_refused_write_wakes_nobody(database: Postgres, other: Postgres) -> None:
    with other.watch("run:1") as watch:
        stale = Statement("DELETE FROM facts", (), rows=1)
        with pytest.raises(APIError):
            await database.write(stale, wakes=["run:1"])
        assert not await watch.wait(0.2)


async def test_sessions_that_an_operator_ends_are_replaced(
    database: Postgres, postgres_url: str
) -> None:
    await database.write(fact("a"))
    await names(database)
    operator = await asyncpg.connect(postgres_url)
    await operator.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await operator.close()
    await asyncio.gather(database.write(fact("b")), names(database))
    assert await names(database) == {"a", "b"}
    await asyncio.sleep(0.5)
    await asyncio.wait_for(database.listening(), 5)


async def test_a_write_waits_for_a_locked_row_only_so_long(
    database: Postgres, postgres_url: str
) -> None:
    await database.write(fact("held"))
    operator = await asyncpg.connect(postgres_url)
    transaction = operator.transaction()
    await transaction.start()
    await operator.execute("UPDATE facts SET value = 'x' WHERE name = 'held'")
    change = Statement("UPDATE facts SET value = 'y' WHERE name = 'held'", (), rows=1)
    started = time.monotonic()
    results = await asyncio.gather(
        database.write(change), database.write(fact("free")), return_exceptions=True
    )
    assert isinstance(results[0], StorageBusy)
    assert results[1] is None
    assert time.monotonic() - started < 10
    await transaction.rollback()
    await operator.close()
    await database.write(change)


async def test_no_acknowledged_write_is_lost_or_doubled_when_the_server_restarts(
    own_postgres: pg.Server,
) -> None:
    with own_postgres.database() as url:
        async with Postgres(url) as database:
            acknowledged, refused = set[str](), list[BaseException]()
            stop = asyncio.Event()

            async def lane(lane: int) -> None:
                number = 0
                while not stop.is_set():
                    number += 1
                    name = f"{lane}-{number}"
                    try:
                        # A unit that was done twice would be a Duplicate.
                        await database.write(fact(name), fact(f"{name}-too"))
                        acknowledged.add(name)
                    except APIError as error:
                        refused.append(error)
                        await asyncio.sleep(0.01)

            lanes = [asyncio.create_task(lane(number)) for number in range(8)]
            for mode in ("fast", "immediate", "fast"):
                await asyncio.sleep(0.3)
                await asyncio.to_thread(own_postgres.control, "stop", "-m", mode)
                await asyncio.sleep(0.1)
                await asyncio.to_thread(own_postgres.control, "start")
            await asyncio.sleep(0.5)
            stop.set()
            await asyncio.wait_for(asyncio.gather(*lanes), 30)
            found = await names(database)
            assert acknowledged
            assert acknowledged <= found
            assert {f"{name}-too" for name in acknowledged} <= found
            assert all(error.status == 503 for error in refused if isinstance(error, APIError))


async def test_a_stopped_server_refuses_within_seconds_and_works_again_after(
    own_postgres: pg.Server,
) -> None:
    with own_postgres.database() as url:
        async with Postgres(url) as database:
            await database.write(fact("a"))
            await asyncio.to_thread(own_postgres.control, "stop", "-m", "fast")
            started = time.monotonic()
            asked = [names(database) for _ in range(30)]
            writes = [database.write(fact(f"n{number}")) for number in range(30)]
            results = await asyncio.gather(*asked, *writes, return_exceptions=True)
            assert {type(result) for result in results} == {StorageUnavailable}
            assert time.monotonic() - started < 10
            await asyncio.to_thread(own_postgres.control, "start")
            await database.write(fact("b"))
            assert await names(database) == {"a", "b"}


def test_a_database_out_of_reach_is_a_clear_error_without_the_password() -> None:
    started = time.monotonic()
    with pytest.raises(DatabaseError) as caught:
        Postgres("postgresql://me:very-secret@127.0.0.1:9/inhouse")
    assert time.monotonic() - started < 10
    assert "127.0.0.1:9/inhouse" in str(caught.value)
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:very-secret@127.0.0.1:9/x?sslmode=bogus",
        "postgresql://me@127.0.0.1:9/x?sslmode=bogus&password=very-secret",
    ],
)
def test_a_url_that_cannot_be_used_is_told_without_the_password(url: str) -> None:
    with pytest.raises(DatabaseError, match="a part of its URL") as caught:
        Postgres(url)
    assert "very-secret" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_processes_that_open_a_new_database_at_once_all_can(postgres: pg.Server) -> None:
    with postgres.database() as url:
        opened = await asyncio.gather(*(asyncio.to_thread(Postgres, url) for _ in range(4)))
        for number, database in enumerate(opened):
            await database.write(fact(str(number)))
        assert await names(opened[0]) == {"0", "1", "2", "3"}
        for database in opened:
            await database.close()


async def test_a_database_of_a_newer_version_is_refused(
    database: Postgres, postgres_url: str
) -> None:
    await database.write(
        Statement("INSERT INTO migrations (number, name, applied) VALUES (9999, 'future', 0)")
    )
    with pytest.raises(DataTooNew, match="newer version"):
        Postgres(postgres_url)


async def test_an_older_database_is_migrated_and_keeps_its_rows(postgres: pg.Server) -> None:
    with postgres.database() as url:
        migrate.migrated(Address(url), migrations.known("postgres")[:1])
        postgres.do("INSERT INTO facts VALUES ('a', 'b')", name=url.split("?")[0].split("/")[-1])
        async with Postgres(url) as database:
            assert await names(database) == {"a"}
            rows = await database.read("SELECT MAX(number) FROM migrations")
            assert rows == [(len(migrations.known()),)]


async def test_both_dialects_have_the_same_steps_tables_and_columns(
    database: Postgres, sqlite: Database
) -> None:
    steps = [[(m.number, m.name) for m in migrations.known(d)] for d in ("sqlite", "postgres")]
    assert steps[0] == steps[1]
    there = await database.read(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = current_schema()"
    )
    here = await sqlite.read(
        "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c"
        " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
    )
    assert set(here) == {(str(table), str(column)) for table, column in there}


def test_a_secret_is_required_and_the_password_is_never_shown() -> None:
    url = "postgresql://me:very-secret@db.example/inhouse"
    with pytest.raises(SettingsError, match="INHOUSE_SECRET"):
        load({"INHOUSE_DATABASE_URL": url}, {})
    settings = Settings(database_url=url, secret=("0123456789abcdef",))
    assert "very-secret" not in repr(settings)
    assert str(Address(url)) == "db.example/inhouse"
    with pytest.raises(SettingsError) as caught:
        load({"INHOUSE_DATABASE_URL": "mysql://me:very-secret@db/x"}, {})
    assert "very-secret" not in str(caught.value)
