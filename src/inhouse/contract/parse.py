"""Bytes to JSON, strictly: what this lets through can be checked, stored and sent again."""

from typing import Any

import orjson

from inhouse.errors import BadRequest

LEVELS = 200
"""Nesting beyond this is refused: encoders further on stop at 254 levels, and an answer wraps what
it echoes.
"""

HINT = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
    "your HTTP library correctly. The API expects a JSON payload, but what was sent was not valid "
    "JSON: {reason}.)"
)

_NUMBERS = frozenset({int, float})


def parse(data: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    NaN, infinite numbers, lone surrogates, invalid UTF-8, more than 200 levels and an empty body
    are refused with `BadRequest`. An integer beyond 64 bits becomes a float, which the contract
    refuses where it wants an integer.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise unreadable(_reason(data, error)) from None
    if len(data) > 2 * LEVELS and _levels(value) > LEVELS:
        raise unreadable(f"it is nested deeper than {LEVELS} levels")
    return value


def unreadable(reason: str) -> BadRequest:
    """The error for a body that is no JSON object."""
    return BadRequest(HINT.format(reason=reason))


def _reason(data: bytes, error: orjson.JSONDecodeError) -> str:
    if not data.strip():
        return "the body is empty"
    reason = str(error).partition(": line ")[0]
    if "depth" in reason or "recursion" in reason:
        return f"it is nested deeper than {LEVELS} levels"
    return f"{reason} at line {error.lineno} column {error.colno}"


def _levels(value: Any) -> int:
    """How deep a value nests; counts no further than one over the limit. Depth costs no stack."""
    level, levels = [value], 0
    while level and levels <= LEVELS:
        inner: list[Any] = []
        for part in level:
            if type(part) is dict:
                inner += part.values()
            elif type(part) is list and not _are_numbers(part):
                inner += part
        level = [part for part in inner if type(part) is dict or type(part) is list]
        levels += 1
    return levels


def _are_numbers(values: list[Any]) -> bool:
    """Whether a list holds numbers only: tokens and vectors are long and flat."""
    return bool(values) and type(values[0]) in _NUMBERS and _NUMBERS.issuperset(map(type, values))
