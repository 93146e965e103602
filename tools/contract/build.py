"""Puts the contract together: operations, their schemas and the definitions these share."""

import json
import typing
from typing import Any

from tools.contract import document, overlay
from tools.contract.merge import merge, reachable
from tools.contract.sdk import Fields, Method, methods
from tools.contract.types import Schema, Types, nullable, union


def build(
    published: dict[str, Any], rules: dict[str, Any]
) -> tuple[dict[str, Any], document.Constraints]:
    """`{"operations": {key: ...}, "defs": {name: schema}}`, and how the constraints were merged."""
    types = Types()
    operations: dict[str, Any] = {}
    found = methods()
    for method in found:
        record = _record(method, types)
        if method.beta:
            operations[method.key]["beta"] = record
        else:
            operations[method.key] = record
    operations |= dict(document.lacking(published, set(operations)))
    overlay.apply_before(rules, operations, types)
    constraints = document.Constraints(published, types.definitions)
    constraints.apply(operations)
    overlay.apply_after(rules, operations, types.definitions)
    roots = [
        record[part]
        for record in _records(operations)
        for part in ("body", "query")
        if part in record
    ]
    definitions = merge(types.definitions, roots)
    return {"operations": operations, "defs": reachable(definitions, roots)}, constraints


def write(contract: dict[str, Any]) -> str:
    """The data file's text: one operation and one definition a line, sorted, so that a change reads
    as a change.
    """
    parts = []
    for part in ("operations", "defs"):
        lines = [
            f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'), ensure_ascii=False)}"
            for name, value in sorted(contract[part].items())
        ]
        parts.append(f'"{part}":{{\n' + ",\n".join(lines) + "\n}")
    return "{" + ",\n".join(parts) + "}\n"


def _records(operations: dict[str, Any]) -> list[dict[str, Any]]:
    both = list(operations.values())
    return both + [record["beta"] for record in both if "beta" in record]


def _record(method: Method, types: Types) -> dict[str, Any]:
    record: dict[str, Any] = {"name": method.name}
    streams = method.event is not None and method.verb == "POST"
    flags = [
        flag
        for flag, is_set in (
            ("multipart", method.multipart),
            ("binary", method.binary),
            ("streams", method.event is not None),
            ("deprecated", method.deprecated),
        )
        if is_set
    ]
    if flags:
        record["flags"] = flags
    if method.body is not None and method.body.names:
        record["body"] = union(_members(method.body, types))
    if streams and "stream" in record.get("body", {}).get("properties", {}):
        _either(record["body"])
    if method.query is not None:
        record["query"] = _together(_members(method.query, types))
        if method.event is not None and "stream" in record["query"]["properties"]:
            _either(record["query"])
    return record


def _members(fields: Fields, types: Types) -> list[Schema]:
    """The schema of the fields; several if the params type is a union."""
    members = (
        typing.get_args(fields.type)
        if typing.get_origin(fields.type) is typing.Union
        else (fields.type,)
    )
    return [types.object(member, only=fields.names) for member in members]


def _together(schemas: list[Schema]) -> Schema:
    """What all of a query's forms together say: they are one for streams and one without."""
    result = schemas[0]
    for other in schemas[1:]:
        for name, schema in other["properties"].items():
            result["properties"].setdefault(name, schema)
        required = set(result.get("required", ())) & set(other.get("required", ()))
        result["required"] = sorted(required)
    if not result.get("required"):
        result.pop("required", None)
    return result


def _either(schema: Schema) -> None:
    """Let `stream` be true or false: the SDK has a type for each."""
    schema["properties"]["stream"] = nullable({"type": "boolean"})
    schema["required"] = [name for name in schema.get("required", ()) if name != "stream"]
    if not schema["required"]:
        del schema["required"]
