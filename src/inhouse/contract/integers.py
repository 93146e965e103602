"""Finds decimals where the contract wants integers.

JSON Schema counts 1.0 as an integer; OpenAI does not, and a handler that asked for an int must not
get a float. This looks only at the places where a schema has integers, so that it costs next to
nothing for most bodies.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Schema = dict[str, Any]
Suspects = Callable[[Any], bool]
"""Says whether a float stands where some branch of the schema wants an integer."""


def suspects(schema: Schema, definitions: Mapping[str, Schema]) -> Suspects | None:
    """The function for a schema; None where no integer can stand."""
    return _Plan(definitions).of(schema)


class _Plan:
    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self.definitions = definitions
        self.holding = self._holding()
        self.made: dict[str, list[Suspects]] = {}

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

    def of(self, schema: Schema) -> Suspects | None:
        if not self._holds(schema, self.holding):
            return None
        if "$ref" in schema:
            return self._reference(schema["$ref"][8:])
        if "anyOf" in schema:
            return _any([found for part in schema["anyOf"] if (found := self.of(part))])
        if _wants_integer(schema):
            return _is_float
        checks = [self._object(schema), self._array(schema)]
        return _any([check for check in checks if check])

    def _reference(self, name: str) -> Suspects:
        if name not in self.made:
            self.made[name] = slot = []
            found = self.of(self.definitions[name])
            if found:
                slot.append(found)
        slot = self.made[name]
        return slot[0] if slot else lambda value: bool(slot) and slot[0](value)

    def _object(self, schema: Schema) -> Suspects | None:
        fields = [
            (name, check)
            for name, part in schema.get("properties", {}).items()
            if (check := self.of(part))
        ]
        others = schema.get("additionalProperties")
        rest = self.of(others) if isinstance(others, dict) else None

        def check_object(value: Any) -> bool:
            if type(value) is not dict:
                return False
            for name, check in fields:
                inner = value.get(name)
                if inner is not None and check(inner):
                    return True
            return rest is not None and any(map(rest, value.values()))

        return check_object if fields or rest else None

    def _array(self, schema: Schema) -> Suspects | None:
        check = self.of(schema["items"]) if "items" in schema else None
        if check is None:
            return None
        if check is _is_float:
            return lambda value: type(value) is list and float in set(map(type, value))
        return lambda value: type(value) is list and any(map(check, value))


def _wants_integer(schema: Schema) -> bool:
    kinds = schema.get("type", ())
    return "integer" in (kinds if isinstance(kinds, list) else (kinds,)) and "number" not in kinds


def _parts(schema: Schema) -> Iterable[Schema]:
    yield from schema.get("anyOf", ())
    yield from schema.get("properties", {}).values()
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield schema[key]


def _is_float(value: Any) -> bool:
    return type(value) is float


def _any(checks: list[Suspects]) -> Suspects:
    if len(checks) == 1:
        return checks[0]
    return lambda value: any(check(value) for check in checks)
