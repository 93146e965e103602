"""The rules of a response's request that its schema cannot say, and the call that it becomes."""

from typing import Any

import pytest
from tests.agent.responses.reading import Json, refused, sent

from inhouse.agent.responses.request import hints, wants_logprobs
from inhouse.engines import abilities
from inhouse.engines.scripted import EVERYTHING
from inhouse.errors import BadRequest

SCHEMA: Json = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
FORM: Json = {"type": "json_schema", "name": "x", "schema": SCHEMA, "strict": True}
USER: Json = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"model": None}, "model", "Missing required parameter"),
        ({"input": None}, "input", "must be provided"),
        ({"input": []}, "input", "must be provided"),
        ({"input": [], "conversation": "conv_empty"}, "input", "must be provided"),
        (
            {"conversation": "conv_1", "previous_response_id": "resp_1"},
            "conversation",
            "Mutually exclusive parameters",
        ),
        ({"background": True, "store": False}, "background", "must be stored"),
        ({"stream_options": {}}, "stream_options", "only allowed when 'stream' is enabled"),
        ({"max_tool_calls": 0}, "max_tool_calls", "Expected a value >= 1, but got 0"),
        (
            {"context_management": [{"type": "forgetting"}]},
            "context_management[0].type",
            "Supported values are: 'compaction'",
        ),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode", "does not support 'pro'"),
        (
            {"prompt_cache_options": {"prewarm": True}},
            "prompt_cache_options.prewarm",
            "is not supported",
        ),
        (
            {"background_options": {"completion_window": "2h"}},
            "background_options.completion_window",
            "requires 'background'",
        ),
        (
            {
                "background_options": {"completion_window": "8h"},
                "background": True,
                "service_tier": "flex",
            },
            "background_options.completion_window",
            "default service tier",
        ),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "is not supported"),
        ({"moderation": {"model": "m"}}, "moderation", "is not supported"),
        ({"image": {"context_compression": "enabled"}}, "image", "is not supported"),
        ({"access_programs": {"cyber": "daybreak_red"}}, "access_programs", "is not supported"),
        (
            {"text": {"format": {"type": "json_object"}}},
            "input",
            "must contain the word 'json' in some form to use 'text.format'",
        ),
        (
            {"text": {"format": {**FORM, "schema": {"type": "object"}}}},
            "text.format.schema",
            "Invalid schema for response_format 'x'",
        ),
    ],
)
async def test_parameters_that_do_not_go_together(body: Json, param: str, words: str) -> None:
    message, named, _ = await refused(**body)
    assert words in message
    assert named == param


@pytest.mark.parametrize(
    ("ability", "body", "param"),
    [
        (abilities.JSON_SCHEMA, {"text": {"format": FORM}}, "text.format"),
        (abilities.LOGPROBS, {"top_logprobs": 2}, "top_logprobs"),
        (abilities.LOGPROBS, {"include": ["message.output_text.logprobs"]}, "include"),
        (abilities.EXTENSIONS, {"top_k": 2}, "top_k"),
    ],
)
async def test_what_the_engine_cannot_is_refused_by_name(
    ability: str, body: Json, param: str
) -> None:
    message, named, code = await refused(EVERYTHING - {ability}, **body)
    assert message == f"Unsupported parameter: '{param}' is not supported with this model."
    assert (named, code) == (param, "unsupported_parameter")


@pytest.mark.parametrize(
    ("body", "becomes"),
    [
        ({"temperature": 0.5, "top_p": 0.1}, {"temperature": 0.5, "top_p": 0.1}),
        ({"max_output_tokens": 20}, {"max_completion_tokens": 20}),
        ({"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        ({"top_logprobs": 0}, {}),
        ({"include": ["message.output_text.logprobs"]}, {"logprobs": True}),
        ({"include": ["reasoning.encrypted_content"]}, {}),
        ({"text": {"format": {"type": "text"}, "verbosity": "low"}}, {"verbosity": "low"}),
        (
            {"text": {"format": FORM}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "x", "schema": SCHEMA, "strict": True},
                }
            },
        ),
        ({"reasoning": {"effort": "high", "summary": "auto"}}, {"reasoning_effort": "high"}),
        ({"prompt_cache_key": "k", "user": "u"}, {"prompt_cache_key": "k"}),
        ({"stream": True}, {"stream": True}),
        ({"background": True}, {"stream": True}),
        ({"top_k": 5, "min_p": 0.1}, {"top_k": 5, "min_p": 0.1}),
        ({"truncation": "auto", "metadata": {"a": "b"}, "store": False}, {}),
        ({"background_options": {"completion_window": "soonest"}}, {}),
    ],
)
async def test_parameters_reach_the_engine_by_chats_names(body: Json, becomes: Json) -> None:
    call = await sent(**body)
    assert call.pop("messages") == [{"role": "user", "content": "Hi"}]
    assert call == becomes


async def test_json_mode_is_content_with_the_word_in_the_instructions_or_the_input() -> None:
    wanted: Any = {"format": {"type": "json_object"}}
    bodies: list[Json] = [{"instructions": "As JSON."}, {"input": "Say it in json"}]
    for body in bodies:
        assert (await sent(text=wanted, **body))["response_format"] == {"type": "json_object"}


async def test_settings_of_the_context_hold_until_another_or_the_body_replaces_them() -> None:
    form: Json = {"type": "json_schema", "name": "x", "schema": SCHEMA}
    items = [
        {"type": "configuration_update", "reasoning": {"effort": "low"}, "text": {"format": form}},
        {"type": "configuration_update", "reasoning": {"effort": "high"}},
        USER,
    ]
    call = await sent(input=items)
    assert call["reasoning_effort"] == "high"
    assert call["response_format"]["json_schema"]["name"] == "x"
    call = await sent(input=items, reasoning={"effort": "none"}, text={"format": {"type": "text"}})
    assert call["reasoning_effort"] == "none"
    assert "response_format" not in call


async def test_one_call_at_a_time_is_only_said_where_there_are_tools() -> None:
    tool = {"type": "custom", "name": "look"}
    assert (await sent(tools=[tool], parallel_tool_calls=False))["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in await sent(tools=[tool])


def test_logprobs_are_wanted_by_name_or_by_number() -> None:
    assert wants_logprobs({"include": ["message.output_text.logprobs"]})
    assert wants_logprobs({"top_logprobs": 1})
    assert not wants_logprobs({"top_logprobs": 0, "include": None})


def test_hints_are_for_every_call_and_what_is_refused_is_refused_in_all() -> None:
    body = {"model": "m", "input": "Hi", "temperature": 0, "service_tier": "flex", "user": None}
    assert hints(body, EVERYTHING) == {"service_tier": "flex"}
    with pytest.raises(BadRequest, match="'moderation' is not supported"):
        hints({**body, "moderation": {"model": "m"}}, EVERYTHING)
