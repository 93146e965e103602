"""The house's SQL as PostgreSQL reads it, and its values as the columns take them."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import count
from re import compile as regex

_FOR_US = regex(r"/\*!(.*?)\*/")
_TEXT = frozenset({"text", "varchar", "bpchar"})
_INTEGERS = frozenset({"int2", "int4", "int8"})

Convert = Callable[[object], object] | None


@lru_cache(maxsize=10_000)
def translated(sql: str) -> str:
    """`sql` with `$1`, `$2`, ... for its question marks, and with what stands in `/*! ... */`."""
    numbers = count(1)
    parts = _FOR_US.sub(r"\1", sql).split("?")
    return "".join(f"{part}${next(numbers)}" for part in parts[:-1]) + parts[-1]


def converter(kind: str) -> Convert:
    """What makes a value fit a parameter of the type `kind`, as SQLite's columns do; None where
    every value that fits is of the right type already.
    """
    if kind in _TEXT:
        return _as_text
    return _as_integer if kind in _INTEGERS else None


def converted(converters: Sequence[Convert], params: Sequence[object]) -> list[object]:
    """The values for one execution. ValueError if there are more or fewer than parameters."""
    return [
        value if convert is None or value is None else convert(value)
        for convert, value in zip(converters, params, strict=True)
    ]


def _as_text(value: object) -> object:
    if type(value) is bool:
        return str(int(value))
    return str(value) if isinstance(value, (int, float)) else value


def _as_integer(value: object) -> object:
    if type(value) is float and not value.is_integer():
        raise ValueError(f"{value} is no value for a column of integers")
    return int(value) if isinstance(value, (bool, float)) else value


def number(text: str) -> int | float:
    """A NUMERIC, which sums of BIGINT are, as SQLite gives it."""
    return int(text) if text.lstrip("-").isdigit() else float(text)
