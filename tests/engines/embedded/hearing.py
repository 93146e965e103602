"""Asking the embedded engine and putting together what it says; what the tests ask for."""

import json
from typing import Any

import jsonschema_rs

from inhouse.engines.embedded.text import EmbeddedText
from inhouse.engines.text import Delta, Finish, Json, Text, TextCall, ToolCall, Usage

CONTEXT = 512
ASK = [{"role": "user", "content": "What is the weather in Paris?"}]
WEATHER: Json = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "unit": {"enum": ["c", "f"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
SUM: Json = {
    "type": "object",
    "properties": {
        "a": {"type": "integer", "minimum": 0, "maximum": 99},
        "b": {"type": "integer", "minimum": 0, "maximum": 99},
    },
    "required": ["a", "b"],
    "additionalProperties": False,
}
SCHEMAS = {"get_weather": WEATHER, "add": SUM}
TOOLS: list[Json] = [
    {"type": "function", "function": {"name": name, "parameters": schema, "strict": strict}}
    for (name, schema), strict in zip(SCHEMAS.items(), (True, False), strict=True)
]


def custom(name: str, syntax: str | None = None, definition: str = "") -> Json:
    tool: Json = {"name": name}
    if syntax:
        grammar = {"syntax": syntax, "definition": definition}
        tool["format"] = {"type": "grammar", "grammar": grammar}
    return {"type": "custom", "custom": tool}


class Heard:
    """What an answer says, put together, with the rules of every answer checked."""

    def __init__(self, deltas: list[Delta]) -> None:
        self.texts: dict[int, str] = {}
        self.logprobs: dict[int, list[Json]] = {}
        self.calls: dict[int, list[Json]] = {}
        self.reasons: dict[int, str] = {}
        for delta in deltas:
            match delta:
                case Text(choice, text, logprobs):
                    self.texts[choice] = self.texts.get(choice, "") + text
                    self.logprobs.setdefault(choice, []).extend(logprobs or ())
                case ToolCall():
                    self._call(delta)
                case Finish(choice, reason):
                    assert choice not in self.reasons
                    self.reasons[choice] = reason
                case _:
                    pass
        usage = deltas[-1]
        assert isinstance(usage, Usage)
        assert sum(isinstance(each, Usage) for each in deltas) == 1
        self.usage = usage
        assert set(self.texts) | set(self.calls) <= set(self.reasons)

    def _call(self, delta: ToolCall) -> None:
        calls = self.calls.setdefault(delta.choice, [])
        if delta.name is not None:
            assert delta.index == len(calls)
            assert delta.id
            calls.append({"name": delta.name, "kind": delta.kind, "arguments": ""})
        calls[delta.index]["arguments"] += delta.arguments

    @property
    def text(self) -> str:
        return self.texts.get(0, "")


async def hear(engine: EmbeddedText, kind: Any = "chat", **body: Any) -> Heard:
    body = {"stream": True, "max_tokens": 24, "temperature": 0, **body}
    if kind == "chat":
        body.setdefault("messages", ASK)
    return Heard([each async for batch in engine.generate(TextCall(kind, body)) for each in batch])


def check(call: Json) -> None:
    """The call is one that its tool takes."""
    assert jsonschema_rs.is_valid(SCHEMAS[call["name"]], json.loads(call["arguments"])), call
