"""From the bytes of a stream to deltas: every kind, and what servers leave out."""

import json
from typing import Any

import pytest

from inhouse.engines.client_chunks import decode_chunk
from inhouse.engines.client_deltas import Deltas
from inhouse.engines.client_errors import error_object, error_of, upstream_error
from inhouse.engines.client_sse import Events
from inhouse.engines.client_think import ThinkMarkers
from inhouse.engines.text import (
    Delta,
    Finish,
    FinishReason,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    Usage,
)
from inhouse.errors import BadRequest, PayloadTooLarge, RateLimited, ServerError, Unavailable


def read(*choices: dict[str, Any], top: int = 0, **last: Any) -> list[Delta]:
    """The deltas of one chunk per choice, and of the end; `last` are fields of a closing chunk."""
    deltas, out = Deltas(top), list[Delta]()
    for choice in choices:
        deltas.add(decode_chunk(json.dumps({"choices": [choice]})), out)
    deltas.add(decode_chunk(json.dumps({"choices": [], **last})), out)
    return out + deltas.end(8)


def of(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"index": 0, "delta": delta, **more}


def call(at: int | None, call_id: str | None, name: str | None, arguments: Any) -> dict[str, Any]:
    piece = {"index": at, "id": call_id, "function": {"name": name, "arguments": arguments}}
    return of({"tool_calls": [{key: value for key, value in piece.items() if value is not None}]})


STOP = of({}, finish_reason="stop")
USAGE = {"prompt_tokens": 5, "completion_tokens": 7}


def test_text_reason_and_usage_are_read() -> None:
    assert read(
        of({"role": "assistant", "content": ""}), of({"content": "a"}), STOP, usage=USAGE
    ) == [
        Text(0, "a"),
        Finish(0, "stop"),
        Usage(5, 7),
    ]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_both_names_of_reasoning_are_known(field: str) -> None:
    assert read(of({field: "hm", "content": None}), of({"content": "a"}), STOP)[:2] == [
        Reasoning(0, "hm"),
        Text(0, "a"),
    ]


def test_a_refusal_is_no_text() -> None:
    assert read(of({"refusal": "no"}), STOP)[0] == Refusal(0, "no")


def test_details_of_usage_are_read() -> None:
    usage = {
        **USAGE,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    assert read(STOP, usage=usage)[-1] == Usage(5, 7, 4, 2)


def test_reasoning_that_is_not_counted_is_counted_by_its_share() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 100}
    deltas = read(of({"reasoning": "x" * 30}), of({"content": "x" * 10}), STOP, usage=usage)
    assert deltas[-1] == Usage(5, 100, 0, 75)


def test_usage_that_is_missing_is_estimated() -> None:
    assert read(of({"content": "x" * 9}), STOP)[-1] == Usage(2, 3)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_calls"),
        ("eos", "stop"),
        ("abort", "stop"),
    ],
)
def test_reasons_of_other_dialects_are_known(theirs: str, ours: FinishReason) -> None:
    assert read(of({"content": "a"}), of({}, finish_reason=theirs))[1] == Finish(0, ours)


def test_a_choice_that_gives_no_reason_ends_with_stop() -> None:
    assert read(of({"content": "a"}))[1] == Finish(0, "stop")


def test_a_tool_call_comes_with_its_name_first() -> None:
    deltas = read(
        call(0, "c1", "f", ""), call(0, None, None, '{"a"'), call(0, None, None, ":1}"), STOP
    )
    assert deltas[:-1] == [
        ToolCall(0, 0, "", "c1", "f"),
        ToolCall(0, 0, '{"a"'),
        ToolCall(0, 0, ":1}"),
        Finish(0, "tool_calls"),
    ]


def test_calls_side_by_side_keep_their_numbers() -> None:
    deltas = read(call(0, "c1", "f", "1"), call(1, "c2", "g", "2"), call(1, None, None, "3"), STOP)
    assert deltas[:3] == [
        ToolCall(0, 0, "1", "c1", "f"),
        ToolCall(0, 1, "2", "c2", "g"),
        ToolCall(0, 1, "3"),
    ]


def test_calls_without_an_index_are_told_apart_by_their_ids_and_names() -> None:
    deltas = read(
        call(None, "c1", "f", "1"), call(None, "c2", "f", "2"), call(None, None, None, "3")
    )
    assert [(each.index, each.arguments) for each in deltas if isinstance(each, ToolCall)] == [
        (0, "1"),
        (1, "2"),
        (1, "3"),
    ]


def test_calls_that_all_say_index_zero_are_told_apart_by_their_ids() -> None:
    deltas = read(call(0, "c1", "f", "1"), call(0, "c2", "g", "2"), call(0, None, None, "3"), STOP)
    assert [(each.index, each.arguments) for each in deltas if isinstance(each, ToolCall)] == [
        (0, "1"),
        (1, "2"),
        (1, "3"),
    ]


