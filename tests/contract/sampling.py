"""Calls of every method of the official client, with values made up from its types."""

import functools
import inspect
import types
import typing
from datetime import UTC, datetime
from typing import Any

import typing_extensions
from openai import NotGiven, Omit, OpenAI
from tools.contract.sdk import Method
from tools.contract.types import fields_of, is_file, is_object

NOT_SENT = {"extra_headers", "extra_query", "extra_body", "timeout", "self"}
NOT_SENT |= {"output_type", "tool_handlers"}  # used in the client itself
WRAPPERS = (typing.Annotated, typing.Required, typing_extensions.Required)
VALUES: dict[str, Any] = {
    "max_output_tokens": 16,
    "max_completion_tokens": 256,
    "max_prompt_tokens": 256,
    "max_chunk_size_tokens": 800,
    "chunk_overlap_tokens": 400,
    "compact_threshold": 1000,
    "idle_timeout_ms": 5000,
    "tunnel_id": "tunnel_" + "0" * 32,
}
"""Values of fields whose ranges or patterns the plain ones do not meet."""

SCALARS: dict[Any, Any] = {
    str: "text",
    int: 1,
    float: 0.5,
    bool: True,
    object: {"a": 1},
    Any: {"a": 1},
    bytes: b"data",
    dict: {"a": 1},
    datetime: datetime(2026, 1, 1, tzinfo=UTC),
}


def sample(hint: Any, turn: int, values: dict[str, Any], name: str = "", depth: int = 0) -> Any:
    """A value of a type. `turn` picks the branches of unions and the values of literals."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    again = functools.partial(sample, turn=turn, values=values, name=name, depth=depth + 1)
    if origin in WRAPPERS:
        return again(arguments[0])
    if is_file(hint, origin):
        return ("folder/name.txt", b"data")
    if hint in SCALARS or origin is typing.Literal:
        plain = arguments[turn % len(arguments)] if arguments else SCALARS[hint]
        return values.get(name, plain) if hint in (int, str) else plain
    if origin in (typing.Union, types.UnionType):
        members = [m for m in arguments if m not in (type(None), Omit, NotGiven)]
        return again(members[turn % len(members)])
    if is_object(hint):
        return {
            field.python: sample(field.hint, turn, values, field.python, depth + 1)
            for field in fields_of(hint)
            if field.required or depth < 8
        }
    inner = again(arguments[-1])
    return {"key": inner} if "dict" in str(origin) or "Mapping" in str(origin) else [inner]


def arguments(
    function: Any, turn: int, values: dict[str, Any], *, all_of_them: bool
) -> dict[str, Any]:
    """What to call a method with."""
    plain = inspect.unwrap(function)
    overloads = typing_extensions.get_overloads(plain) or [plain]
    chosen = overloads[turn % len(overloads)]
    hints = typing.get_type_hints(chosen, include_extras=True)
    found: dict[str, Any] = {}
    for name, parameter in inspect.signature(chosen).parameters.items():
        if name not in NOT_SENT and (all_of_them or parameter.default is parameter.empty):
            found[name] = sample(hints[name], turn, values, name)
    return found


def call(client: OpenAI, method: Method, turn: int, *, all_of_them: bool) -> None:
    function = functools.reduce(getattr, method.name.split("."), client)
    values = {**VALUES, "seconds": 600 if "chatkit" in method.name else 3600}
    result = function(**arguments(function, turn, values, all_of_them=all_of_them))
    if hasattr(result, "__next__"):
        next(result, None)
