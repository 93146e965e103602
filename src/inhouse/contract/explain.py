"""Why a value is not valid, in OpenAI's words. Runs only after a check has failed.

It walks schema and value together and names the first fault in the order: wrong kind, missing
field, unknown field, then the fields in the schema's order. In a union it picks the branch that the
value most likely meant, by its JSON kind, then by `type`, `role` and the like, then by fewest
unknown and missing fields. `find` returns None exactly when the value is valid: a test holds it
against jsonschema-rs.
"""

import math
import operator
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from inhouse.contract import wording
from inhouse.contract.wording import Problem

Schema = dict[str, Any]

DISCRIMINATORS = ("type", "role", "object", "anchor", "mode", "kind", "action")
KINDS: dict[type, tuple[str, ...]] = {
    type(None): ("null",),
    bool: ("boolean",),
    str: ("string",),
    int: ("integer", "number"),
    float: ("number",),
    list: ("array",),
    dict: ("object",),
}
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


BOUNDS = (
    ("minimum", "below_min", ">=", operator.lt),
    ("exclusiveMinimum", "below_min", ">", operator.le),
    ("maximum", "above_max", "<=", operator.gt),
    ("exclusiveMaximum", "above_max", "<", operator.ge),
)


class Explainer:
    """Explains values against schemas that share definitions."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self.definitions = definitions

    def find(self, schema: Schema, value: Any, path: str = "") -> Problem | None:
        """The first fault of `value`, or None. `path` is its place, as `messages[0].role`."""
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"][8:]]
        if "anyOf" in schema:
            return self._union(schema, value, path)
        if "type" in schema and not _is_kind(value, _kinds(schema)):
            return self._wrong_kind([schema], value, path)
        if "enum" in schema and not _among(value, schema["enum"]):
            return wording.wrong_value(path, value, _shown(schema["enum"]))
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
        found: list[Schema] = []
        for part in schema["anyOf"]:
            branch = part
            while "$ref" in branch:
                branch = self.definitions[branch["$ref"][8:]]
            found += self._branches(branch) if "anyOf" in branch else [branch]
        return found

    def _union(self, schema: Schema, value: Any, path: str) -> Problem | None:
        branches = self._branches(schema)
        fitting = [branch for branch in branches if _is_kind(value, _kinds(branch))]
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
        kinds = {kind for branch in branches for kind in _kinds(branch) if kind != "null"}
        if kinds & {"integer", "number", "boolean"} and not kinds & {"object", "array"}:
            return self._wrong_kind(branches, value, path)
        values = [value for branch in fitting for value in branch["enum"]]
        return wording.wrong_value(path, value, _shown(values))

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
            if _is_kind(value[0], self._item_kinds(branch)):
                return problem
        return self._wrong_kind(fitting, value[0], f"{path}[0]", items=True)

    def _item_kinds(self, schema: Schema) -> set[str]:
        items = schema.get("items", {})
        while "$ref" in items:
            items = self.definitions[items["$ref"][8:]]
        if "anyOf" in items:
            return {kind for branch in self._branches(items) for kind in _kinds(branch)}
        return _kinds(items)

    def _by_discriminator(
        self, branches: list[Schema], value: dict[str, Any], path: str
    ) -> list[Schema] | Problem:
        """The branches that the value's constants allow, or the constant that fits none.

        It drops no branch that is valid.
        """
        if len(branches) == 1:
            return branches
        for key in _discriminators(branches):
            having = [branch for branch in branches if _constants(branch, key)]
            if key in value:
                matching = [b for b in branches if b not in having or _has(b, key, value[key])]
                if not matching:
                    return self._no_such(having, key, value[key], path)
                branches = matching
            else:
                optional = [b for b in branches if key not in b.get("required", ())]
                branches = [b for b in optional if _anchored(b, value)]
                if not branches:
                    return wording.missing(_join(path, key))
            if len(branches) == 1:
                break
        return branches

    def _no_such(self, branches: list[Schema], key: str, value: Any, path: str) -> Problem:
        values = [v for branch in branches for v in _constants(branch, key) or ()]
        place = _join(path, key)
        if not isinstance(value, (str, bool)) or isinstance(value, bool) != isinstance(
            values[0], bool
        ):
            return wording.wrong_type(place, [wording.quoted(v) for v in _shown(values)], value)
        return wording.wrong_value(place, value, _shown(values))

    def _closest(self, branches: list[Schema], value: dict[str, Any], path: str) -> Problem | None:
        """The fault in the branch with the fewest unknown and missing fields, then the deepest."""
        found: list[tuple[int, int, int, Problem]] = []
        for number, branch in enumerate(branches):
            problem = self.find(branch, value, path)
            if problem is None:
                return None
            depth = len(re.split(r"[.\[]", problem.param))
            found.append((_distance(branch, value), -depth, number, problem))
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
            return [wording.quoted(value) for value in _shown(schema["enum"])]
        return [
            self._array_phrase(schema) if kind == "array" else ARTICLES[kind]
            for kind in sorted(_kinds(schema), key=list(ARTICLES).index)
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


def _kinds(schema: Schema) -> set[str]:
    kinds = schema.get("type")
    if kinds is None:
        return set(ARTICLES)
    return set(kinds) if isinstance(kinds, list) else {kinds}


def _is_kind(value: Any, kinds: set[str]) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return any(kind in kinds for kind in KINDS.get(type(value), ()))


def _among(value: Any, values: Sequence[Any]) -> bool:
    """True is not 1 here."""
    return any(
        value == other and isinstance(value, bool) == isinstance(other, bool) for other in values
    )


def _shown(values: Sequence[Any]) -> list[Any]:
    """An enum's values in their order, without null and without doubles."""
    return [value for value in dict.fromkeys(values) if value is not None]


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
    noun = "decimal" if "number" in _kinds(schema) else "integer"
    for keyword, side, sign, is_out in BOUNDS:
        if keyword in schema and is_out(value, schema[keyword]):
            return wording.out_of_range(path, value, noun, side, f"{sign} {schema[keyword]}")
    return None


def _constants(schema: Schema, key: str) -> list[Any] | None:
    """The values that a branch allows for a key, if it lists them."""
    return schema.get("properties", {}).get(key, {}).get("enum")


def _has(schema: Schema, key: str, value: Any) -> bool:
    return _among(value, _constants(schema, key) or ())


def _discriminators(branches: list[Schema]) -> list[str]:
    """The keys that tell branches apart: the usual ones, then those that are a constant in two."""
    listed: dict[str, int] = {}
    for branch in branches:
        for key, part in branch.get("properties", {}).items():
            if "enum" in part and (key in DISCRIMINATORS or len(_shown(part["enum"])) == 1):
                listed[key] = listed.get(key, 0) + 1
    keys = [key for key, count in listed.items() if count > 1]
    return sorted(keys, key=lambda key: (key not in DISCRIMINATORS, _order(key)))


def _order(key: str) -> int:
    return DISCRIMINATORS.index(key) if key in DISCRIMINATORS else len(DISCRIMINATORS)


def _anchored(schema: Schema, value: dict[str, Any]) -> bool:
    """Whether a value without the discriminator can mean this branch.

    It has one of the branch's other required constants, or, where there are none, of its required
    fields.
    """
    required = schema.get("required", ())
    anchors = [key for key in required if _constants(schema, key)] or required
    return not anchors or any(key in value for key in anchors)


def _distance(schema: Schema, value: dict[str, Any]) -> int:
    properties = schema.get("properties", {})
    missing = sum(key not in value for key in schema.get("required", ()))
    return missing + sum(key not in properties for key in value)
