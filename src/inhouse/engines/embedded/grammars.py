"""Checks grammars before a model is asked: what the engine would refuse is a 400 that says why.

The engine itself passes over a grammar that it cannot compile and generates freely, so nothing may
reach it unchecked. Checks run in llguidance, the very library that the engine compiles them with,
within its limits; the results of the last few small ones are kept.
"""

import asyncio
import importlib
from functools import lru_cache
from typing import Any

from inhouse.errors import BadRequest

_LONGEST = 400_000
"""Characters of one grammar."""
_LONGEST_REASON = 300
SMALL = 16_384
"""Characters of a grammar that compiles in a few milliseconds, and that may be kept."""
_STEPS = 32
"""Bytes of an output that are tried: what is too complex for the engine is so soon."""


def check_grammar(grammar: str, param: str) -> None:
    """Raise `BadRequest` naming `param` if the whole grammar does not compile."""
    if reason := _reason(grammar):
        message = f"The request's tools and formats together cannot be enforced: {reason}"
        raise BadRequest(message, param=param, code="invalid_grammar")


def check_schema(schema: str, what: str, param: str, code: str) -> None:
    """Likewise for the text of a JSON schema; the message begins with `what`."""
    if reason := _reason(f"start: %json {schema}"):
        raise BadRequest(f"{what}: {reason}", param=param, code=code)


def check_lark(definition: str, name: str, param: str) -> None:
    """Likewise for the Lark grammar of `name`."""
    if reason := _reason(definition):
        message = f"Invalid lark grammar for '{name}': {reason}"
        raise BadRequest(message, param=param, code="invalid_grammar")


def check_regex(pattern: str, name: str, param: str) -> None:
    """Likewise for the regular expression of `name`."""
    if reason := _reason(
        importlib.import_module("llguidance").LLMatcher.grammar_from_regex(pattern)
    ):
        message = f"Invalid regex for '{name}': {reason}"
        raise BadRequest(message, param=param, code="invalid_grammar")


def check_choice(grammar: str, param: str) -> None:
    """Likewise for the Lark grammar that a list of choices has become."""
    if reason := _reason(grammar):
        raise BadRequest(f"Invalid '{param}': {reason}", param=param, code="invalid_grammar")


def _reason(grammar: str) -> str:
    """Why the grammar cannot be enforced; empty if it can."""
    if len(grammar) > _LONGEST:
        return f"it is longer than {_LONGEST} characters."
    said = (_examined if len(grammar) <= SMALL else _examine)(grammar)
    reason = said.partition("failed to compile JSON schema: ")[2] or said
    reason = reason.partition("\n   1 |")[0]
    return " ".join(reason.split())[:_LONGEST_REASON]


def _examine(grammar: str) -> str:
    matcher: Any = importlib.import_module("llguidance").LLMatcher
    try:
        return matcher.validate_grammar(grammar) or _tried(_compile(grammar))
    except (ValueError, RuntimeError) as error:
        return str(error)


_examined = lru_cache(maxsize=256)(_examine)


def _tried(matcher: Any) -> str:
    """What the matcher fails of in the beginning of one of the outputs; empty if it does not.

    A grammar's size says little of what an engine has to hold while it follows it.
    """
    for _ in range(_STEPS):
        allowed = int.from_bytes(matcher.compute_bitmask(), "little")
        byte = (allowed & -allowed).bit_length() - 1
        if matcher.is_error() or not 0 <= byte <= 0xFF or not matcher.consume_token(byte):
            break
    if not matcher.is_error():
        return ""
    error: str = matcher.get_error()
    if error.startswith("NoExtension"):
        return "there is no output that it allows."
    return f"it is too complex to be enforced ({error.partition('<state>')[0].strip()})."


class Held:
    """A grammar that the outputs of one call are held to, compiled once. `param` names what of the
    request it comes from."""

    def __init__(self, grammar: str, param: str) -> None:
        self._grammar = grammar
        self._param = param
        self._compiling = asyncio.Lock()
        self._beginning: Any = None

    async def guard(self) -> "Guard":
        """A guard for one more choice; a large grammar is compiled beside the event loop."""
        async with self._compiling:
            if self._beginning is None:
                self._beginning = (
                    _compiled(self._grammar)
                    if len(self._grammar) <= SMALL
                    else await asyncio.to_thread(_compile, self._grammar)
                )
        return Guard(self._beginning.deep_copy(), self._param)


class Guard:
    """Follows an output and sees whether its grammar still holds.

    The engine lets go of a grammar that becomes too complex on the way, and generates freely from
    there. One per choice.
    """

    def __init__(self, matcher: Any, param: str) -> None:
        self._matcher = matcher
        self._param = param

    def follow(self, text: str) -> None:
        """Raise `BadRequest` if the grammar does not allow `text` to follow."""
        data = list(text.encode("utf-8", "replace"))
        if self._matcher.try_consume_tokens(data) < len(data):
            raise BadRequest(
                "The schema or grammar of the request became too complex to be enforced.",
                param=self._param,
                code="grammar_too_complex",
            )


def _compile(grammar: str) -> Any:
    """A matcher at the grammar's beginning, whose tokens are bytes."""
    module: Any = importlib.import_module("llguidance")
    return module.LLMatcher(_bytes(), grammar, log_level=0)


_compiled = lru_cache(maxsize=64)(_compile)


@lru_cache(maxsize=1)
def _bytes() -> Any:
    return importlib.import_module("llguidance").LLTokenizer("byte")
