"""Query strings and forms to JSON: nests bracketed names, then coerces text by a schema.

It refuses nothing: text that does not read as what is wanted stays text, and the check that follows
says so.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from inhouse.contract.parse import parse
from inhouse.errors import BadRequest

Schema = dict[str, Any]
Json = dict[str, Any]

INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})\Z", re.ASCII)
DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?\Z", re.ASCII)
NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\]){1,8})\Z")
PLACEHOLDER = "(file)"
"""Stands for a file while the rest of a form is checked."""


def nest(pairs: Iterable[tuple[str, object]]) -> Json:
    """`a[b]=1&c[]=2` to `{"a": {"b": "1"}, "c": ["2"]}`; a name given twice makes a list."""
    result: Json = {}
    for name, value in pairs:
        match = NAME.match(name)
        if match is None:
            _put(result, name, value)
            continue
        keys = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
        _insert(result, keys, value)
    return result


def _insert(target: Json, keys: list[str], value: object) -> None:
    """Walk down, making what is missing. `[]` is a list: at the end of values, else of objects."""
    for place, key in enumerate(keys):
        rest = keys[place + 1 :]
        if not rest:
            _put(target, key, value)
            return
        if rest[0] == "":
            _append(target, key, rest[1:], value)
            return
        inner = target.get(key)
        if not isinstance(inner, dict):
            inner = target[key] = {}
        target = inner


def _append(target: Json, key: str, rest: list[str], value: object) -> None:
    found = target.get(key)
    if not isinstance(found, list):
        found = target[key] = [] if found is None else [found]
    if not rest:
        found.append(value)
        return
    last = found[-1] if found else None
    if not isinstance(last, dict) or (len(rest) == 1 and rest[0] in last):
        last = {}
        found.append(last)
    _insert(last, rest, value)


def _put(target: Json, key: str, value: object) -> None:
    if key not in target:
        target[key] = value
    elif isinstance(target[key], list):
        target[key].append(value)
    else:
        target[key] = [target[key], value]


def files_replaced(value: Any) -> Any:
    """A copy in which every file is a placeholder text: what the schemas can check."""
    if isinstance(value, dict):
        return {name: files_replaced(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [files_replaced(inner) for inner in value]
    plain = value is None or isinstance(value, (str, bool, int, float))
    return value if plain else PLACEHOLDER


class Coercer:
    """Turns text into what a schema wants, using the definitions that its references name."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self.definitions = definitions

    def coerce(self, schema: Schema, value: Any) -> Any:
        """`value` with texts as numbers, booleans and lists where the schema takes no such text."""
        branches = list(self._branches(schema))
        if isinstance(value, dict):
            return self._object(branches, value)
        arrays = [branch for branch in branches if "array" in _kinds(branch)]
        if isinstance(value, list):
            items = arrays[0].get("items", {}) if arrays else {}
            return [self.coerce(items, item) for item in value]
        if not isinstance(value, str):
            return [value] if arrays and len(arrays) == len(branches) else value
        scalar = _scalar(branches, value)
        if scalar is value and value[:1] in ("{", "["):
            return _structured(branches, value)
        if scalar is value and arrays and not any(_takes_text(b, value) for b in branches):
            return [self.coerce(arrays[0].get("items", {}), value)]
        return scalar

    def _object(self, branches: list[Schema], value: Json) -> Any:
        keys = sorted(value, key=int) if all(key.isdecimal() for key in value) else []
        for branch in branches:
            if "array" in _kinds(branch) and keys and "object" not in _kinds(branch):
                return [self.coerce(branch.get("items", {}), value[key]) for key in keys]
        fields: dict[str, Schema] = {}
        others: Schema = {}
        for branch in branches:
            fields |= branch.get("properties", {})
            more = branch.get("additionalProperties")
            others = more if isinstance(more, dict) else others
        return {name: self.coerce(fields.get(name, others), inner) for name, inner in value.items()}

    def _branches(self, schema: Schema) -> Iterable[Schema]:
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"][8:]]
        if "anyOf" not in schema:
            yield schema
            return
        for branch in schema["anyOf"]:
            found = list(self._branches(branch))
            if found != [{"type": "null"}]:
                yield from found


def _scalar(branches: list[Schema], text: str) -> Any:
    if any(_takes_text(branch, text) for branch in branches):
        return text
    kinds = {kind for branch in branches for kind in _kinds(branch)}
    if "integer" in kinds and INTEGER.match(text):
        return int(text)
    if "number" in kinds and DECIMAL.match(text):
        return int(text) if INTEGER.match(text) else float(text)
    if "boolean" in kinds and text in ("true", "false"):
        return text == "true"
    return text


def _structured(branches: list[Schema], text: str) -> Any:
    """A part of a form may be JSON, as `session` of a call is."""
    kinds = {kind for branch in branches for kind in _kinds(branch)}
    if kinds & {"string"} or not kinds & {"object", "array"}:
        return text
    try:
        return parse(text.encode())
    except (BadRequest, UnicodeEncodeError):
        return text


def _takes_text(schema: Schema, text: str) -> bool:
    if "enum" in schema:
        return text in schema["enum"]
    return "string" in _kinds(schema)


def _kinds(schema: Schema) -> set[str]:
    kinds = schema.get("type", "string")
    return set(kinds) if isinstance(kinds, list) else {kinds}
