"""What the published document adds: operations the SDK lacks, and ranges, lengths, patterns and defaults."""

import re
from collections.abc import Iterator
from typing import Any

from tools.contract.types import Schema

VERBS = ("get", "post", "put", "patch", "delete")


def shape(key: str) -> str:
    """An operation's key without the names of its path's parameters."""
    return re.sub(r"\{[^}]*\}", "{}", key)


def operations(published: dict[str, Any]) -> Iterator[tuple[str, bool, dict[str, Any]]]:
    """(key, whether it is the `?beta=true` form, the operation)."""
    for path, item in published["paths"].items():
        plain, _, question = path.partition("?")
        for verb in VERBS:
            if verb in item:
                yield f"{verb.upper()} {plain}", "beta=true" in question, item[verb]


def lacking(published: dict[str, Any], known: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The operations that only the document has. Those with a body must be written by hand: there are none today."""
    shapes = {shape(key) for key in known}
    for key, beta, operation in operations(published):
        if beta or shape(key) in shapes:
            continue
        if "requestBody" in operation:
            raise NotImplementedError(f"{key} has a body and no method in the SDK")
        words = re.sub(r"([A-Z])", r"_\1", operation["operationId"]).lower()
        yield key, {"name": words}


class Constraints:
    """Merges the document's constraints into the SDK's schemas."""

    def __init__(self, published: dict[str, Any], definitions: dict[str, Schema]) -> None:
        self.published = published
        self.definitions = definitions

    def apply(self, operations: dict[str, Any]) -> None:
        """Change the schemas in place."""
