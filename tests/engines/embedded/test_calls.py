"""Calls read out of a model's text, however it is cut."""

from dataclasses import dataclass

import pytest

from inhouse.engines.embedded.calls import CallReader
from inhouse.engines.embedded.constraints import HERMES, OURS, Form
from inhouse.engines.text import Delta, FinishReason, Json, Text, ToolCall

OUTPUT = (
    "I see.\n"
    '<tool_call>{"name":"a\\"b","arguments":{"x":"}]\\"\\\\","y":[{},{"z":1}]}}\n'
    "<tool_call>python\nprint('<b>')\n</tool_call>\n"
    '<tool_call>{"name":"now","arguments":{}}'
)


@dataclass
class Heard:
    text: str
    calls: list[tuple[str | None, str, str]]
    reason: FinishReason


def read(pieces: list[str], reason: FinishReason = "stop", form: Form = OURS) -> Heard:
    reader, out = CallReader(3, form), list[Delta]()
    for piece in pieces:
        reader.feed(piece, None, out)
    ended = reader.end(reason, out)
    assert all(each.choice == 3 for each in out if isinstance(each, Text | ToolCall))
    calls: dict[int, tuple[str | None, str, str]] = {}
    for each in out:
        if isinstance(each, ToolCall):
            assert (each.name is not None) == (each.index not in calls) == (each.id is not None)
            name, kind, arguments = calls.get(each.index, (each.name, each.kind, ""))
            calls[each.index] = (name, kind, arguments + each.arguments)
    text = "".join(each.text for each in out if isinstance(each, Text))
    return Heard(text, [calls[at] for at in sorted(calls)], ended)


@pytest.mark.parametrize("size", [*range(1, 40), len(OUTPUT)])
def test_text_and_calls_are_told_apart_however_they_are_cut(size: int) -> None:
    heard = read([OUTPUT[at : at + size] for at in range(0, len(OUTPUT), size)])
    assert heard.text.strip() == "I see."
    assert heard.calls == [
        ('a"b', "function", '{"x":"}]\\"\\\\","y":[{},{"z":1}]}'),
        ("python", "custom", "print('<b>')\n"),
        ("now", "function", "{}"),
    ]
    assert heard.reason == "tool_calls"


HERMES_OUTPUT = (
    "I see.\n"
    '<tool_call>\n{"name": "a\\"b", "arguments": {"x": "}", "y": [1, 2]}}\n</tool_call>\n'
    '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
)


@pytest.mark.parametrize("size", [*range(1, 30), len(HERMES_OUTPUT)])
def test_calls_are_read_in_the_form_of_the_models_template(size: int) -> None:
    pieces = [HERMES_OUTPUT[at : at + size] for at in range(0, len(HERMES_OUTPUT), size)]
    heard = read(pieces, form=HERMES)
    assert heard.text.strip() == "I see."
    assert heard.calls == [
        ('a"b', "function", '{"x": "}", "y": [1, 2]}'),
        ("now", "function", "{}"),
    ]
    assert heard.reason == "tool_calls"


@pytest.mark.parametrize(
    "text", ["", "hello", "<tool", "<tool_cal", "a < b", "</tool_call>", "x\n"]
)
@pytest.mark.parametrize("size", [1, 100])
def test_text_without_a_call_is_text(text: str, size: int) -> None:
    heard = read([text[at : at + size] for at in range(0, len(text), size)])
    assert (heard.text, heard.calls, heard.reason) == (text, [], "stop")


def test_a_call_that_the_limit_cut_keeps_what_it_has() -> None:
    heard = read(['<tool_call>{"name":"f","arguments":{"a":"b'], "length")
    assert heard.calls == [("f", "function", '{"a":"b')]
    assert heard.reason == "length"


def test_an_input_that_the_limit_cut_keeps_what_it_has() -> None:
    heard = read(["<tool_call>python\nprint(1</tool"], "length")
    assert heard.calls == [("python", "custom", "print(1</tool")]


def test_a_call_cut_before_its_name_is_no_call() -> None:
    assert read(['<tool_call>{"name":"f'], "length").calls == []


def test_arguments_come_as_they_grow() -> None:
    reader, out = CallReader(0), list[Delta]()
    for piece in ('<tool_call>{"name":"f","arg', 'uments":{"a"', ":1", "}}"):
        reader.feed(piece, None, out)
    assert [each.arguments for each in out if isinstance(each, ToolCall)] == ["", '{"a"', ":1", "}"]


def test_logprobs_go_with_their_text_and_not_with_calls() -> None:
    def token(text: str) -> Json:
        return {"token": text}

    reader, out = CallReader(0), list[Delta]()
    for piece in ("a", " <", "b", "<tool_call>", '{"name":"f","arguments":{}}'):
        reader.feed(piece, [token(piece)], out)
    reader.end("stop", out)
    texts = [each for each in out if isinstance(each, Text)]
    assert "".join(each.text for each in texts) == "a <b"
    told = [entry["token"] for each in texts for entry in each.logprobs or ()]
    assert told == ["a", " <", "b"]
