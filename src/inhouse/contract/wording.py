"""The words of refusals, as OpenAI writes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: the message, the field at fault, the machine-readable reason."""

    message: str
    param: str
    code: str


def missing(param: str) -> Problem:
    return Problem(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def unknown(param: str) -> Problem:
    return Problem(f"Unknown parameter: '{param}'.", param, "unknown_parameter")


def wrong_type(param: str, expected: Sequence[str], value: Any) -> Problem:
    """`expected`: phrases with their article, as `a string` or `an array of objects`."""
    wanted = expected[0] if len(expected) == 1 else f"one of {_choice(expected)}"
    message = f"Invalid type for '{param}': expected {wanted}, but got {kind(value)} instead."
    return Problem(message, param, "invalid_type")


def wrong_value(param: str, value: Any, supported: Sequence[Any]) -> Problem:
    message = f"Invalid value: {quoted(value)}. "
    if len(supported) == 1:
        message += f"Value must be {quoted(supported[0])}."
    else:
        message += f"Supported values are: {_series([quoted(v) for v in supported], 'and')}."
    return Problem(message, param, "invalid_value")


def out_of_range(param: str, value: float, kind_name: str, side: str, bound: str) -> Problem:
    """`kind_name` is decimal or integer, `side` is above_max or below_min, `bound` is as `<= 2`."""
    where = "above maximum" if side == "above_max" else "below minimum"
    message = (
        f"Invalid '{param}': {kind_name} {where} value. "
        f"Expected a value {bound}, but got {value} instead."
    )
    return Problem(message, param, f"{kind_name}_{side}_value")


def wrong_length(param: str, noun: str, side: str, bound: int, length: int) -> Problem:
    """`noun` is string or array, `side` is above_max or below_min."""
    article = "an" if noun == "array" else "a"
    extreme = "maximum" if side == "above_max" else "minimum"
    if length == 0:
        fault, got, code = f"empty {noun}", f"an empty {noun}", f"empty_{noun}"
    else:
        fault = f"{noun} too {'long' if side == 'above_max' else 'short'}"
        got, code = f"{article} {noun} with length {length}", f"{noun}_{side}_length"
    message = (
        f"Invalid '{param}': {fault}. "
        f"Expected {article} {noun} with {extreme} length {bound}, but got {got} instead."
    )
    return Problem(message, param, code)


def wrong_pattern(param: str, pattern: str) -> Problem:
    message = (
        f"Invalid '{param}': string does not match pattern. "
        f"Expected a string that matches the pattern '{pattern}'."
    )
    return Problem(message, param, "invalid_value")


def wrong_count(param: str, side: str, bound: int, count: int) -> Problem:
    """Too many or too few properties in an object."""
    amount, most = ("many", "maximum") if side == "above_max" else ("few", "minimum")
    message = (
        f"Invalid '{param}': too {amount} properties. Expected an object with {most} {bound} "
        f"properties, but got an object with {count} instead."
    )
    return Problem(message, param, f"object_{side}_properties")


def long_name(param: str, name: str, bound: int) -> Problem:
    message = (
        f"Invalid '{param}': property name too long. Expected a property name with maximum length "
        f"{bound}, but got one with length {len(name)} instead."
    )
    return Problem(message, param, "property_name_above_max_length")


def kind(value: Any) -> str:
    """What a value is, with its article."""
    names = {
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a decimal",
        dict: "an object",
        list: "an array",
    }
    return "null" if value is None else names.get(type(value), "an unsupported value")


def quoted(value: Any) -> str:
    """A value of an enum or what was given for one; long ones are cut."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if not isinstance(value, str):
        return str(value)
    return f"'{value}'" if len(value) <= 200 else f"'{value[:200]}...'"


def _choice(phrases: Sequence[str]) -> str:
    """`a string or array of strings`: the first keeps its article."""
    bare = [phrases[0], *(_bare(phrase) for phrase in phrases[1:])]
    return _series(bare, "or")


def _bare(phrase: str) -> str:
    return phrase.removeprefix("an ") if phrase.startswith("an array of") else phrase


def _series(words: Sequence[str], joint: str) -> str:
    if len(words) <= 2:
        return f" {joint} ".join(words)
    return f"{', '.join(words[:-1])}, {joint} {words[-1]}"
