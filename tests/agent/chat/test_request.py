"""The rules of a chat request that its schema cannot say."""

from typing import Any

import pytest

from inhouse.agent.chat.request import check, engine_body, prediction_text, service_tier
from inhouse.engines import abilities
from inhouse.engines.scripted import EVERYTHING
from inhouse.errors import BadRequest

Json = dict[str, Any]
USER: Json = {"role": "user", "content": "Hi"}
ADD: Json = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
LOOK: Json = {"type": "custom", "custom": {"name": "look"}}
CALL: Json = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
ASKED: Json = {"role": "assistant", "content": None, "tool_calls": [CALL]}
ANSWER: Json = {"role": "tool", "tool_call_id": "call_1", "content": "3"}


async def no_image(url: str, param: str) -> str:
    raise AssertionError(url)


async def seen(url: str, param: str) -> str:
    return f"data:{url}@{param}"


async def sent(able: frozenset[str] = EVERYTHING, **body: Any) -> Json:
    return await engine_body({"messages": [USER], **body}, able, seen)


def refusal(**body: Any) -> tuple[str, str | None, str | None]:
    with pytest.raises(BadRequest) as caught:
        check({"messages": [USER], **body})
    return caught.value.message, caught.value.param, caught.value.code


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"metadata": {"a": "b"}}, "metadata", "only allowed when 'store' is enabled"),
        ({"stream_options": {}}, "stream_options", "only allowed when 'stream' is enabled"),
        ({"top_logprobs": 2}, "top_logprobs", "only allowed when 'logprobs' is enabled"),
        ({"tool_choice": "auto"}, "tool_choice", "only allowed when 'tools' are specified"),
        ({"parallel_tool_calls": True}, "parallel_tool_calls", "when 'tools' are specified"),
        ({"function_call": "auto"}, "function_call", "when 'functions' are specified"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens", "at the same time"),
        ({"logit_bias": {"hello": 1}}, "logit_bias", "Invalid key in 'logit_bias': hello"),
        ({"messages": [USER] * 2049}, "messages", "maximum length 2048"),
        ({"stop": ""}, "stop", "empty string"),
        ({"stop": ["a", ""]}, "stop[1]", "empty string"),
        ({"tools": []}, "tools", "empty array"),
        ({"tools": [ADD], "functions": [ADD["function"]]}, "functions", "cannot both be given"),
        ({"tools": [ADD, ADD]}, "tools[1].function.name", "must be unique"),
        (
            {"prediction": {"type": "content", "content": "x"}, "n": 2},
            "n",
            "does not support 2",
        ),
        (
            {"response_format": {"type": "json_object"}},
            "messages",
            "must contain the word 'json' in some form",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            "response_format.json_schema.schema",
            "Missing required parameter",
        ),
    ],
)
def test_parameters_that_do_not_go_together(body: Json, param: str, words: str) -> None:
    message, named, _ = refusal(**body)
    assert words in message
    assert named == param


def test_strict_schemas_are_held_to_the_rules_of_strict_ones() -> None:
    loose = {"type": "object", "properties": {}}
    asked = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": loose}}
    message, param, code = refusal(response_format=asked)
    assert message.startswith("Invalid schema for response_format 'x': In context=(), ")
    assert (param, code) == ("response_format", "invalid_json_schema")
    tool = {"type": "function", "function": {"name": "f", "strict": True, "parameters": loose}}
    message, param, code = refusal(tools=[tool])
    assert message.startswith("Invalid schema for function 'f': In context=(), ")
    assert (param, code) == ("tools[0].function.parameters", "invalid_function_parameters")


def test_the_first_rule_that_is_broken_in_the_order_of_the_body_is_told() -> None:
    assert refusal(top_logprobs=1, metadata={"a": "b"})[1] == "top_logprobs"
    assert refusal(metadata={"a": "b"}, top_logprobs=1)[1] == "metadata"


def test_json_mode_is_content_with_the_word_anywhere() -> None:
    parts = [{"type": "text", "text": "as JSON, please"}]
    check(
        {
            "messages": [{"role": "user", "content": parts}],
            "response_format": {"type": "json_object"},
        }
    )


def test_a_tool_message_must_answer_a_call() -> None:
    message, param, _ = refusal(messages=[USER, ANSWER])
    assert message == (
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message "
        "with 'tool_calls'."
    )
    assert param == "messages[1].role"


@pytest.mark.parametrize("after", [[], [USER], [USER, ANSWER]])
def test_every_call_must_be_answered_at_once(after: list[Json]) -> None:
    message, param, _ = refusal(messages=[USER, ASKED, *after])
    assert message.endswith("tool_call_ids did not have response messages: call_1")
    assert param == "messages"


def test_answers_may_come_in_any_order() -> None:
    two = {**ASKED, "tool_calls": [CALL, {**CALL, "id": "call_2"}]}
    check({"messages": [USER, two, {**ANSWER, "tool_call_id": "call_2"}, ANSWER, USER]})