def test_a_name_that_is_repeated_with_every_piece_is_told_once() -> None:
    deltas = read(call(0, "c1", "f", "1"), call(0, "c1", "f", "2"), STOP)
    assert deltas[:2] == [ToolCall(0, 0, "1", "c1", "f"), ToolCall(0, 0, "2")]


def test_a_call_without_an_id_gets_one() -> None:
    first = read(call(0, None, "f", "{}"), STOP)[0]
    assert isinstance(first, ToolCall)
    assert first.id
    assert first.id.startswith("call_")


def test_a_name_that_comes_late_holds_the_arguments_back() -> None:
    deltas = read(call(0, "c1", None, '{"a'), call(0, None, "f", '":1}'), STOP)
    assert deltas[0] == ToolCall(0, 0, '{"a":1}', "c1", "f")


def test_arguments_that_are_an_object_become_json() -> None:
    assert read(call(0, "c", "f", {"ä": 1}), STOP)[0] == ToolCall(0, 0, '{"ä": 1}', "c", "f")


def test_text_and_calls_of_one_message_are_both_read() -> None:
    message = {
        "content": "wait",
        "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "py", "input": "1+1"}}],
    }
    deltas = read({"index": 0, "message": message, "finish_reason": "tool_calls"})
    assert deltas[:3] == [
        Text(0, "wait"),
        ToolCall(0, 0, "1+1", "c", "py", "custom"),
        Finish(0, "tool_calls"),
    ]


def test_a_legacy_function_call_is_a_tool_call() -> None:
    deltas = read(
        of({"function_call": {"name": "f", "arguments": "{"}}),
        of({"function_call": {"arguments": "}"}}, finish_reason="function_call"),
    )
    assert [each.arguments for each in deltas if isinstance(each, ToolCall)] == ["{", "}"]
    assert deltas[2] == Finish(0, "function_call")


def test_choices_interleave() -> None:
    deltas = read(*({"index": at, "delta": {"content": str(at)}} for at in (1, 0, 1)))
    assert deltas[:3] == [Text(1, "1"), Text(0, "0"), Text(1, "1")]


# ---------------------------------------------------------------- logprobs
CHAT_FORM = {
    "content": [
        {
            "id": 5,
            "token": "a",
            "bytes": [97],
            "logprob": -0.5,
            "top_logprobs": [
                {"id": 5, "token": "a", "bytes": [97], "logprob": -0.5},
                {"id": 6, "token": "b", "bytes": [98], "logprob": -1.5},
            ],
        }
    ]
}
LEGACY_FORM = {
    "tokens": ["a"],
    "token_logprobs": [-0.5],
    "top_logprobs": [{"a": -0.5, "b": -1.5}],
    "text_offset": [0],
}


@pytest.mark.parametrize("form", [CHAT_FORM, LEGACY_FORM])
@pytest.mark.parametrize("top", [0, 1, 5])
def test_logprobs_have_the_chat_form(form: dict[str, Any], top: int) -> None:
    a = {"token": "a", "bytes": [97], "logprob": -0.5}
    b = {"token": "b", "bytes": [98], "logprob": -1.5}
    deltas = read({"index": 0, "text": "a", "logprobs": form}, top=top)
    assert deltas[0] == Text(0, "a", [{**a, "top_logprobs": [a, b][:top]}])


def test_a_part_of_a_character_is_shown_by_its_bytes() -> None:
    part = {"token": "", "bytes": [240, 159], "logprob": -1.0, "top_logprobs": []}
    first = read(of({"content": ""}, logprobs={"content": [part]}))[0]
    assert isinstance(first, Text)
    assert first.logprobs
    assert (first.text, first.logprobs[0]["token"]) == ("", "bytes:\\xf0\\x9f")


def test_tokens_without_text_are_left_out() -> None:
    end = {"token": "", "bytes": [], "logprob": -1.0, "top_logprobs": []}
    first = read(of({"content": "a"}, logprobs={"content": [CHAT_FORM["content"][0], end]}))[0]
    assert isinstance(first, Text)
    assert [entry["token"] for entry in first.logprobs or ()] == ["a"]


def test_vllms_null_bytes_are_filled_in() -> None:
    entry = {"token": "ä", "bytes": None, "logprob": -1.0, "top_logprobs": None}
    first = read(of({"content": "ä"}, logprobs={"content": [entry]}))[0]
    assert isinstance(first, Text)
    assert first.logprobs == [
        {"token": "ä", "bytes": [195, 164], "logprob": -1.0, "top_logprobs": []}
    ]


# ---------------------------------------------------------------- think markers
THINKING = "<think>\nso it is\n</think>\n\nyes <think>no</think>"


