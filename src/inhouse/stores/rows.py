"""Inserts of one row each, joined to one of many rows: a statement costs more than a row."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain

from inhouse.stores.database import Statement

MOST_ROWS = 64
"""Rows of a joined insert. Every number of rows is a statement of its own to the database."""

_INSERT = re.compile(r"(INSERT INTO \w+ \([\w, ]+\) VALUES )(\((?:\?, )*\?\))")


@lru_cache(maxsize=1000)
def joinable(sql: str) -> bool:
    """Whether it inserts one row of nothing but parameters."""
    return _INSERT.fullmatch(sql) is not None


@lru_cache(maxsize=10_000)
def _of_many(sql: str, count: int) -> str:
    found = _INSERT.fullmatch(sql)
    assert found is not None  # noqa: S101 - only what is joinable comes here
    return found[1] + ", ".join([found[2]] * count)


def joined(statements: Sequence[Statement]) -> Statement:
    """Inserts of one `joinable` SQL as one statement."""
    if len(statements) == 1:
        return statements[0]
    params = tuple(chain.from_iterable([statement.params for statement in statements]))
    return Statement(_of_many(statements[0].sql, len(statements)), params)


def runs(units: Sequence[Sequence[Statement]]) -> Iterator[tuple[int, int]]:
    """From where to where the units lie that go to the database together: one each, but for
    neighbours that insert one row with the same SQL.
    """
    start, last = 0, ""
    for at, unit in enumerate(units):
        sql = unit[0].sql if len(unit) == 1 and unit[0].rows is None else ""
        if at and (not sql or sql != last or at - start == MOST_ROWS or not joinable(sql)):
            yield start, at
            start = at
        last = sql
    if units:
        yield start, len(units)


def only_inserts(unit: Sequence[Statement]) -> bool:
    """Whether the unit does nothing but insert rows of parameters."""
    return bool(unit) and all(each.rows is None and joinable(each.sql) for each in unit)


def insert_runs(units: Sequence[Sequence[Statement]]) -> Iterator[tuple[int, int]]:
    """From where to where the units lie that may go together: one each, but for neighbours that do
    nothing but insert rows of parameters, into whichever tables.
    """
    start, before = 0, False
    for at, unit in enumerate(units):
        inserts = only_inserts(unit)
        if at and not (inserts and before):
            yield start, at
            start = at
        before = inserts
    if units:
        yield start, len(units)


def grouped(units: Sequence[Sequence[Statement]]) -> list[Statement]:
    """The inserts of all `units`, those with the same SQL joined."""
    by_sql: dict[str, list[Statement]] = {}
    for unit in units:
        for statement in unit:
            by_sql.setdefault(statement.sql, []).append(statement)
    return [
        joined(statements[at : at + MOST_ROWS])
        for statements in by_sql.values()
        for at in range(0, len(statements), MOST_ROWS)
    ]
