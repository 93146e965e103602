"""Units that share transactions behave as if each were done alone, one after the other."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.stores import Database, Duplicate, Stale, Statement
from inhouse.stores.postgres.driver import Postgres
from inhouse.stores.sqlite import SQLite

Operation = tuple[str, str, int | None]
"""What to do with a name: insert or delete it, or set its value; and how many rows are expected."""

names = st.sampled_from(["a", "b", "c", "d"])
operations = st.tuples(
    st.sampled_from(["insert", "delete", "set", "fail"]), names, st.sampled_from([None, 0, 1])
)
units = st.lists(st.lists(operations, max_size=4), max_size=12)

SQL = {
    "insert": "INSERT INTO facts (name, value) VALUES (?, '')",
    "delete": "DELETE FROM facts WHERE name = ?",
    "set": "UPDATE facts SET value = value || 'x' WHERE name = ?",
    "fail": "INSERT INTO nowhere (name) VALUES (?)",
}


def expected(state: dict[str, str], unit: list[Operation]) -> tuple[dict[str, str], type | None]:
    """The state after the unit, and what it raises."""
    after = dict(state)
    for verb, name, rows in unit:
        touched = int(name in after)
        if verb == "fail":
            return state, Exception
        if verb == "insert":
            if touched:
                return state, Duplicate
            after[name] = ""
            touched = 1
        elif touched and verb == "delete":
            del after[name]
        elif touched:
            after[name] += "x"
        if rows is not None and rows != touched:
            return state, Stale
    return after, None


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(units=units)
async def test_units_in_one_transaction_are_as_if_alone(
    database: Database, units: list[list[Operation]]
) -> None:
    await database.write(Statement("DELETE FROM facts"))
    assert isinstance(database, SQLite | Postgres)
    commits = database.commits
    results = await asyncio.gather(
        *(
            database.write(*(Statement(SQL[verb], (name,), rows) for verb, name, rows in unit))
            for unit in units
        ),
        return_exceptions=True,
    )
    assert database.commits - commits <= 1  # of all, or none if nothing was to be done
    state: dict[str, str] = {}
    for unit, result in zip(units, results, strict=True):
        state, error = expected(state, unit)
        assert (result is None) if error is None else isinstance(result, error)
    assert dict(await database.read("SELECT name, value FROM facts")) == state


@pytest.mark.parametrize("space", range(2, 12))
async def test_units_are_whole_wherever_space_ends(sqlite: SQLite, space: int) -> None:
    pages = (await sqlite.read("PRAGMA page_count"))[0][0]
    sqlite._writer._connection.execute(f"PRAGMA max_page_count = {pages + space}")
    insert = "INSERT INTO facts (name, value) VALUES (?, ?)"
    sizes = [3000, 9000, 500, 20_000, 100, 6000, 2500]
    results = await asyncio.gather(
        *(
            sqlite.write(
                Statement(insert, (f"{n}-a", "x" * size)), Statement(insert, (f"{n}-b", "x" * size))
            )
            for n, size in enumerate(sizes)
        ),
        return_exceptions=True,
    )
    kept = {f"{n}-{half}" for n, result in enumerate(results) if result is None for half in "ab"}
    assert {row[0] for row in await sqlite.read("SELECT name FROM facts")} == kept
    assert await sqlite.read("PRAGMA integrity_check") == [("ok",)]
