"""Says whether an answer of the server is one that OpenAI's API could have given.

Values, enums and what the SDK requires come from the types of the `openai` package; what must be
present comes from the published document too, where it lies beside the project
(`../shared/contract/openapi.json`); a field that neither knows is an error. Null is allowed in
optional fields. `check_response` and `check_event` raise AssertionError.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft202012Validator
from tools.contract.answers import Answers
from tools.contract.document import operations, shape
from tools.contract.leaves import Leaf, Leaves, Place
from tools.contract.sdk import methods
from tools.contract.types import Schema

UNWRITTEN = {
    "response": {"store", "presence_penalty", "frequency_penalty"},
    "custom_tool_call": {"status"},
    "response.function_call_arguments.done": {"name"},  # the document knows it, the SDK does not
    **{
        f"response.{kind}.delta": {"obfuscation"}
        for kind in (
            "output_text",
            "refusal",
            "reasoning_text",
            "reasoning_summary_text",
            "function_call_arguments",
            "custom_tool_call_input",
        )
    },
}
"""By `object` or `type`: fields that OpenAI's API sends (the last ones to those who ask for
obfuscation), and Open Responses requires some, but neither the SDK nor the document names.
"""

DOCUMENT = Path(__file__).resolve().parents[2] / "shared" / "contract" / "openapi.json"


def check_response(key: str, status: int, body: Any) -> None:
    """Check the JSON body of an answer of the operation `key` (`POST /chat/completions`)."""
    if status >= 400:
        _check_error(key, body)
        return
    expectation = _expectations().responses.get(shape(key))
    if expectation is not None:
        _oracle().check(expectation, body, f"{key} {status}")


def check_event(key: str, event: Any) -> None:
    """Check the JSON data of one event of a stream of the operation `key`."""
    if isinstance(event, dict) and isinstance(event.get("error"), dict):
        _check_error(key, event)
        return
    expectation = _expectations().events.get(shape(key))
    assert expectation is not None, f"{key} does not stream"
    _oracle().check(expectation, event, f"{key} event")


def event_types(key: str) -> set[str]:
    """The types of the events that the operation `key` may stream."""
    expectation = _expectations().events[shape(key)]
    events = _oracle().flat(expectation.schema)
    return {name for event in events for name in event["properties"]["type"]["enum"]}


def _check_error(key: str, body: Any) -> None:
    error = body.get("error") if isinstance(body, dict) else None
    assert isinstance(error, dict), f"{key}: an error has no envelope: {body}"
    for name in ("message", "type"):
        assert isinstance(error.get(name), str), f"{key}: error.{name} is no text: {body}"
    for name in ("param", "code"):
        assert name in error, f"{key}: an error has no {name}: {body}"
        assert error[name] is None or isinstance(error[name], str), f"{key}: error.{name}: {body}"


@dataclass(frozen=True)
class Expectation:
    """What an answer must be: the SDK's schema, and the document's where it has one."""

    schema: Schema
    place: Place | None

    @cached_property
    def validator(self) -> Draft202012Validator:
        return Draft202012Validator({**self.schema, "$defs": _expectations().types.definitions})


class Expectations:
    """The expectations of all operations."""

    def __init__(self, published: dict[str, Any] | None) -> None:
        answers = Answers()
        self.types = answers.types
        self.responses: dict[str, Expectation] = {}
        self.events: dict[str, Expectation] = {}
        documented = dict(_documented(published)) if published else {}
        for method in methods():
            if method.beta:
                continue
            place, event_place = documented.get(shape(method.key), (None, None))
            answer, event = answers.answer(method), answers.event(method)
            if answer is not None:
                self.responses[shape(method.key)] = Expectation(answer, place)
            if event is not None:
                same = place if method.event is method.result else None
                self.events[shape(method.key)] = Expectation(event, event_place or same)
        # The document, and the API, give the user's messages back as they came; the SDK's type
        # knows output items only.
        compacted = self.types.definitions["CompactedResponse"]["properties"]["output"]
        compacted["items"]["anyOf"].append({"$ref": "#/$defs/ResponseInputMessageItem"})


def _documented(
    published: dict[str, Any],
) -> Iterator[tuple[str, tuple[Place | None, Place | None]]]:
    """(the operation's shape, (its answer, its event))."""
    for key, beta, operation in operations(published):
        if beta:
            continue
        content: dict[str, Any] = {}
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                content = response.get("content", {})
                break
        found = [
            (content[kind]["schema"], key) if "schema" in content.get(kind, {}) else None
            for kind in ("application/json", "text/event-stream")
        ]
        yield shape(key), (found[0], found[1])


class Oracle:
    """Walks a value beside the SDK's schema and the document's, to find what is missing and what
    nobody knows.
    """

    def __init__(self, definitions: dict[str, Schema], leaves: Leaves | None) -> None:
        self.definitions = definitions
        self.leaves = leaves

    def check(self, expectation: Expectation, value: Any, where: str) -> None:
        """Raise AssertionError with all that is wrong."""
        wrong = [
            f"{_path(error.instance_path)}: {error.message[:300]}"
            for error in expectation.validator.iter_errors(value)
        ]
        leaves = self._leaves_of(expectation.place)
        wrong += self._walk(value, [expectation.schema], leaves, "")
        if wrong:
            text = json.dumps(value)
            raise AssertionError(f"{where}: {'; '.join(wrong)} in {text[:1000]}")

    def _leaves_of(self, place: Place | None) -> list[Leaf]:
        return self.leaves.of(*place) if self.leaves and place else []

    def _walk(self, value: Any, ours: Sequence[Schema], theirs: list[Leaf], path: str) -> list[str]:
        mine = [leaf for schema in ours for leaf in self.flat(schema)]
        if isinstance(value, list):
            items = [leaf["items"] for leaf in mine if "items" in leaf]
            more = [inner for leaf in theirs for inner in self._leaves_of(leaf.items)]
            return [
                fault
                for index, item in enumerate(value)
                for fault in self._walk(item, items, more, f"{path}[{index}]")
            ]
        if isinstance(value, dict):
            return self._object(value, mine, theirs, path)
        return []

    def _object(
        self, value: dict[str, Any], mine: list[Schema], theirs: list[Leaf], path: str
    ) -> list[str]:
        if {} in mine or any("additionalProperties" in leaf for leaf in mine):
            return []
        mine = [leaf for leaf in mine if "properties" in leaf]
        mine = [leaf for leaf in mine if self._means(leaf, value)] or mine
        theirs = [leaf for leaf in theirs if leaf.properties and self._allows(leaf, value)]
        wrong = self._absent(value, theirs, path)
        unwritten = UNWRITTEN.get(str(value.get("object", value.get("type"))), ())
        for name, inner in value.items():
            ours = [leaf["properties"][name] for leaf in mine if name in leaf["properties"]]
            places = [leaf.properties[name] for leaf in theirs if name in leaf.properties]
            place = f"{path}.{name}".lstrip(".")
            if not ours and not places and name not in unwritten:
                wrong.append(f"{place}: neither the SDK nor the document knows this field")
            more = [leaf for found in places for leaf in self._leaves_of(found)]
            if ours:
                wrong += self._walk(inner, ours, more, place)
        return wrong

    def _absent(self, value: dict[str, Any], theirs: list[Leaf], path: str) -> list[str]:
        """What the document requires and the value lacks, by the branch that lacks least."""
        absent = [sorted(leaf.required - value.keys()) for leaf in theirs]
        least = min(absent, key=len, default=[])
        return [f"{path}.{name}".lstrip(".") + ": the document requires it" for name in least]

    def flat(self, schema: Schema) -> Iterator[Schema]:
        """The branches of a schema, without references."""
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"].removeprefix("#/$defs/")]
        if "anyOf" in schema:
            for branch in schema["anyOf"]:
                yield from self.flat(branch)
        else:
            yield schema

    def _means(self, schema: Schema, value: dict[str, Any]) -> bool:
        """Whether the constants of an object's schema are those of the value."""
        return all(
            value[name] in part["enum"]
            for name, part in schema["properties"].items()
            if name in value and len(part.get("enum", ())) == 1
        )

    def _allows(self, leaf: Leaf, value: dict[str, Any]) -> bool:
        for name, place in leaf.properties.items():
            if name in value and isinstance(value[name], str):
                kinds = self._leaves_of(place)
                constants = {str(c) for kind in kinds for c in kind.constants}
                if len(constants) == 1 and value[name] not in constants:
                    return False
        return True


def _path(parts: Sequence[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.lstrip(".") or "the body"


@cache
def _published() -> dict[str, Any] | None:
    return json.loads(DOCUMENT.read_text()) if DOCUMENT.exists() else None


@cache
def _expectations() -> Expectations:
    return Expectations(_published())


@cache
def _oracle() -> Oracle:
    published = _published()
    return Oracle(_expectations().types.definitions, Leaves(published) if published else None)
