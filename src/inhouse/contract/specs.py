"""The contract: every operation of the API, what it takes, and which have no handler yet."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import orjson

from inhouse.contract.check import Check
from inhouse.contract.forms import Coercer, files_replaced, nest
from inhouse.contract.parse import unreadable
from inhouse.contract.wording import kind

Json = dict[str, Any]
Schema = dict[str, Any]
FOLDER = Path(__file__).parent
EMPTY: Schema = {"type": "object", "properties": {}}


@dataclass(frozen=True)
class OperationSpec:
    """What one operation takes. `path` is without /v1 and has its `{names}`; `name` is its place in
    the SDK's tree.

    `multipart`: it takes a form (some take JSON as well); `binary`: it answers with bytes;
    `streams`: it can answer with events. `extensions` are the fields that open models have and
    OpenAI's API has not. `beta` is the form that `?beta=true` selects, where there is one.
    """

    method: str
    path: str
    name: str
    body: bool
    multipart: bool
    binary: bool
    streams: bool
    deprecated: bool
    extensions: frozenset[str]
    beta: "OperationSpec | None"
    body_schema: Schema = field(repr=False)
    query_schema: Schema = field(repr=False)
    definitions: Mapping[str, Schema] = field(repr=False)

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"

    @cached_property
    def body_check(self) -> Check:
        """The check of the body, compiled at its first use."""
        return Check(self.body_schema, self.definitions)

    @cached_property
    def query_check(self) -> Check:
        """The check of the query, compiled at its first use."""
        return Check(self.query_schema, self.definitions)

    def check_body(self, value: Any) -> Json:
        """The body itself if it is valid; else `BadRequest` with message, param and code."""
        if type(value) is not dict:
            raise unreadable(f"it is {kind(value)}, not an object")
        self.body_check(value)
        return cast("Json", value)

    def read_query(self, pairs: Iterable[tuple[str, str]]) -> Json:
        """The query as JSON: nested, coerced, checked. Unknown names are dropped."""
        nested = nest(pairs)
        known = self.query_schema["properties"]
        given = {name: value for name, value in nested.items() if name in known}
        if not given and "required" not in self.query_schema:
            return given
        value = Coercer(self.definitions).coerce(self.query_schema, given)
        self.query_check(value)
        return value

    def read_form(self, pairs: Sequence[tuple[str, Any]]) -> Json:
        """The form as JSON, with the files (whatever is no text) in their places, checked."""
        value = Coercer(self.definitions).coerce(self.body_schema, nest(pairs))
        self.body_check(files_replaced(value))
        return value


@dataclass(frozen=True)
class Contract:
    """All operations by their keys; `pending` are the keys of those without a handler."""

    operations: Mapping[str, OperationSpec]
    pending: frozenset[str]

    @cached_property
    def answers(self) -> Json:
        """The schemas of answers and events: `{"operations": {key: ...}, "defs": ...}`.

        The server checks none of its answers by them; they are read when `/openapi.json` is made.
        """
        return orjson.loads(FOLDER.joinpath("answers.json").read_bytes())

    @classmethod
    def load(cls) -> "Contract":
        """Read the data files (some 10 ms). Nothing is compiled before its first use."""
        data = orjson.loads(FOLDER.joinpath("contract.json").read_bytes())
        pending = FOLDER.joinpath("pending.txt").read_text("utf-8").splitlines()
        operations = {
            key: _spec(key, record, data["defs"]) for key, record in data["operations"].items()
        }
        names = frozenset(line for line in pending if line and not line.startswith("#"))
        return cls(MappingProxyType(operations), names)


def _spec(key: str, record: Json, definitions: Mapping[str, Schema]) -> OperationSpec:
    method, _, path = key.partition(" ")
    flags = record.get("flags", ())
    return OperationSpec(
        method=method,
        path=path,
        name=record["name"],
        body="body" in record,
        multipart="multipart" in flags,
        binary="binary" in flags,
        streams="streams" in flags,
        deprecated="deprecated" in flags,
        extensions=frozenset(record.get("extensions", ())),
        beta=_spec(key, record["beta"], definitions) if "beta" in record else None,
        body_schema=record.get("body", EMPTY),
        query_schema=record.get("query", EMPTY),
        definitions=definitions,
    )
