"""The response object as it begins."""

from typing import Any

import pytest
from openai.types.responses import Response
from tests.agent.responses.reading import Json, valid
from tests.oracle import check_response

from inhouse.agent.responses.echo import echo


def echoed(**body: Any) -> Json:
    made = echo(valid(**body), "resp_1", 17, "m-1")
    check_response("POST /responses", 200, made)
    return made


def test_every_default_is_filled_in() -> None:
    assert echoed() == {
        "id": "resp_1",
        "object": "response",
        "created_at": 17,
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "conversation": None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "model": "m-1",
        "moderation": None,
        "output": [],
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt": None,
        "prompt_cache_key": None,
        "prompt_cache_retention": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
    }


def test_what_the_sdk_knows_and_a_plain_response_lacks_is_told_only_where_it_was_asked_for() -> (
    None
):
    asked_only = {
        "access_programs",
        "image",
        "input_transformations",
        "prompt_cache_diagnostics",
        "prompt_cache_options",
        "tool_usage",
    }
    assert set(Response.model_fields) - set(echoed()) == asked_only


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"instructions": "Be brief.", "user": "u", "safety_identifier": "s"}, None),
        ({"max_output_tokens": 20, "max_tool_calls": 2, "top_logprobs": 3}, None),
        ({"temperature": 0, "top_p": 0.5, "truncation": "auto"}, None),
        ({"prompt_cache_key": "k", "prompt_cache_retention": "24h"}, None),
        ({"metadata": {"a": "b"}, "store": False, "background": True}, None),
        ({"previous_response_id": "resp_0", "parallel_tool_calls": False}, None),
        ({"conversation": "conv_1"}, {"conversation": {"id": "conv_1"}}),
        ({"conversation": {"id": "conv_1"}}, None),
        ({"service_tier": "auto"}, {"service_tier": "default"}),
        ({"service_tier": "fast"}, {"service_tier": "priority"}),
        ({"service_tier": "flex"}, None),
        (
            {"reasoning": {"effort": "low", "generate_summary": "auto", "context": "auto"}},
            {"reasoning": {"effort": "low", "summary": "auto", "context": "current_turn"}},
        ),
        ({"reasoning": {"effort": None, "summary": None, "mode": "standard"}}, None),
        ({"access_programs": {"cyber": "standard"}}, None),
        (
            {"image": {"context_compression": "auto"}},
            {"image": {"context_compression": "disabled"}},
        ),
        (
            {"prompt_cache_options": {"comparison_response_id": "resp_0"}},
            {
                "prompt_cache_options": {
                    "mode": "implicit",
                    "ttl": "30m",
                    "comparison_response_id": "resp_0",
                },
                "prompt_cache_diagnostics": {"type": "unavailable"},
            },
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "x", "schema": {}}}},
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "x",
                        "schema": {},
                        "description": None,
                        "strict": False,
                    },
                    "verbosity": "medium",
                }
            },
        ),
        ({"tool_choice": {"type": "function", "name": "f"}}, None),
    ],
)
def test_what_was_asked_is_told_as_it_was_understood(body: Json, told: Json | None) -> None:
    made = echoed(**body)
    for name, value in (told or body).items():
        assert made[name] == value


def test_tools_are_told_with_their_defaults_and_what_strict_became() -> None:
    function = {"type": "function", "name": "f", "parameters": None, "defer_loading": True}
    tools = echoed(
        tools=[
            function,
            {"type": "custom", "name": "c"},
            {"type": "namespace", "name": "n", "description": "d", "tools": [function]},
            {
                "type": "web_search",
                "external_web_access": False,
                "filters": None,
                "search_content_types": ["text"],
            },
        ]
    )["tools"]
    whole = {**function, "description": None, "strict": True}
    assert tools == [
        whole,
        {"type": "custom", "name": "c", "description": None, "format": {"type": "text"}},
        {"type": "namespace", "name": "n", "description": "d", "tools": [whole]},
        {"type": "web_search", "external_web_access": False},
    ]
