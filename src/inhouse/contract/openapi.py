"""The OpenAPI 3.1 document of what is implemented, made from the contract."""

import re
from collections.abc import Collection
from typing import Any

from inhouse.contract.specs import Contract, OperationSpec

Json = dict[str, Any]
Schema = dict[str, Any]

PREFIX = "#/$defs/"
ERRORS = {
    "400": "The request is not valid.",
    "401": "The key is missing or unknown.",
    "403": "The key may not do this.",
    "404": "There is no such thing.",
    "413": "The body is too large.",
    "415": "The body is of another media type.",
    "429": "A limit is used up.",
    "500": "Something broke on the server's side.",
    "503": "The server cannot do this now.",
}
ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}


def openapi(contract: Contract, implemented: Collection[str]) -> Json:
    """The document of the operations whose keys are in `implemented`, with the schemas they use."""
    paths: dict[str, Json] = {}
    schemas: dict[str, Schema] = {"Error": ERROR}
    for key, spec in contract.operations.items():
        if key in implemented:
            paths.setdefault(spec.path, {})[spec.method.lower()] = _operation(spec, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "inhouse", "version": "1", "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/v1"}],
        "security": [{"key": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(schemas.items())),
        },
    }


def _operation(spec: OperationSpec, schemas: dict[str, Schema]) -> Json:
    result: Json = {
        "operationId": spec.name,
        "tags": [spec.name.rpartition(".")[0]],
        "parameters": [*_path_parameters(spec), *_query_parameters(spec, schemas)],
        "responses": _responses(spec),
    }
    if spec.deprecated:
        result["deprecated"] = True
    if spec.body:
        schema = _published(spec.body_schema, spec, schemas)
        kinds = ["multipart/form-data"] if spec.multipart else ["application/json"]
        result["requestBody"] = {
            "required": "required" in schema,
            "content": {kind: {"schema": schema} for kind in kinds},
        }
    return result


def _path_parameters(spec: OperationSpec) -> list[Json]:
    schema = {"type": "string", "minLength": 1}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name in re.findall(r"\{([^}]+)\}", spec.path)
    ]


def _query_parameters(spec: OperationSpec, schemas: dict[str, Schema]) -> list[Json]:
    found: list[Json] = []
    for name, schema in spec.query_schema["properties"].items():
        published = _without_null(_published(schema, spec, schemas))
        parameter: Json = {"name": name, "in": "query", "schema": published}
        if name in spec.query_schema.get("required", ()):
            parameter["required"] = True
        if published.get("type") == "object":
            parameter |= {"style": "deepObject", "explode": True}
        found.append(parameter)
    return found


def _responses(spec: OperationSpec) -> Json:
    content: Json = {"application/json": {"schema": {"type": "object"}}}
    if spec.binary:
        content = {"application/octet-stream": {}}
    if spec.streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    failures = {
        status: {"description": text, "content": error}
        for status, text in ERRORS.items()
        if spec.body or status not in ("413", "415")
    }
    return {"200": {"description": "Done.", "content": content}, **failures}


def _published(schema: Any, spec: OperationSpec, schemas: dict[str, Schema]) -> Any:
    """The schema with its references into `components`; what they name is added to `schemas`."""
    if isinstance(schema, list):
        return [_published(part, spec, schemas) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result: Schema = {}
    for keyword, value in schema.items():
        if keyword == "$ref" and isinstance(value, str):
            result[keyword] = _component(value.removeprefix(PREFIX), spec, schemas)
        else:
            result[keyword] = _published(value, spec, schemas)
    return result


def _component(name: str, spec: OperationSpec, schemas: dict[str, Schema]) -> str:
    public = name.replace("~", ".")
    if public not in schemas:
        schemas[public] = {}
        schemas[public] |= _published(spec.definitions[name], spec, schemas)
    return f"#/components/schemas/{public}"


def _without_null(schema: Schema) -> Schema:
    """A query has no null."""
    result = dict(schema)
    kinds = result.get("type")
    if isinstance(kinds, list):
        rest = [kind for kind in kinds if kind != "null"]
        result["type"] = rest[0] if len(rest) == 1 else rest
    if "enum" in result:
        result["enum"] = [value for value in result["enum"] if value is not None]
    if "anyOf" in result:
        result["anyOf"] = [part for part in result["anyOf"] if part != {"type": "null"}]
    return result
