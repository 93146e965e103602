"""Applies `overlay.toml`: what neither the SDK nor the published document says in a form that a
program can read.
"""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any

from tools.contract.merge import PREFIX
from tools.contract.types import OPEN, Schema, Types, nullable

Rules = dict[str, Any]
Records = dict[str, Any]


def apply_before(rules: Rules, records: Records, types: Types) -> None:
    """Bodies that the SDK makes by hand come first, so that the document's constraints reach them
    too.
    """
    types.definitions.update(rules.get("definitions", {}))
    for rule in rules.get("bodies", ()):
        body = records[rule["operation"]].setdefault(
            "body", {"type": "object", "properties": {}, "additionalProperties": False}
        )
        fields = dict(rule.get("fields", {}))
        for name, place in rule.get("types", {}).items():
            module, _, member = place.rpartition(".")
            fields[name] = types.schema(getattr(import_module(module), member))
        for name, schema in fields.items():
            body["properties"][name] = schema if name in rule["required"] else nullable(schema)
        body["required"] = rule["required"]


def apply_after(rules: Rules, records: Records, definitions: dict[str, Schema]) -> None:
    """The rules with the last word. One that finds no place is an error: the SDK has changed."""
    places = _Places(records, definitions)
    for rule in rules.get("rules", ()):
        for at in _listed(rule["at"]):
            found = list(places.find(at, rule.get("when", {})))
            if not found:
                raise LookupError(f"overlay: nothing at {at}")
            for owner, name, schema in found:
                _change(rule, owner, name, schema)
    for rule in rules.get("undocumented", ()):
        key, _, name = rule["at"].partition("#")
        owner = records[key]["body"] if key in records else definitions[key]
        owner["properties"][name] = rule["field"]
    for rule in rules.get("extensions", ()):
        for key in rule["at"]:
            records[key]["body"]["properties"][rule["name"]] = rule["field"]
            records[key].setdefault("extensions", []).append(rule["name"])


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


Place = tuple[Schema, str, Schema]
"""The object that has a field, the field's name, and its schema."""


class _Places:
    """Finds the places that a rule names."""

    def __init__(self, records: Records, definitions: dict[str, Schema]) -> None:
        self.definitions = definitions
        self.objects: list[tuple[str, Schema]] = []
        for key, record in records.items():
            for part in (record, record.get("beta", {})):
                self.objects += [(key, part[name]) for name in ("body", "query") if name in part]
        self.objects += [(name.removesuffix(OPEN), schema) for name, schema in definitions.items()]

    def find(self, at: str, when: Schema) -> Iterator[Place]:
        pattern, _, path = at.partition("#")
        steps = re.findall(r"\[\]|[^.\[\]]+", path)
        for name, schema in self.objects:
            if fnmatchcase(name, pattern):
                for place in self._walk(schema, steps):
                    if all(place[2].get(key) == value for key, value in when.items()):
                        yield place

    def _walk(self, schema: Schema, steps: list[str]) -> Iterator[Place]:
        for leaf in self._leaves(schema):
            inner, name = self._step(leaf, steps[0])
            if inner is None:
                continue
            if len(steps) == 1:
                yield leaf, name, inner
            else:
                yield from self._walk(inner, steps[1:])

    def _step(self, leaf: Schema, step: str) -> tuple[Schema | None, str]:
        if step == "[]":
            return leaf.get("items"), ""
        if step == "*":
            return leaf.get("additionalProperties"), ""
        return leaf.get("properties", {}).get(step), step

    def _leaves(self, schema: Schema) -> Iterator[Schema]:
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"].removeprefix(PREFIX)]
        if "anyOf" in schema:
            for branch in schema["anyOf"]:
                yield from self._leaves(branch)
        else:
            yield schema


def _change(rule: Rules, owner: Schema, name: str, schema: Schema) -> None:
    schema.update(rule.get("set", {}))
    for keyword in rule.get("drop", ()):
        schema.pop(keyword, None)
    if "values" in rule:
        schema["enum"] += [value for value in rule["values"] if value not in schema["enum"]]
    if "branches" in rule:
        branches = [{"$ref": PREFIX + branch} for branch in rule["branches"]]
        if "anyOf" not in schema:
            before = dict(schema)
            schema.clear()
            schema["anyOf"] = [before]
        schema["anyOf"] += branches
    if "required" in rule:
        _require(owner, name, needed=rule["required"])
        if not rule["required"]:
            owner["properties"][name] = nullable(schema)
    if rule.get("nullable") is False:
        schema["type"] = next(kind for kind in schema["type"] if kind != "null")


def _require(owner: Schema, name: str, *, needed: bool) -> None:
    required = [other for other in owner.get("required", ()) if other != name]
    if needed:
        required.append(name)
    owner["required"] = sorted(required, key=list(owner["properties"]).index)
    if not required:
        del owner["required"]
