"""The schemas of answers and events, from the SDK's types."""

from typing import Any

from openai.types import CompletionChoice, Embedding
from openai.types.chat import ChatCompletionMessage, ChatCompletionStoreMessage
from openai.types.chat.chat_completion_chunk import ChoiceDelta, ChoiceDeltaToolCall
from tools.contract.merge import PREFIX, merge, reachable
from tools.contract.sdk import Method, methods
from tools.contract.types import Schema, Types, nullable

PAGE: Schema = {
    "object": nullable({"type": "string"}),
    "has_more": nullable({"type": "boolean"}),
    "first_id": nullable({"type": "string"}),
    "last_id": nullable({"type": "string"}),
}

_BESIDES: tuple[tuple[Any, str, Schema], ...] = (
    (ChatCompletionMessage, "reasoning_content", {"type": "string"}),
    (ChoiceDelta, "reasoning_content", {"type": "string"}),
    (ChoiceDeltaToolCall, "custom", {"type": "object", "additionalProperties": True}),
    (ChatCompletionStoreMessage, "role", {"type": "string"}),
    (ChatCompletionStoreMessage, "name", {"type": ["string", "null"]}),
    (ChatCompletionStoreMessage, "tool_call_id", {"type": "string"}),
)
"""What the types leave out: the thoughts of open models, custom tools in chunks, and that stored
messages are those of the request, of any role."""


class Answers:
    """Makes the schemas; the definitions that they name collect in `types`."""

    def __init__(self) -> None:
        self.types = Types(requests=False)
        self._deviate()

    def _deviate(self) -> None:
        """What OpenAI's API sends, and the SDK's types do not allow."""
        for hint, field, branch in (
            (CompletionChoice, "finish_reason", {"type": "null"}),  # null in chunks before the last
            (Embedding, "embedding", {"type": "string"}),  # with encoding_format base64
            (ChoiceDeltaToolCall, "type", {"enum": ["custom"]}),  # custom tools stream as others do
        ):
            name = self.types.schema(hint)["$ref"].removeprefix(PREFIX)
            properties = self.types.definitions[name]["properties"]
            properties[field] = {"anyOf": [properties[field], branch]}
        for hint, field, schema in _BESIDES:
            name = self.types.schema(hint)["$ref"].removeprefix(PREFIX)
            self.types.definitions[name]["properties"][field] = schema

    def answer(self, method: Method) -> Schema | None:
        """The schema of a method's JSON answer; None if it has no such answer or does not say."""
        if method.binary or method.result in (None, type(None)):
            return None
        schema = self.types.schema(method.result)
        if method.page is None:
            return schema
        data = {"type": "array", "items": schema}
        return {"type": "object", "properties": {"data": data, **PAGE}, "required": ["data"]}

    def event(self, method: Method) -> Schema | None:
        """The schema of the events of a method's stream, if it has one."""
        return None if method.event is None else self.types.schema(method.event)


def build_answers() -> dict[str, Any]:
    """`{"operations": {key: {"answer", "event"}}, "defs": {name: schema}}`."""
    answers = Answers()
    records: dict[str, dict[str, Schema]] = {}
    for method in methods():
        found = {"answer": answers.answer(method), "event": answers.event(method)}
        record = {part: schema for part, schema in found.items() if schema is not None}
        if record and not method.beta:
            records[method.key] = record
    roots = [schema for record in records.values() for schema in record.values()]
    definitions = merge(answers.types.definitions, roots)
    return {"operations": records, "defs": reachable(definitions, roots)}
