"""Why a value is not valid, in OpenAI's words. Runs only after a check has failed.

It walks schema and value together and names the first fault in the order: wrong kind, missing
field, unknown field, then the fields in the schema's order. In a union it picks the branch that the
value most likely meant, by its JSON kind, then by `type`, `role` and the like, then by fewest
unknown and missing fields. `find` returns None exactly when the value is valid: a test holds it
against jsonschema-rs.
"""

import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from inhouse.contract import wording
from inhouse.contract.branches import anchored, constants, discriminators, distance, has
from inhouse.contract.kinds import Schema, among, is_kind, kinds_of, shown
from inhouse.contract.wording import Problem

ARTICLES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a decimal",
    "boolean": "a boolean",
    "object": "an object",
    "array": "an array",
    "null": "null",
}
PLURALS = {
    "string": "strings",
    "integer": "integers",
    "number": "decimals",
    "boolean": "booleans",
    "object": "objects",
    "array": "arrays",
    "null": "nulls",
}


LONG = 16
"""Arrays with more items than this are searched for the faulty one first."""

BOUNDS = (
    ("minimum", "below_min", ">=", operator.lt),
    ("exclusiveMinimum", "below_min", ">", operator.le),
    ("maximum", "above_max", "<=", operator.gt),
    ("exclusiveMaximum", "above_max", "<", operator.ge),
)


