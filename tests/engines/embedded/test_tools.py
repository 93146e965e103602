"""Tool calls of the embedded engine on the real model: held to their schemas, whatever it wants."""

import re
from typing import Any

import pytest
from tests.engines.embedded.hearing import ASK, TOOLS, check, custom, hear

from inhouse.engines.embedded.text import EmbeddedText
from inhouse.engines.text import Json

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]


FORCED: list[Any] = [
    "required",
    {"type": "function", "function": {"name": "add"}},
    {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "required",
            "tools": [{"type": "function", "function": {"name": "get_weather"}}],
        },
    },
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("choice", FORCED, ids=["required", "named", "allowed"])
async def test_a_call_that_must_be_made_is_always_a_valid_one(
    engine: EmbeddedText, choice: Any, seed: int, *, stream: bool
) -> None:
    heard = await hear(
        engine,
        tools=TOOLS,
        tool_choice=choice,
        seed=seed,
        temperature=1.5,
        max_tokens=100,
        stream=stream,
    )
    assert heard.text == ""
    (call,) = heard.calls[0]
    check(call)
    assert heard.reasons == {0: "tool_calls"}


@pytest.mark.parametrize("seed", range(6))
async def test_a_call_that_may_be_made_is_valid_or_text(engine: EmbeddedText, seed: int) -> None:
    heard = await hear(engine, tools=TOOLS, seed=seed, temperature=1.2, max_tokens=60)
    for call in heard.calls.get(0, ()):
        if heard.reasons[0] == "tool_calls":
            check(call)
    assert "<tool_call>" not in heard.text


async def test_a_model_led_to_a_call_makes_one(engine: EmbeddedText) -> None:
    """Text that the model began with the marker is a call: a bias leads it there."""
    marker = await engine.tokenize("<tool_call>")
    heard = await hear(engine, tools=TOOLS, logit_bias={str(marker[0]): 30}, max_tokens=100)
    if heard.calls:
        check(heard.calls[0][0])


async def test_parallel_calls_are_each_valid(engine: EmbeddedText) -> None:
    heard = await hear(
        engine, tools=TOOLS, tool_choice="required", parallel_tool_calls=True, max_tokens=150
    )
    whole = heard.calls[0] if heard.reasons[0] == "tool_calls" else heard.calls[0][:-1]
    assert heard.calls[0]
    for call in whole:
        check(call)


async def test_choices_call_each_for_themselves(engine: EmbeddedText) -> None:
    heard = await hear(engine, n=3, tools=TOOLS, tool_choice="required", max_tokens=100)
    assert sorted(heard.calls) == [0, 1, 2]
    for calls in heard.calls.values():
        check(calls[0])


async def test_a_call_cut_by_the_limit_ends_with_length(engine: EmbeddedText) -> None:
    heard = await hear(engine, tools=TOOLS, tool_choice="required", max_tokens=16)
    assert heard.reasons == {0: "length"}


async def test_no_tools_means_no_calls(engine: EmbeddedText) -> None:
    heard = await hear(engine, tools=TOOLS, tool_choice="none")
    assert not heard.calls
    assert heard.text


@pytest.mark.parametrize(
    ("tool", "pattern"),
    [
        (custom("calc", "lark", 'start: N "+" N\nN: /[0-9]{1,3}/'), r"\d{1,3}\+\d{1,3}"),
        (custom("date", "regex", r"20[0-9]{2}/[01][0-9]"), r"20\d\d/[01]\d"),
    ],
)
async def test_a_custom_tools_input_follows_its_grammar(
    engine: EmbeddedText, tool: Json, pattern: str
) -> None:
    heard = await hear(engine, tools=[tool], tool_choice="required", max_tokens=50)
    (call,) = heard.calls[0]
    assert call["kind"] == "custom"
    assert re.fullmatch(pattern, call["arguments"])
    assert heard.reasons == {0: "tool_calls"}


async def test_a_custom_tool_without_a_grammar_takes_text(engine: EmbeddedText) -> None:
    heard = await hear(engine, tools=[custom("python")], tool_choice="required", max_tokens=40)
    assert heard.calls[0][0]["name"] == "python"
    assert "</tool_call>" not in heard.calls[0][0]["arguments"]


async def test_a_conversation_with_calls_and_results_goes_on(engine: EmbeddedText) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    messages = [
        {"role": "developer", "content": [{"type": "text", "text": "Be short."}]},
        *ASK,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "21 degrees"},
    ]
    assert (await hear(engine, messages=messages, tools=TOOLS)).reasons


async def test_an_assistants_last_message_is_not_continued(engine: EmbeddedText) -> None:
    messages = [*ASK, {"role": "assistant", "content": "It is sunny."}]
    prompt = await engine.prompt({"messages": messages})
    assert prompt.endswith("It is sunny.<|im_end|>\n<|im_start|>assistant\n")
