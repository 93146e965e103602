"""What OpenAI asks of a JSON Schema: of a function's parameters, and of every strict one.

A strict schema describes objects whose every property is required and that have no others. The
rules are those of OpenAI's guide to structured outputs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from inhouse.errors import BadRequest

Json = dict[str, Any]

_FORBIDDEN = (
    "allOf",
    "oneOf",
    "not",
    "dependentRequired",
    "dependentSchemas",
    "if",
    "then",
    "else",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
)
_MAX_DEPTH = 10
_MAX_PROPERTIES = 5000
_MAX_ENUM = 1000


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose schema it is: `name` as the message says it (`function 'f'`), and the error's `param`
    and `code`.
    """

    name: str
    param: str
    code: str

    def refused(self, why: str) -> BadRequest:
        message = f"Invalid schema for {self.name}: {why}"
        return BadRequest(message, param=self.param, code=self.code)


def check_object(schema: Mapping[str, Any], subject: Subject) -> None:
    """The root describes an object. An empty schema is one that takes anything."""
    if schema and schema.get("type") != "object":
        kind = schema.get("type")
        raise subject.refused(
            f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
        )


def check_strict(schema: Mapping[str, Any], subject: Subject) -> None:
    """Raise BadRequest at the first place that a strict schema may not have."""
    if "anyOf" in schema:
        raise subject.refused("schema must not have 'anyOf' at the top level.")
    if schema.get("type") != "object":
        check_object(schema or {"type": None}, subject)
    _Strict(schema, subject).walk()


class _Strict:
    """One walk over a strict schema."""

    def __init__(self, root: Mapping[str, Any], subject: Subject) -> None:
        self._root = root
        self._subject = subject
        self._properties = 0
        self._enum = 0

    def walk(self) -> None:
        todo: list[tuple[tuple[str, ...], Any, int]] = [((), self._root, 1)]
        while todo:
            at, schema, depth = todo.pop()
            if not isinstance(schema, dict):
                raise self._refused(at, "schema must be an object.")
            self._check(at, cast("Json", schema), depth)
            parts = list(_parts(at, cast("Json", schema), depth))
            todo.extend(reversed(parts))

    def _refused(self, at: tuple[str, ...], why: str) -> BadRequest:
        return self._subject.refused(f"In context={at!r}, {why}")

    def _check(self, at: tuple[str, ...], schema: Json, depth: int) -> None:
        for word in _FORBIDDEN:
            if word in schema:
                raise self._refused(at, f"'{word}' is not permitted.")
        self._count(at, schema)
        if depth > _MAX_DEPTH:
            raise self._refused(at, f"schemas may be nested at most {_MAX_DEPTH} levels deep.")
        if "$ref" in schema:
            self._check_reference(at, schema["$ref"])
        elif not schema.keys() & {"type", "anyOf", "enum", "const"}:
            raise self._refused(at, "schema must have a 'type' key.")
        if _is_object(schema):
            self._check_object(at, schema)
        if schema.get("type") == "array" and "items" not in schema:
            raise self._refused(at, "array schema missing items.")

    def _check_object(self, at: tuple[str, ...], schema: Json) -> None:
        if schema.get("additionalProperties") is not False:
            raise self._refused(
                at, "'additionalProperties' is required to be supplied and to be false."
            )
        properties = schema.get("properties") or {}
        required = schema.get("required") or []
        if not isinstance(properties, dict) or not isinstance(required, list):
            raise self._refused(at, "'properties' must be an object and 'required' an array.")
        named = {each for each in cast("list[object]", required) if isinstance(each, str)}
        for name in cast("Json", properties):
            if name not in named:
                raise self._refused(
                    at,
                    "'required' is required to be supplied and to be an array including every key "
                    f"in properties. Missing '{name}'.",
                )
        for name in cast("list[object]", required):
            if not isinstance(name, str) or name not in properties:
                raise self._refused(at, f"Extra required key '{name}' supplied.")

    def _check_reference(self, at: tuple[str, ...], reference: object) -> None:
        if reference == "#":
            return
        found: Any = self._root
        for name in str(reference).removeprefix("#/").split("/"):
            found = cast("Json", found).get(name) if isinstance(found, dict) else None
        if not str(reference).startswith("#/") or not isinstance(found, dict):
            raise self._refused(
                at, f"reference to component '{reference}' which was not found in the schema."
            )

    def _count(self, at: tuple[str, ...], schema: Json) -> None:
        self._properties += len(_mapping(schema.get("properties")))
        self._enum += len(schema["enum"]) if isinstance(schema.get("enum"), list) else 0
        if self._properties > _MAX_PROPERTIES:
            raise self._refused(at, f"a schema may have at most {_MAX_PROPERTIES} properties.")
        if self._enum > _MAX_ENUM:
            raise self._refused(at, f"a schema may have at most {_MAX_ENUM} enum values.")


def _is_object(schema: Json) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind)


def _parts(
    at: tuple[str, ...], schema: Json, depth: int
) -> Iterator[tuple[tuple[str, ...], Any, int]]:
    """The schemas inside one, with their places. Definitions count their depth from their own
    root.
    """
    for word in ("$defs", "definitions"):
        for name, part in _mapping(schema.get(word)).items():
            yield (*at, word, name), part, 1
    for name, part in _mapping(schema.get("properties")).items():
        yield (*at, "properties", name), part, depth + 1
    if "items" in schema:
        yield (*at, "items"), schema["items"], depth
    branches = schema.get("anyOf")
    if isinstance(branches, list):
        for index, part in enumerate(cast("list[Any]", branches)):
            yield (*at, "anyOf", str(index)), part, depth


def _mapping(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}
