"""The OpenAPI 3.1 document of what is implemented, made from the contract."""

import re
from collections.abc import Collection, Iterator, Mapping
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
    document = _Document(contract)
    for key, spec in contract.operations.items():
        if key in implemented:
            paths.setdefault(spec.path, {})[spec.method.lower()] = document.operation(spec)
    return {
        "openapi": "3.1.0",
        "info": {"title": "inhouse", "version": "1", "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/v1"}],
        "security": [{"key": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(document.schemas.items())),
        },
    }


class _Document:
    """Collects the schemas that the operations of one document use."""

    def __init__(self, contract: Contract) -> None:
        self.schemas: dict[str, Schema] = {"Error": ERROR}
        self.answers = contract.answers

    def operation(self, spec: OperationSpec) -> Json:
        result: Json = {
            "operationId": spec.name,
            "tags": [spec.name.rpartition(".")[0]],
            "parameters": [*_path_parameters(spec), *self._query_parameters(spec)],
            "responses": self._responses(spec),
        }
        if spec.deprecated:
            result["deprecated"] = True
        if spec.body:
            schema = self._published(spec.body_schema, spec.definitions)
            kind = "multipart/form-data" if spec.multipart else "application/json"
            result["requestBody"] = {
                "required": "required" in schema or "anyOf" in schema,
                "content": {kind: {"schema": schema}},
            }
        return result

    def _query_parameters(self, spec: OperationSpec) -> Iterator[Json]:
        for name, schema in spec.query_schema["properties"].items():
            published = _without_null(self._published(schema, spec.definitions))
            parameter: Json = {"name": name, "in": "query", "schema": published}
            if name in spec.query_schema.get("required", ()):
                parameter["required"] = True
            if published.get("type") == "object":
                parameter |= {"style": "deepObject", "explode": True}
            yield parameter

    def _responses(self, spec: OperationSpec) -> Json:
        record = self.answers["operations"].get(spec.key, {})
        definitions = self.answers["defs"]
        answer = self._published(record.get("answer", {}), definitions, answers=True)
        content: Json = {"application/json": {"schema": answer}}
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

    def _published(
        self, schema: Any, definitions: Mapping[str, Schema], *, answers: bool = False
    ) -> Any:
        """The schema with its references into `components`, where what they name is put."""
        if isinstance(schema, list):
            return [self._published(part, definitions, answers=answers) for part in schema]
        if not isinstance(schema, dict):
            return schema
        result: Schema = {}
        for keyword, value in schema.items():
            if keyword == "$ref" and isinstance(value, str):
                name = value.removeprefix(PREFIX)
                result[keyword] = self._component(name, definitions, answers=answers)
            else:
                result[keyword] = self._published(value, definitions, answers=answers)
        return result

    def _component(self, name: str, definitions: Mapping[str, Schema], *, answers: bool) -> str:
        public = f"{name}.Answer" if answers else name.replace("~", ".")
        if public not in self.schemas:
            self.schemas[public] = {}
            part = self._published(definitions[name], definitions, answers=answers)
            self.schemas[public] |= part
        return f"#/components/schemas/{public}"


def _path_parameters(spec: OperationSpec) -> list[Json]:
    schema = {"type": "string", "minLength": 1}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name in re.findall(r"\{([^}]+)\}", spec.path)
    ]


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