@pytest.mark.parametrize("size", range(1, len(THINKING)))
def test_think_markers_are_found_however_the_text_is_cut(size: int) -> None:
    pieces = [THINKING[at : at + size] for at in range(0, len(THINKING), size)]
    deltas = read(*(of({"content": piece}) for piece in pieces), STOP)
    thought = "".join(each.text for each in deltas if isinstance(each, Reasoning))
    text = "".join(each.text for each in deltas if isinstance(each, Text))
    assert (thought.strip(), text) == ("so it is", "yes <think>no</think>")


@pytest.mark.parametrize("text", ["<thing>", "<", " <thin", "a<think>b</think>", "</think>"])
def test_what_only_looks_like_a_marker_is_text(text: str) -> None:
    deltas = read(*(of({"content": each}) for each in text), STOP)
    assert "".join(each.text for each in deltas if isinstance(each, Text)) == text
    assert not any(isinstance(each, Reasoning) for each in deltas)


def test_a_thought_that_is_cut_off_is_still_a_thought() -> None:
    deltas = read(of({"content": "<think>so</th"}), of({}, finish_reason="length"))
    assert "".join(each.text for each in deltas if isinstance(each, Reasoning)) == "so</th"


def test_logprobs_held_back_come_with_their_text() -> None:
    markers = ThinkMarkers()
    assert markers.feed(0, "<", [{"token": "<"}]) == []
    assert markers.feed(0, "a", [{"token": "a"}]) == [
        Text(0, "<a", [{"token": "<"}, {"token": "a"}])
    ]
    assert markers.plain


# ---------------------------------------------------------------- server-sent events
STREAM = b': ping\r\n\r\nevent: x\ndata: {"a":1}\n\ndata:{"b":2}\r\n\r\nid: 3\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("at", range(len(STREAM)))
def test_a_stream_may_be_cut_anywhere(at: int) -> None:
    events = Events()
    assert events.feed(STREAM[:at]) + events.feed(STREAM[at:]) == [
        b'{"a":1}',
        b'{"b":2}',
        b"[DONE]",
    ]


def test_a_stream_without_a_last_line_break_is_read_to_its_end() -> None:
    events = Events()
    assert events.feed(b'data: {"a":1}') == []
    assert events.rest() == [b'{"a":1}']


# ---------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"error": {"message": "m"}}', "m"),
        ('{"error": "m"}', "m"),
        ('{"object": "error", "message": "m"}', "m"),
        ('{"detail": "m"}', "m"),
        ('{"detail": [{"loc": [], "msg": "m"}]}', "m"),
        ("<html>", "The model's server refused the request."),
        ("[]", "The model's server refused the request."),
    ],
)
def test_every_form_of_an_error_is_read(body: str, message: str) -> None:
    assert upstream_error(400, body.encode(), {}).message == message


def test_param_and_code_of_a_refusal_are_kept() -> None:
    error = error_of(400, {"message": "m", "param": "top_k", "code": "bad"}, {})
    assert (error.param, error.code) == ("top_k", "bad")
    assert error_of(400, {"message": "m", "param": 3, "code": 400}, {}).code is None


@pytest.mark.parametrize(
    "error",
    [
        {"type": "exceed_context_size_error", "message": "big", "n_ctx": 10, "n_prompt_tokens": 12},
        {
            "message": "This model's maximum context length is 10 tokens. However, you requested "
            "12 tokens (8 in the messages, 4 in the completion). Please reduce the length."
        },
        {"message": "The input (12 tokens) is longer than the model's context length (10 tokens)."},
        {
            "message": "Requested token count exceeds the model's maximum context length of "
            "10 tokens. You requested a total of 12 tokens."
        },
    ],
)
def test_every_servers_overflow_is_told_in_the_same_words(error: dict[str, Any]) -> None:
    mapped = error_of(400, error, {}, legacy=True)
    assert mapped.code == "context_length_exceeded"
    assert mapped.message == (
        "This model's maximum context length is 10 tokens. However, your prompt resulted in "
        "12 tokens. Please reduce the length of the prompt."
    )


def test_an_overflow_without_numbers_keeps_its_words() -> None:
    error = error_of(400, {"message": "m", "code": "context_length_exceeded"}, {})
    assert (error.message, error.code, error.param) == ("m", "context_length_exceeded", "messages")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (404, BadRequest),
        (422, BadRequest),
        (413, PayloadTooLarge),
        (429, RateLimited),
        (401, ServerError),
        (500, ServerError),
        (502, Unavailable),
        (503, Unavailable),
        (529, Unavailable),
    ],
)
def test_a_status_has_its_error(status: int, kind: type) -> None:
    assert type(error_of(status, {"message": "m"}, {})) is kind


def test_an_error_event_tells_its_status_by_its_code() -> None:
    assert isinstance(error_of(0, {"message": "m", "code": 400}, {}), BadRequest)
    assert isinstance(error_of(0, {"message": "m", "code": "x"}, {}), ServerError)
    assert error_object({"object": "error", "message": "m"})["message"] == "m"
