"""Checks grammars before a model is asked: what the engine would refuse is a 400 that says why.

The engine itself passes over a grammar that it cannot compile and generates freely, so nothing may
reach it unchecked. Checks run in llguidance, the very library that the engine compiles them with,
within its limits on size; the results of the last few are kept.
"""

import importlib
from functools import lru_cache
from typing import Any

from inhouse.errors import BadRequest, ServerError

_LONGEST = 400_000
"""Characters of one grammar."""
_LONGEST_REASON = 300


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


def _reason(grammar: str) -> str:
    """Why the grammar does not compile; empty if it does."""
    if len(grammar) > _LONGEST:
        return f"it is longer than {_LONGEST} characters."
    said = _validated(grammar)
    reason = said.partition("failed to compile JSON schema: ")[2] or said
    reason = reason.partition("\n   1 |")[0]
    return " ".join(reason.split())[:_LONGEST_REASON]


@lru_cache(maxsize=256)
def _validated(grammar: str) -> str:
    matcher: Any = importlib.import_module("llguidance").LLMatcher
    try:
        return matcher.validate_grammar(grammar)
    except (ValueError, RuntimeError) as error:
        return str(error)


class Guard:
    """Follows an output and sees whether its grammar still holds.

    The engine lets go of a grammar that becomes too complex on the way, and generates freely from
    there. One per choice.
    """

    def __init__(self, grammar: str) -> None:
        self._matcher: Any = _compiled(grammar).deep_copy()

    def follow(self, text: str) -> None:
        """Raise `ServerError` if the grammar does not allow `text` to follow."""
        data = list(text.encode("utf-8", "replace"))
        if self._matcher.try_consume_tokens(data) < len(data):
            raise ServerError(
                "The schema or grammar of the request became too complex to be enforced.",
                code="grammar_too_complex",
            )


@lru_cache(maxsize=64)
def _compiled(grammar: str) -> Any:
    """A matcher at the grammar's beginning, whose tokens are bytes."""
    module: Any = importlib.import_module("llguidance")
    return module.LLMatcher(_bytes(), grammar, log_level=0)


@lru_cache(maxsize=1)
def _bytes() -> Any:
    return importlib.import_module("llguidance").LLTokenizer("byte")
