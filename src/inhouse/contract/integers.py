"""Finds decimals where the contract wants integers.

JSON Schema counts 1.0 as an integer; OpenAI does not, and a handler that asked for an int must not
get a float. This looks only at the places where a schema has integers, and at all branches of a
union at once, so that it costs next to nothing for most bodies.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Schema = dict[str, Any]
Suspects = Callable[[Any], bool]
"""Says whether a float stands where some branch of the schema wants an integer."""


def suspects(schema: Schema, definitions: Mapping[str, Schema]) -> Suspects | None:
    """The function for a schema; None where no integer can stand."""
    node = _Plan(definitions).node([schema])
    return None if node is None else node.suspects


class _Node:
    """What may stand at one place, in all the branches that can lead there."""

    __slots__ = ("fields", "items", "rest", "wanted")

    def __init__(self) -> None:
        self.wanted = False
        self.fields: dict[str, _Node] = {}
        self.rest: _Node | None = None
        self.items: _Node | None = None

    def suspects(self, value: Any) -> bool:
        kind = type(value)
        if kind is float:
            return self.wanted
        if kind is dict:
            return self._in_object(value)
        return kind is list and self.items is not None and self.items.in_array(value)

    def _in_object(self, value: Mapping[str, Any]) -> bool:
        fields, rest = self.fields, self.rest
        for name, inner in value.items():
            node = fields.get(name, rest)
            if node is not None and node.suspects(inner):
                return True
        return False

    def in_array(self, values: Sequence[Any]) -> bool:
        if self.fields or self.rest or self.items:
            return any(map(self.suspects, values))
        return self.wanted and float in set(map(type, values))


class _Plan:
    """Makes the nodes: one for each set of schemas that can meet at a place."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self.definitions = definitions
        self.holding = self._holding()
        self.made: dict[frozenset[int], _Node] = {}

    def node(self, schemas: Iterable[Schema]) -> _Node | None:
        """The node of a place, or None if no integer can be reached from it."""
        leaves = {id(leaf): leaf for schema in schemas for leaf in self._leaves(schema)}
        if not leaves:
            return None
        key = frozenset(leaves)
        if key not in self.made:
            self.made[key] = _Node()
            self._fill(self.made[key], list(leaves.values()))
        return self.made[key]

    def _fill(self, node: _Node, leaves: list[Schema]) -> None:
        fields: dict[str, list[Schema]] = {}
        for leaf in leaves:
            node.wanted = node.wanted or _wants_integer(leaf)
            for name, part in leaf.get("properties", {}).items():
                fields.setdefault(name, []).append(part)
        rest = [leaf["additionalProperties"] for leaf in leaves if "additionalProperties" in leaf]
        rest = [part for part in rest if isinstance(part, dict)]
        for name, parts in fields.items():
            found = self.node([*parts, *rest])
            if found is not None:
                node.fields[name] = found
        node.rest = self.node(rest)
        node.items = self.node(leaf["items"] for leaf in leaves if "items" in leaf)

    def _leaves(self, schema: Schema) -> Iterable[Schema]:
        """The alternatives of a schema from which an integer can be reached."""
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"][8:]]
        if "anyOf" in schema:
            for branch in schema["anyOf"]:
                yield from self._leaves(branch)
        elif self._holds(schema, self.holding):
            yield schema

    def _holding(self) -> set[str]:
        """The definitions from which an integer can be reached."""
        holding: set[str] = set()
        while True:
            found = {
                name
                for name, schema in self.definitions.items()
                if name not in holding and self._holds(schema, holding)
            }
            if not found:
                return holding
            holding |= found

    def _holds(self, schema: Schema, holding: set[str]) -> bool:
        if "$ref" in schema:
            return schema["$ref"][8:] in holding
        return _wants_integer(schema) or any(self._holds(part, holding) for part in _parts(schema))


def _wants_integer(schema: Schema) -> bool:
    kinds = schema.get("type", ())
    return "integer" in (kinds if isinstance(kinds, list) else (kinds,)) and "number" not in kinds


def _parts(schema: Schema) -> Iterable[Schema]:
    yield from schema.get("anyOf", ())
    yield from schema.get("properties", {}).values()
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield schema[key]
