"""inhouse chat, against a scripted server."""

import time

import pytest

from inhouse.cli import main
from inhouse.cli.chat import Conversation
from inhouse.cli.client import Client
from inhouse.cli.failures import Failure

WHOLE = "0 1 2 3 4 5 6 7 "


def chat(upstream, *arguments: str) -> int:
    return main(["chat", "--url", upstream.url, *arguments])


def test_a_question_is_answered_on_standard_output(upstream, capsys):
    assert chat(upstream, "Hello", "--system", "Be brief.", "--max-tokens", "9") == 0
    assert capsys.readouterr().out == f"{WHOLE}\n"
    path, _, body = upstream.server.requests[-1]
    assert path == "/v1/chat/completions"
    assert body["model"] == "scripted"
    assert body["max_completion_tokens"] == 9
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


def test_the_key_comes_from_the_environment(upstream, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    chat(upstream, "Hello")
    assert upstream.server.requests[-1][1]["authorization"] == "Bearer sk-mine"


@pytest.mark.parametrize(
    ("model", "said"), [("fault-429", "scripted (429)"), ("fault-error", "scripted")]
)
def test_what_the_server_refuses_is_one_line_and_exit_code_1(upstream, capsys, model, said):
    assert chat(upstream, "Hello", "--model", model) == 1
    assert capsys.readouterr().err == f"inhouse: {said}\n"


def test_a_server_out_of_reach_is_one_line(capsys):
    assert main(["chat", "Hello", "--url", "http://127.0.0.1:9/v1"]) == 1
    assert "Connection refused" in capsys.readouterr().err


@pytest.fixture
def conversation(upstream) -> Conversation:
    return Conversation(Client(upstream.url), "scripted")


def test_what_was_said_goes_along_with_the_next_question(upstream, conversation):
    assert "".join(conversation.answer("One?")) == WHOLE
    assert "".join(conversation.answer("Two?")) == WHOLE
    sent = upstream.server.requests[-1][2]["messages"]
    assert [message["content"] for message in sent] == ["One?", WHOLE, "Two?"]


def test_a_stopped_answer_stops_the_generation_and_is_remembered_in_part(upstream, conversation):
    upstream.server.delay = 0.05
    pieces = conversation.answer("Hello")
    assert next(pieces) == "0 "
    pieces.close()
    deadline = time.monotonic() + 5
    while not upstream.server.closed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert upstream.server.closed == 1
    assert conversation.messages[-1] == {"role": "assistant", "content": "0 "}


def test_a_question_that_failed_is_forgotten(upstream, conversation):
    upstream.server.fault = "500"
    with pytest.raises(Failure):
        list(conversation.answer("Hello"))
    assert conversation.messages == []


def test_clearing_keeps_the_instructions(conversation):
    conversation.messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
    ]
    conversation.clear()
    assert [message["role"] for message in conversation.messages] == ["system"]
