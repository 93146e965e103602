"""Merges equal definitions, those that refer to each other in circles too."""

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tools.contract.types import Schema

PREFIX = "#/$defs/"


def merge(definitions: dict[str, Schema], roots: list[Schema]) -> dict[str, Schema]:
    """One definition of each equal kind, under the shortest of their names; `roots` are rewritten
    in place.

    Definitions are equal when they are the same text once every reference is replaced by the class
    of what it refers to. Classes are split until none splits further.
    """
    classes = dict.fromkeys(definitions, "")
    while True:
        texts = {
            name: classes[name] + "|" + _text(schema, classes.__getitem__)
            for name, schema in definitions.items()
        }
        numbers = {text: str(number) for number, text in enumerate(sorted(set(texts.values())))}
        split = {name: numbers[text] for name, text in texts.items()}
        if len(set(split.values())) == len(set(classes.values())):
            break
        classes = split
    members: dict[str, list[str]] = defaultdict(list)
    for name, number in split.items():
        members[number].append(name)
    chosen = {number: min(names, key=_plainness) for number, names in members.items()}
    names = {name: chosen[number] for name, number in split.items()}
    for schema in (*definitions.values(), *roots):
        _rename(schema, names)
    return {name: definitions[name] for name in chosen.values()}


def reachable(definitions: dict[str, Schema], roots: list[Schema]) -> dict[str, Schema]:
    """The definitions that the roots use, in the order of their names."""
    used: set[str] = set()
    todo: list[Any] = list(roots)
    while todo:
        for name in references(todo.pop()):
            if name not in used:
                used.add(name)
                todo.append(definitions[name])
    return {name: definitions[name] for name in sorted(used)}


def references(schema: Any) -> list[str]:
    """The names of all definitions that a schema refers to directly."""
    found: list[str] = []
    if isinstance(schema, dict):
        target = schema.get("$ref")
        if isinstance(target, str):
            found.append(target.removeprefix(PREFIX))
        for value in schema.values():
            found += references(value)
    elif isinstance(schema, list):
        for value in schema:
            found += references(value)
    return found


def _plainness(name: str) -> tuple[bool, int, str]:
    return ("." in name, len(name), name)


def _text(schema: Any, number: Callable[[str], str]) -> str:
    def replace(value: Any) -> Any:
        if isinstance(value, dict):
            target = value.get("$ref")
            if isinstance(target, str):
                return {"$ref": number(target.removeprefix(PREFIX))}
            return {key: replace(inner) for key, inner in value.items()}
        return [replace(inner) for inner in value] if isinstance(value, list) else value

    return json.dumps(replace(schema), sort_keys=True)


def _rename(schema: Any, names: dict[str, str]) -> None:
    if isinstance(schema, dict):
        target = schema.get("$ref")
        if isinstance(target, str):
            schema["$ref"] = PREFIX + names[target.removeprefix(PREFIX)]
        for value in schema.values():
            _rename(value, names)
    elif isinstance(schema, list):
        for value in schema:
            _rename(value, names)