class Explainer:
    """Explains values against schemas that share definitions.

    `is_valid` tells quickly whether a value has no fault: in a long array only the first item that
    has one is worth a closer look.
    """

    def __init__(
        self,
        definitions: Mapping[str, Schema],
        is_valid: Callable[[Schema, Any], bool] = lambda _schema, _value: False,
    ) -> None:
        self.definitions = definitions
        self._is_valid = is_valid
        self._flat: dict[int, list[Schema]] = {}
        self._keys: dict[tuple[int, ...], list[str]] = {}

    def find(self, schema: Schema, value: Any, path: str = "") -> Problem | None:
        """The first fault of `value`, or None. `path` is its place, as `messages[0].role`."""
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"][8:]]
        if "anyOf" in schema:
            return self._union(schema, value, path)
        if "type" in schema and not is_kind(value, kinds_of(schema)):
            return self._wrong_kind([schema], value, path)
        if "enum" in schema and not among(value, schema["enum"]):
            return wording.wrong_value(path, value, shown(schema["enum"]))
        return self._within(schema, value, path)

    def _within(self, schema: Schema, value: Any, path: str) -> Problem | None:
        """The first fault of a value that is of the right kind."""
        match value:
            case bool() | None:
                return None
            case str():
                return _string(schema, value, path)
            case int() | float():
                return _number(schema, value, path)
            case list():
                return self._array(schema, value, path)
            case _:
                return self._object(schema, value, path)

    def _array(self, schema: Schema, value: list[Any], path: str) -> Problem | None:
        count = len(value)
        if count < schema.get("minItems", 0):
            return wording.wrong_length(path, "array", "below_min", schema["minItems"], count)
        if count > schema.get("maxItems", count):
            return wording.wrong_length(path, "array", "above_max", schema["maxItems"], count)
        items = schema.get("items")
        if items:
            for index, item in enumerate(value):
                if count > LONG and self._is_valid(items, item):
                    continue
                problem = self.find(items, item, f"{path}[{index}]")
                if problem:
                    return problem
        return None

    def _object(self, schema: Schema, value: dict[str, Any], path: str) -> Problem | None:
        properties: dict[str, Schema] = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                return wording.missing(_join(path, name))
        if schema.get("additionalProperties") is False and not value.keys() <= properties.keys():
            unknown = next(name for name in value if name not in properties)
            return wording.unknown(_join(path, unknown))
        for name, part in properties.items():
            if name in value:
                problem = self.find(part, value[name], _join(path, name))
                if problem:
                    return problem
        return self._properties(schema, value, path)

    def _properties(self, schema: Schema, value: dict[str, Any], path: str) -> Problem | None:
        """What concerns the names and the values that no property describes."""
        count = len(value)
        if count > schema.get("maxProperties", count):
            return wording.wrong_count(path, "above_max", schema["maxProperties"], count)
        if count < schema.get("minProperties", 0):
            return wording.wrong_count(path, "below_min", schema["minProperties"], count)
        longest = schema.get("propertyNames", {}).get("maxLength")
        others = schema.get("additionalProperties")
        properties = schema.get("properties", {})
        for name, inner in value.items():
            if longest is not None and len(name) > longest:
                return wording.long_name(path, name, longest)
            if others and isinstance(others, dict) and name not in properties:
                problem = self.find(others, inner, _join(path, name))
                if problem:
                    return problem
        return None

    def _branches(self, schema: Schema) -> list[Schema]:
        """The members of a union, with unions within unions and references laid flat."""
        known = self._flat.get(id(schema))
        if known is not None:
            return known
        found: list[Schema] = self._flat.setdefault(id(schema), [])
        for part in schema["anyOf"]:
            branch = part
            while "$ref" in branch:
                branch = self.definitions[branch["$ref"][8:]]
            found += self._branches(branch) if "anyOf" in branch else [branch]
        return found

    def _union(self, schema: Schema, value: Any, path: str) -> Problem | None:
        branches = self._branches(schema)
        fitting = [branch for branch in branches if is_kind(value, kinds_of(branch))]
        if not fitting:
            return self._wrong_kind(branches, value, path)
        if isinstance(value, dict):
            chosen = self._by_discriminator(fitting, value, path)
            if isinstance(chosen, Problem):
                return chosen
            return self._closest(chosen, value, path)
        if isinstance(value, list):
            return self._array_union(branches, fitting, value, path)
        problems = [self.find(branch, value, path) for branch in fitting]
        if None in problems:
            return None
        return self._scalar_union(branches, fitting, value, path) or problems[0]

    def _scalar_union(
        self, branches: list[Schema], fitting: list[Schema], value: Any, path: str
    ) -> Problem | None:
        """`'auto'` or an integer, given `'many'`: neither the one nor the other."""
        if not all("enum" in branch for branch in fitting):
            return None
        kinds = {kind for branch in branches for kind in kinds_of(branch) if kind != "null"}
        if kinds & {"integer", "number", "boolean"} and not kinds & {"object", "array"}:
            return self._wrong_kind(branches, value, path)
        values = [value for branch in fitting for value in branch["enum"]]
        return wording.wrong_value(path, value, shown(values))

    def _array_union(
        self, branches: list[Schema], fitting: list[Schema], value: list[Any], path: str
    ) -> Problem | None:
        """Several kinds of arrays: the one whose items are of the first item's kind is meant."""
        problems = [self.find(branch, value, path) for branch in fitting]
        if None in problems:
            return None
        if len(fitting) == 1 or not value:
            return problems[0]
        for branch, problem in zip(fitting, problems, strict=True):
            if is_kind(value[0], self._item_kinds(branch)):
                return problem
        return self._wrong_kind(fitting, value[0], f"{path}[0]", items=True)

    def _item_kinds(self, schema: Schema) -> set[str]:
        items = schema.get("items", {})
        while "$ref" in items:
            items = self.definitions[items["$ref"][8:]]
        if "anyOf" in items:
            return {kind for branch in self._branches(items) for kind in kinds_of(branch)}
        return kinds_of(items)

    def _by_discriminator(
        self, branches: list[Schema], value: dict[str, Any], path: str
    ) -> list[Schema] | Problem:
        """The branches that the value's constants allow, or the constant that fits none.

        It drops no branch that is valid.
        """
        if len(branches) == 1:
            return branches
        for key in self._discriminators(branches):
            having = [branch for branch in branches if constants(branch, key)]
            if key in value:
                matching = [b for b in branches if b not in having or has(b, key, value[key])]
                if not matching:
                    return self._no_such(having, key, value[key], path)
                branches = matching
            else:
                optional = [b for b in branches if key not in b.get("required", ())]
                branches = [b for b in optional if anchored(b, value)]
                if not branches:
                    return wording.missing(_join(path, key))
            if len(branches) == 1:
                break
        return branches

    def _discriminators(self, branches: list[Schema]) -> list[str]:
        union = tuple(map(id, branches))
        if union not in self._keys:
            self._keys[union] = discriminators(branches)
        return self._keys[union]

    def _no_such(self, branches: list[Schema], key: str, value: Any, path: str) -> Problem:
        values = [v for branch in branches for v in constants(branch, key) or ()]
        place = _join(path, key)
        if not isinstance(value, (str, bool)) or isinstance(value, bool) != isinstance(
            values[0], bool
        ):
            return wording.wrong_type(place, [wording.quoted(v) for v in shown(values)], value)
        return wording.wrong_value(place, value, shown(values))

    def _closest(self, branches: list[Schema], value: dict[str, Any], path: str) -> Problem | None:
        """The fault in the branch with the fewest unknown and missing fields, then the deepest."""
        found: list[tuple[int, int, int, Problem]] = []
        for number, branch in enumerate(branches):
            problem = self.find(branch, value, path)
            if problem is None:
                return None
            depth = len(re.split(r"[.\[]", problem.param))
            found.append((distance(branch, value), -depth, number, problem))
        return min(found, key=lambda entry: entry[:3])[3]

    def _wrong_kind(
        self, branches: list[Schema], value: Any, path: str, *, items: bool = False
    ) -> Problem:
        if items:
            kinds = {
                kind: None
                for branch in branches
                for kind in sorted(self._item_kinds(branch) - {"null"})
            }
            return wording.wrong_type(path, [ARTICLES[kind] for kind in kinds], value)
        phrases = [phrase for branch in branches for phrase in self._phrases(branch)]
        unique = list(dict.fromkeys(phrases))
        return wording.wrong_type(path, unique or ["null"], value)

    def _phrases(self, schema: Schema) -> list[str]:
        """How a schema is named in `expected ...`."""
        if "enum" in schema:
            return [wording.quoted(value) for value in shown(schema["enum"])]
        return [
            self._array_phrase(schema) if kind == "array" else ARTICLES[kind]
            for kind in sorted(kinds_of(schema), key=list(ARTICLES).index)
            if kind != "null"
        ]

    def _array_phrase(self, schema: Schema) -> str:
        kinds = self._item_kinds(schema) - {"null"}
        if len(kinds) != 1:
            return "an array" if not kinds or len(kinds) > 3 else f"an array of {_plurals(kinds)}"
        (kind,) = kinds
        if kind == "array":
            inner = self._array_phrase(schema["items"]).removeprefix("an array")
            return f"an array of arrays{inner}"
        return f"an array of {PLURALS[kind]}"


def _plurals(kinds: set[str]) -> str:
    return " or ".join(PLURALS[kind] for kind in PLURALS if kind in kinds)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _string(schema: Schema, value: str, path: str) -> Problem | None:
    length = len(value)
    if length < schema.get("minLength", 0):
        return wording.wrong_length(path, "string", "below_min", schema["minLength"], length)
    if length > schema.get("maxLength", length):
        return wording.wrong_length(path, "string", "above_max", schema["maxLength"], length)
    pattern = schema.get("pattern")
    if pattern and not _compiled(pattern).search(value):
        return wording.wrong_pattern(path, pattern)
    return None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    """As ECMA reads it: `$` is the very end, classes are ASCII."""
    ending = pattern.endswith("$") and not pattern.endswith("\\$")
    return re.compile(pattern[:-1] + r"\Z" if ending else pattern, re.ASCII)


def _number(schema: Schema, value: float, path: str) -> Problem | None:
    noun = "decimal" if "number" in kinds_of(schema) else "integer"
    for keyword, side, sign, is_out in BOUNDS:
        if keyword in schema and is_out(value, schema[keyword]):
            return wording.out_of_range(path, value, noun, side, f"{sign} {schema[keyword]}")
    return None
