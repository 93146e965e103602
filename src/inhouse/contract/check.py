"""One schema, ready to check values: compiled at its first use, explained when it fails."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from jsonschema_rs import Draft202012Validator

from inhouse.contract.explain import Explainer
from inhouse.contract.integers import Suspects, suspects
from inhouse.errors import BadRequest

Schema = dict[str, Any]


class Check:
    """Checks values against `schema`, whose references name `definitions`."""

    def __init__(self, schema: Schema, definitions: Mapping[str, Schema]) -> None:
        self.schema = schema
        self.definitions = definitions

    @cached_property
    def closure(self) -> dict[str, Schema]:
        """The definitions that the schema reaches."""
        found: dict[str, Schema] = {}
        todo: list[Any] = [self.schema]
        while todo:
            part = todo.pop()
            if isinstance(part, dict):
                name = part.get("$ref")
                if isinstance(name, str) and name[8:] not in found:
                    found[name[8:]] = self.definitions[name[8:]]
                    todo.append(found[name[8:]])
                todo.extend(part.values())
            elif isinstance(part, list):
                todo.extend(part)
        return found

    @cached_property
    def _validator(self) -> Draft202012Validator:
        return Draft202012Validator({**self.schema, "$defs": self.closure})

    @cached_property
    def _suspects(self) -> Suspects | None:
        return suspects(self.schema, self.closure)

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self.definitions, self._is_valid)

    @cached_property
    def _inner(self) -> dict[int, "Check"]:
        """The checks of parts of the schema, by the identity of the part."""
        return {}

    def _is_valid(self, schema: Schema, value: Any) -> bool:
        check = self._inner.get(id(schema))
        if check is None:
            check = self._inner[id(schema)] = Check(schema, self.definitions)
        return check.valid(value) and not check.suspicious(value)

    def valid(self, value: Any) -> bool:
        """Whether the value is valid JSON Schema, which takes 1.0 for an integer."""
        return self._validator.is_valid(value)

    def suspicious(self, value: Any) -> bool:
        """Whether a decimal may stand where an integer is wanted."""
        return self._suspects is not None and self._suspects(value)

    def __call__(self, value: Any) -> None:
        """Raise `BadRequest` with the first fault's message, param and code if there is one."""
        if self._validator.is_valid(value) and not (self._suspects and self._suspects(value)):
            return
        problem = self._explainer.find(self.schema, value)
        if problem is not None:
            raise BadRequest(problem.message, param=problem.param or None, code=problem.code)
        if not self.valid(value):  # the two disagree: never let such a value pass
            raise BadRequest("The request is not valid.", code="invalid_request")
