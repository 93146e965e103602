"""Type hints of the SDK to JSON Schema.

Its own walker, because pydantic's TypeAdapter fails on files and drops aliases. The schemas use few
keywords, so that `inhouse.contract.explain` can walk them: type, enum, properties, required,
additionalProperties, items, anyOf, $ref.
"""

import collections.abc
import inspect
import os
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pydantic
import typing_extensions

Schema = dict[str, Any]

SCALARS: dict[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
    datetime: "string",
}
INT64 = {"minimum": -(2**63), "maximum": 2**63 - 1}
KINDS = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}

OPEN = "~open"
"""Ends the name of a definition that allows unknown fields."""

REPLAYED = frozenset({"input", "messages", "items", "additional_messages"})
"""Arrays of these names hold what clients got from us and send back: their elements may have
unknown fields.
"""


@dataclass(frozen=True, slots=True)
class Field:
    """A field by its two names."""

    python: str
    wire: str
    required: bool
    hint: Any


class Types:
    """Collects definitions: `schema(T)` returns the schema of a type and adds the objects it names
    to `definitions`.

    With `requests=False` it describes answers: unknown fields are allowed everywhere.
    """

    def __init__(self, *, requests: bool = True) -> None:
        self.definitions: dict[str, Schema] = {}
        self.requests = requests
        self._names: dict[tuple[Any, bool], str] = {}

    def schema(self, hint: Any, *, closed: bool = True) -> Schema:
        """The schema of one type. `closed` refuses unknown fields in the objects within."""
        origin = typing.get_origin(hint)
        if origin is typing.Annotated:
            return self.schema(typing.get_args(hint)[0], closed=closed)
        if hint in SCALARS:
            kind = SCALARS[hint]
            bounded = self.requests and kind == "integer"
            return {"type": kind, **(INT64 if bounded else {})}
        if origin in (typing.Union, types.UnionType):
            return self._union(typing.get_args(hint), closed=closed)
        if origin is typing.Literal:
            return _literal(typing.get_args(hint))
        if is_object(hint):
            return self._reference(hint, closed=closed)
        return self._container(hint, origin, closed=closed)

    def _container(self, hint: Any, origin: Any, *, closed: bool) -> Schema:
        if is_file(hint, origin):
            return {"type": "string", "format": "binary"}
        if hint in (object, Any, typing_extensions.Any):
            return {}
        arguments = typing.get_args(hint)
        if origin in (dict, collections.abc.Mapping):
            values = self.schema(arguments[1], closed=closed)
            return {"type": "object", "additionalProperties": values or True}
        if origin in (list, collections.abc.Iterable, collections.abc.Sequence):
            return {"type": "array", "items": self.schema(arguments[0], closed=closed)}
        if isinstance(hint, typing.TypeVar) or hint is dict:
            return {}
        if getattr(origin, "__name__", "") == "SequenceNotStr":
            return {"type": "array", "items": self.schema(arguments[0], closed=closed)}
        raise TypeError(f"no schema for {hint!r}")

    def _union(self, members: tuple[Any, ...], *, closed: bool) -> Schema:
        return union([self.schema(member, closed=closed) for member in members])

    def _reference(self, hint: Any, *, closed: bool) -> Schema:
        place = (hint, closed or not self.requests)
        if place not in self._names:
            name = self._name(hint, closed=closed)
            self._names[place] = name
            self.definitions[name] = {}
            self.definitions[name].update(self.object(hint, closed=closed))
        return {"$ref": f"#/$defs/{self._names[place]}"}

    def _name(self, hint: Any, *, closed: bool) -> str:
        base = "".join(c for c in hint.__name__ if c.isalnum() or c == "_")
        base = base.lstrip("_") + ("" if closed or not self.requests else OPEN)
        if base not in self.definitions:
            return base
        module = "".join(part.title() for part in hint.__module__.rsplit(".", 1)[-1].split("_"))
        name, count = f"{module}.{base}", 2
        while name in self.definitions:
            name, count = f"{module}{count}.{base}", count + 1
        return name

    def object(self, hint: Any, *, closed: bool = True, only: tuple[str, ...] = ()) -> Schema:
        """The schema of a TypedDict or a model. `only`: these fields, by their Python names."""
        properties: Schema = {}
        required: list[str] = []
        for field in fields_of(hint):
            if only and field.python not in only:
                continue
            schema = self.schema(field.hint, closed=self._closed_within(field.wire, closed=closed))
            properties[field.wire] = schema if field.required else nullable(schema)
            if field.required and not (self.requests and takes_null(schema)):
                required.append(field.wire)
        result: Schema = {"type": "object", "properties": properties}
        if required:
            result["required"] = required
        if self.requests and closed:
            result["additionalProperties"] = False
        return result

    def _closed_within(self, name: str, *, closed: bool) -> bool:
        if name in REPLAYED:
            return False
        return True if name in ("tools", "tool_choice") else closed