def test_an_assistant_message_says_something() -> None:
    message, param, _ = refusal(messages=[USER, {"role": "assistant"}])
    assert param == "messages[1].content"
    assert "expected a string, got null" in message


async def test_what_clients_replay_and_engines_do_not_know_is_left_out() -> None:
    replayed = {
        "role": "assistant",
        "content": "Hello",
        "refusal": None,
        "annotations": [],
        "audio": None,
        "function_call": None,
        "tool_calls": None,
        "parsed": {"a": 1},
    }
    body = await sent(messages=[USER, replayed])
    assert body["messages"][1] == {"role": "assistant", "content": "Hello"}


async def test_text_parts_become_the_text_that_every_engine_takes() -> None:
    parts = [{"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}]
    body = await sent(messages=[{"role": "user", "content": parts, "name": "Ann"}])
    assert body["messages"] == [{"role": "user", "content": "a", "name": "Ann"}]


async def test_images_go_to_engines_that_see_as_data() -> None:
    image = {"type": "image_url", "image_url": {"url": "http://x/y.png", "detail": "low"}}
    text = {"type": "text", "text": "What is this?"}
    body = await sent(messages=[{"role": "user", "content": [text, image]}])
    assert body["messages"][0]["content"][1]["image_url"] == {
        "url": "data:http://x/y.png@messages[0].content[1].image_url.url",
        "detail": "low",
    }


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ],
)
async def test_parts_that_the_model_cannot_take_are_refused_by_place(part: Json) -> None:
    with pytest.raises(BadRequest, match="only supported by certain models") as caught:
        await engine_body(
            {"messages": [{"role": "user", "content": [part]}]},
            EVERYTHING - {abilities.VISION},
            no_image,
        )
    assert caught.value.param == "messages[0].content[0].type"


async def test_functions_of_the_old_form_reach_the_engine_as_tools() -> None:
    messages = [
        USER,
        {
            "role": "assistant",
            "content": None,
            "function_call": {"name": "add", "arguments": "{}"},
        },
        {"role": "function", "name": "add", "content": "3"},
    ]
    body = await sent(messages=messages, functions=[ADD["function"]], function_call={"name": "add"})
    assert body["tools"] == [ADD]
    assert body["tool_choice"] == "required"
    assert body["parallel_tool_calls"] is False
    assert "functions" not in body
    asked, answered = body["messages"][1:]
    assert asked["tool_calls"][0]["function"] == {"name": "add", "arguments": "{}"}
    assert answered["tool_call_id"] == asked["tool_calls"][0]["id"]
    assert answered["content"] == "3"


@pytest.mark.parametrize(
    ("choice", "shown", "mode"),
    [
        (None, [ADD, LOOK], None),
        ("none", [ADD, LOOK], "none"),
        ("required", [ADD, LOOK], "required"),
        ({"type": "function", "function": {"name": "add"}}, [ADD], "required"),
        ({"type": "custom", "custom": {"name": "look"}}, [LOOK], "required"),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "add"}}],
                },
            },
            [ADD],
            "auto",
        ),
    ],
)
async def test_every_tool_choice_reaches_the_engine_as_tools_and_a_mode(
    choice: Any, shown: list[Json], mode: str | None
) -> None:
    body = await sent(tools=[ADD, LOOK], tool_choice=choice)
    assert (body["tools"], body.get("tool_choice")) == (shown, mode)
    named = isinstance(choice, dict) and choice["type"] != "allowed_tools"
    assert body.get("parallel_tool_calls", True) is not named


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "look"}},
        {"type": "custom", "custom": {"name": "add"}},
        {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "name": "sub"}]},
        },
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{}]}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": []}]}},
    ],
)
async def test_a_choice_of_a_tool_that_is_not_there_is_refused(choice: Json) -> None:
    with pytest.raises(BadRequest, match=r"named '.*' was specified in the 'tools'") as caught:
        await sent(tools=[ADD, LOOK], tool_choice=choice)
    assert (caught.value.param or "").startswith("tool_choice")


async def test_a_choice_among_no_tools_is_refused() -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}
    with pytest.raises(BadRequest) as caught:
        await sent(tools=[ADD], tool_choice=choice)
    assert caught.value.param == "tool_choice.allowed_tools.tools"


async def test_grammars_need_an_engine_that_holds_to_them() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a+"}}
    tool = {"type": "custom", "custom": {"name": "look", "format": grammar}}
    assert (await sent(tools=[tool]))["tools"] == [tool]
    with pytest.raises(BadRequest) as caught:
        await sent(EVERYTHING - {abilities.GRAMMAR}, tools=[tool])
    assert caught.value.param == "tools[0].custom.format"


def test_a_prediction_is_a_text_or_parts_of_one() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert prediction_text({}) is None
    assert prediction_text({"prediction": {"type": "content", "content": "ab"}}) == "ab"
    assert prediction_text({"prediction": {"type": "content", "content": parts}}) == "ab"


def test_the_service_tier_is_echoed_and_auto_means_the_default() -> None:
    assert [service_tier({"service_tier": tier}) for tier in (None, "auto", "flex")] == [
        "default",
        "default",
        "flex",
    ]
