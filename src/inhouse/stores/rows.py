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
