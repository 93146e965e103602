"""What becomes of each parameter of a request: the form of a table, and the one walk over it.

A parameter is honoured by every engine, or by engines with an ability, or here; or it is a hint; or
it is refused. Nothing is swallowed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from inhouse.engines.text import Json
from inhouse.errors import BadRequest


class Way(Enum):
    """Where a parameter goes."""

    ENGINE = "goes to the engine, which honours it"
    HERE = "is honoured here"
    HINT = "is a hint that goes to the engine, which may have something to apply it to"
    NOTED = "is a hint for the platform; the engine does not see it"
    REFUSED = "changes the result's form and cannot be honoured yet"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row: the way it goes, the ability that its engine must have, and values that ask for
    nothing.
    """

    way: Way
    ability: str | None = None
    idle: tuple[Any, ...] = ()


def select(body: Json, table: Mapping[str, Parameter], abilities: Collection[str]) -> Json:
    """The part of `body` that an engine with `abilities` gets. Nulls are left out.

    Raises BadRequest `unsupported_parameter` naming the parameter that cannot be honoured.
    """
    call: Json = {}
    for name, value in body.items():
        if value is None:
            continue
        row = table[name]
        if row.way is Way.REFUSED or (row.ability is not None and row.ability not in abilities):
            if value not in row.idle:
                raise unsupported(name)
        elif row.way is Way.ENGINE or row.way is Way.HINT:
            call[name] = value
    return call


def unsupported(name: str) -> BadRequest:
    """The 400 for a parameter that the chosen model or engine cannot honour."""
    return BadRequest(
        f"Unsupported parameter: '{name}' is not supported with this model.",
        param=name,
        code="unsupported_parameter",
    )


def unsupported_value(name: str, value: object) -> BadRequest:
    """The 400 for a value that the chosen model or engine cannot honour."""
    return BadRequest(
        f"Unsupported value: '{name}' does not support {value!r} with this model.",
        param=name,
        code="unsupported_value",
    )


def requires(body: Json, name: str, other: str, state: str) -> None:
    """Raise BadRequest if `name` is given without `other`; `state` is `is enabled` or
    `are specified`.
    """
    if body.get(name) is not None and not body.get(other):
        raise BadRequest(
            f"Invalid value for '{name}': '{name}' is only allowed when '{other}' {state}.",
            param=name,
        )
