"""A data folder of the first release, opened by this version."""

from pathlib import Path

from inhouse.stores import Database, migrations

ROWS = 3


def _filled(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Make the database as the first release did, with rows in all tables; what is in them."""
    connection = migrations.migrated(path, None, migrations.known()[:1])
    connection.execute("PRAGMA foreign_keys=OFF")
    names = [
        row[0]
        for row in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'migrations'"
        )
    ]
    kept = dict[str, list[tuple[object, ...]]]()
    for name in names:
        listed = "SELECT type FROM pragma_table_info(?)"
        columns = connection.execute(listed, (name,)).fetchall()
        for number in range(1, ROWS + 1):
            values = [f"{name}-{number}" if kind == "TEXT" else number for (kind,) in columns]
            places = ", ".join("?" * len(values))
            connection.execute(f"INSERT INTO {name} VALUES ({places})", values)  # noqa: S608
        kept[name] = connection.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608
    connection.close()
    return kept


async def test_a_folder_of_the_first_release_keeps_all_its_rows(tmp_path: Path) -> None:
    kept = _filled(tmp_path / "inhouse.db")
    assert {"keys", "objects", "usage"} <= kept.keys()
    async with Database.open(tmp_path, server=True) as database:
        for name, rows in kept.items():
            found = await database.read(f"SELECT * FROM {name}")  # noqa: S608
            assert [row[: len(rows[0])] for row in found] == rows, name
        numbers = await database.read("SELECT COUNT(*) FROM migrations")
    assert numbers == [(len(migrations.known()),)]
