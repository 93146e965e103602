"""The oracle takes what OpenAI's API could say, and nothing else."""

import copy
from typing import Any

import pytest
from tests import oracle

CHAT = "POST /chat/completions"

COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "logprobs": None,
            "message": {
                "role": "assistant",
                "content": None,
                "refusal": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "f", "arguments": "{}"},
                    }
                ],
            },
        }
    ],
    "usage": {
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "total_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    },
    "service_tier": "default",
    "metadata": None,
}
CHUNK: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None, "logprobs": None}],
    "usage": None,
}
PART: dict[str, Any] = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "text": "x", "finish_reason": None, "logprobs": None}],
}
VECTOR: dict[str, Any] = {
    "object": "list",
    "model": "m",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
    "usage": {"prompt_tokens": 1, "total_tokens": 1},
}
DELTA: dict[str, Any] = {
    "type": "response.output_text.delta",
    "item_id": "msg_1",
    "output_index": 0,
    "content_index": 0,
    "sequence_number": 3,
    "delta": "x",
    "logprobs": [],
}
MODEL = {"id": "m", "object": "model", "created": 1, "owned_by": "me"}


@pytest.mark.parametrize(
    ("key", "body"),
    [
        (CHAT, COMPLETION),
        ("POST /embeddings", VECTOR),
        ("GET /models", {"object": "list", "data": [MODEL]}),
        ("GET /models/{model}", MODEL),
        ("DELETE /models/{model}", {"id": "m", "object": "model", "deleted": True}),
        (
            "GET /chat/completions",
            {
                "object": "list",
                "data": [COMPLETION],
                "first_id": "chatcmpl-1",
                "last_id": "chatcmpl-1",
                "has_more": False,
            },
        ),
        (
            "DELETE /chat/completions/{completion_id}",
            {"object": "chat.completion.deleted", "id": "chatcmpl-1", "deleted": True},
        ),
    ],
)
def test_a_right_answer_passes(key: str, body: Any) -> None:
    oracle.check_response(key, 200, body)


@pytest.mark.parametrize(
    ("key", "event"),
    [(CHAT, CHUNK), ("POST /completions", PART), ("POST /responses", DELTA)],
)
def test_a_right_event_passes(key: str, event: Any) -> None:
    oracle.check_event(key, event)


def broken(body: Any, path: list[Any], value: Any) -> Any:
    """A copy with one place set, or deleted if `value` is `...`."""
    changed = copy.deepcopy(body)
    place = changed
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["id"], ..., "id"),
        (["object"], "completion", "object"),
        (["choices", 0, "finish_reason"], "done", "finish_reason"),
        (["choices", 0, "finish_reason"], None, "finish_reason"),
        (["choices", 0, "index"], "0", "index"),
        (["choices", 0, "stop_reason"], None, "stop_reason: neither"),
        (["choices", 0, "message", "role"], "user", "role"),
        (["choices", 0, "message", "tool_calls", 0, "index"], 0, "index: neither"),
        (["usage", "total_tokens"], 1.5, "total_tokens"),
        (["usage", "prompt_tokens_details", "seen"], 1, "seen: neither"),
        (["created"], None, "created"),
    ],
)
def test_a_wrong_answer_fails(path: list[Any], value: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        oracle.check_response(CHAT, 200, broken(COMPLETION, path, value))


@pytest.mark.skipif(not oracle.DOCUMENT.exists(), reason="the published document is not here")
@pytest.mark.parametrize("path", [["choices", 0, "logprobs"], ["choices", 0, "message", "refusal"]])
def test_what_only_the_document_requires_must_be_there(path: list[Any]) -> None:
    with pytest.raises(AssertionError, match="the document requires it"):
        oracle.check_response(CHAT, 200, broken(COMPLETION, path, ...))


@pytest.mark.parametrize(
    ("path", "value"), [(["type"], "response.delta"), (["sequence_number"], ...), (["delta"], None)]
)
def test_a_wrong_event_fails(path: list[Any], value: Any) -> None:
    with pytest.raises(AssertionError):
        oracle.check_event("POST /responses", broken(DELTA, path, value))


def test_an_operation_without_a_stream_has_no_events() -> None:
    with pytest.raises(AssertionError, match="does not stream"):
        oracle.check_event("POST /embeddings", VECTOR)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"error": "x"},
        {"error": {"message": "x", "type": "t", "param": None}},
        {"error": {"message": None, "type": "t", "param": None, "code": None}},
        {"error": {"message": "x", "type": "t", "param": None, "code": 1}},
    ],
)
def test_an_error_has_the_envelope(body: Any) -> None:
    with pytest.raises(AssertionError):
        oracle.check_response(CHAT, 400, body)
    whole = {"error": {"message": "x", "type": "t", "param": None, "code": None}}
    oracle.check_response(CHAT, 400, whole)