def union(members: list[Schema]) -> Schema:
    """One schema for any of some: scalars joined, enums joined, an enum beside the free kind
    dropped.
    """
    flat: list[Schema] = []
    for member in members:
        for part in member.get("anyOf", [member]):
            if part not in flat:
                flat.append(part)
    if {} in flat:
        return {}
    free = {
        part["type"] for part in flat if isinstance(part.get("type"), str) and "enum" not in part
    }
    flat = [part for part in flat if "enum" not in part or not _kinds(part) <= free]
    if "number" in free:
        flat = [part for part in flat if part.get("type") != "integer"]
    enums = [part for part in flat if "enum" in part]
    if len(enums) > 1:
        values = list(dict.fromkeys(value for part in enums for value in part["enum"]))
        flat = [part for part in flat if "enum" not in part or part is enums[0]]
        flat[flat.index(enums[0])] = _literal(tuple(values))
    if {"type": "null"} in flat and len(flat) > 1:
        flat.remove({"type": "null"})
        return nullable(flat[0] if len(flat) == 1 else {"anyOf": flat})
    return flat[0] if len(flat) == 1 else {"anyOf": flat}


def nullable(schema: Schema) -> Schema:
    """The schema that takes null too."""
    if not schema or schema.get("type") == "null":
        return schema
    if "anyOf" in schema:
        null = {"type": "null"}
        if null in schema["anyOf"] or any(takes_null(part) for part in schema["anyOf"]):
            return schema
        return {**schema, "anyOf": [*schema["anyOf"], null]}
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    if takes_null(schema):
        return schema
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    result = {**schema, "type": [*kinds, "null"]}
    if "enum" in schema:
        result["enum"] = [*schema["enum"], None]
    return result


def takes_null(schema: Schema) -> bool:
    """Whether a schema says so; one that says nothing takes anything."""
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return "null" in kinds
    return kinds == "null" or any(takes_null(part) for part in schema.get("anyOf", ()))


def _kinds(schema: Schema) -> set[str]:
    kinds = schema["type"]
    return set(kinds) if isinstance(kinds, list) else {kinds}


def _literal(values: tuple[Any, ...]) -> Schema:
    kinds = list(dict.fromkeys(KINDS[type(value)] for value in values))
    return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": list(values)}


def is_object(hint: Any) -> bool:
    hint = typing.get_origin(hint) or hint
    if not inspect.isclass(hint):
        return False
    return typing_extensions.is_typeddict(hint) or issubclass(hint, pydantic.BaseModel)


def is_file(hint: Any, origin: Any) -> bool:
    return hint in (bytes, typing.IO, os.PathLike) or origin in (typing.IO, os.PathLike, tuple)


def _forget() -> None:
    """Empty the caches of `typing`.

    To them `Optional[Literal["a", "b"]]` and `Optional[Literal["b", "a"]]` are the same; refusals
    list an enum's values in their declared order.
    """
    for clear in getattr(typing, "_cleanups", ()):
        clear()


def fields_of(owner: Any) -> Iterator[Field]:
    """The fields of a TypedDict or a model, in their order."""
    models = getattr(owner, "model_fields", None)
    if models is not None:
        for name, field in models.items():
            yield Field(name, field.alias or name, field.is_required(), field.annotation)
        return
    _forget()
    for name, hint in typing_extensions.get_type_hints(owner, include_extras=True).items():
        required, bare = bool(owner.__total__), hint
        if typing.get_origin(hint) in (typing.Required, typing_extensions.Required):
            required, bare = True, typing.get_args(hint)[0]
        elif typing.get_origin(hint) in (typing.NotRequired, typing_extensions.NotRequired):
            required, bare = False, typing.get_args(hint)[0]
        aliases = [getattr(extra, "alias", None) for extra in getattr(bare, "__metadata__", ())]
        yield Field(name, next(filter(None, aliases), name), required, bare)
