"""What kinds of JSON a schema takes, and whether a value is one of them."""

import math
from collections.abc import Sequence
from typing import Any

Schema = dict[str, Any]

KINDS: dict[type, tuple[str, ...]] = {
    type(None): ("null",),
    bool: ("boolean",),
    str: ("string",),
    int: ("integer", "number"),
    float: ("number",),
    list: ("array",),
    dict: ("object",),
}
ALL = frozenset(kind for names in KINDS.values() for kind in names)


def kinds_of(schema: Schema) -> set[str]:
    """The kinds that a schema takes, by JSON Schema's names; all if it does not say."""
    kinds = schema.get("type")
    if kinds is None:
        return set(ALL)
    return set(kinds) if isinstance(kinds, list) else {kinds}


def is_kind(value: Any, kinds: set[str]) -> bool:
    """Whether a value is of one of some kinds. NaN is of none, and 1.0 is no integer."""
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return any(kind in kinds for kind in KINDS.get(type(value), ()))


def among(value: Any, values: Sequence[Any]) -> bool:
    """Whether a value is one of some. True is not 1 here."""
    return any(
        value == other and isinstance(value, bool) == isinstance(other, bool) for other in values
    )


def shown(values: Sequence[Any]) -> list[Any]:
    """An enum's values in their order, without null and without doubles."""
    return [value for value in dict.fromkeys(values) if value is not None]
