import sqlite3
from pathlib import Path

import pytest

from inhouse.stores import Database, DataFolderError, DataInUse, DataTooNew, Statement, migrations
from inhouse.stores.lock import ServerLock
from inhouse.stores.migrations import Migration

FIRST = migrations.known()[0]
NEXT = Migration(
    FIRST.number + 1, "next", "CREATE TABLE next (a TEXT);\n-- done;\nDROP TABLE next;\n"
)


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [migration.number for migration in migrations.known()]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_new_folder_gets_all_of_them(tmp_path: Path) -> None:
    async with Database.open(tmp_path) as database:
        rows = await database.read("SELECT number, name FROM migrations ORDER BY number")
    assert rows == [(step.number, step.name) for step in migrations.known()]
    assert migrations.applied(tmp_path / "inhouse.db") == len(migrations.known())


async def test_a_folder_written_by_a_newer_version_is_refused_and_left_alone(
    tmp_path: Path,
) -> None:
    async with Database.open(tmp_path) as database:
        await database.write(
            Statement("INSERT INTO migrations (number, name, applied) VALUES (9999, 'future', 0)")
        )
    before = (tmp_path / "inhouse.db").read_bytes()
    for server in (True, False):
        with pytest.raises(DataTooNew, match="newer version"):
            Database.open(tmp_path, server=server)
    assert (tmp_path / "inhouse.db").read_bytes() == before
    ServerLock(tmp_path).take().release()  # and not left locked


def test_an_older_folder_is_migrated_and_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "inhouse.db"
    old = migrations.migrated(path, None, [FIRST])
    old.execute("INSERT INTO facts (name, value) VALUES ('a', 'b')")
    old.close()
    new = migrations.migrated(path, ServerLock(tmp_path), [FIRST, NEXT])
    assert new.execute("SELECT name, value FROM facts").fetchall() == [("a", "b")]
    assert new.execute("SELECT MAX(number) FROM migrations").fetchone() == (NEXT.number,)
    new.close()
    with pytest.raises(DataTooNew):
        migrations.migrated(path, None, [FIRST])


def test_a_failing_migration_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "inhouse.db"
    migrations.migrated(path, None, [FIRST]).close()
    broken = Migration(
        NEXT.number, "broken", "CREATE TABLE half (a TEXT);\nSELECT no FROM where_;\n"
    )
    with pytest.raises(DataFolderError, match="where_"):
        migrations.migrated(path, None, [FIRST, broken])
    connection = sqlite3.connect(path)
    assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'half'").fetchall()
    connection.close()
    assert migrations.applied(path) == FIRST.number


def test_a_command_does_not_migrate_under_a_running_older_server(tmp_path: Path) -> None:
    path = tmp_path / "inhouse.db"
    migrations.migrated(path, None, [FIRST]).close()
    server = ServerLock(tmp_path).take()
    with pytest.raises(DataInUse, match="older version"):
        migrations.migrated(path, ServerLock(tmp_path), [FIRST, NEXT], patience=0.05)
    assert migrations.applied(path) == FIRST.number
    server.release()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inhouse.db").write_text("hello, I am a text file, and a rather long one" * 20)
    with pytest.raises(DataFolderError, match="not a database"):
        Database.open(tmp_path, server=True)
    ServerLock(tmp_path).take().release()


def test_a_migration_that_ends_within_a_statement_is_refused(tmp_path: Path) -> None:
    torn = Migration(NEXT.number, "torn", "CREATE TABLE half (a TEXT")
    with pytest.raises(ValueError, match="ends within a statement"):
        migrations.migrated(tmp_path / "inhouse.db", None, [FIRST, torn])
