"""client.responses.input_tokens.count, parameter by parameter, through the official client.

The scripted model counts words.
"""

from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError
from tests.sdk.covering import Covering

from inhouse.contract import Contract
from inhouse.engines.scripted import Scripted

Json = dict[str, Any]
parameter = Covering()
ADD: Json = {"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": False}


@pytest.fixture
def count(client: AsyncOpenAI) -> Any:
    """Count with the parameters under test."""

    async def count(**parameters: Any) -> int:
        given: Json = {"model": "scripted", "input": "one two, as json", **parameters}
        counted = await client.responses.input_tokens.count(**given)
        assert counted.object == "response.input_tokens"
        return counted.input_tokens

    return count


async def refused(asked: Any) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        await asked
    return caught.value


def test_every_parameter_has_a_test_of_its_own() -> None:
    schema = Contract.load().operations["POST /responses/input_tokens"].body_schema
    assert parameter.names == set(schema["properties"])


@parameter("input")
async def test_the_input_is_counted_and_nothing_is_said(count: Any, engine: Scripted) -> None:
    assert await count() == 4
    items = [
        {"role": "developer", "content": "one"},
        {"role": "user", "content": [{"type": "input_text", "text": "two three"}]},
    ]
    assert await count(input=items) == 3
    assert engine.calls == []


@pytest.mark.parametrize("given", [{}, {"input": None}, {"input": []}])
async def test_nothing_cannot_be_counted(client: AsyncOpenAI, given: Any) -> None:
    error = await refused(client.responses.input_tokens.count(model="scripted", **given))
    assert (error.param, error.code) == ("input", "missing_required_parameter")


@parameter("model")
async def test_a_model_must_be_named(count: Any, client: AsyncOpenAI) -> None:
    assert await count(model="gpt-5.2") == 4
    with pytest.raises(NotFoundError) as caught:
        await count(model="nobody")
    assert caught.value.code == "model_not_found"
    for missing in (count(model=None), client.responses.input_tokens.count(input="one")):
        error = await refused(missing)
        assert (error.param, error.code) == ("model", "missing_required_parameter")


@parameter("instructions")
async def test_instructions_are_counted(count: Any) -> None:
    assert await count(instructions="five six") == 6


@parameter("previous_response_id")
async def test_what_came_before_is_counted(count: Any, client: AsyncOpenAI) -> None:
    first = await client.responses.create(
        model="scripted", input="one two three", instructions="not carried over"
    )
    assert await count(input="six", previous_response_id=first.id) == 6
    assert await count(input=None, previous_response_id=first.id) == 5
    assert await count(input=[], previous_response_id=first.id) == 5
    error = await refused(count(previous_response_id="resp_nobody"))
    assert (error.param, error.code) == ("previous_response_id", "previous_response_not_found")


@parameter("conversation")
async def test_a_conversation_is_counted_and_not_written(count: Any, client: AsyncOpenAI) -> None:
    items: Any = [{"role": "user", "content": "one two three"}]
    conversation = await client.conversations.create(items=items)
    assert await count(input="four", conversation=conversation.id) == 4
    assert await count(input=None, conversation={"id": conversation.id}) == 3
    page = await client.conversations.items.list(conversation.id)
    assert len(page.data) == 1
    both = count(conversation=conversation.id, previous_response_id="resp_1")
    assert (await refused(both)).code == "mutually_exclusive_parameters"


async def test_an_empty_conversation_has_nothing_to_count(count: Any, client: AsyncOpenAI) -> None:
    conversation = await client.conversations.create()
    error = await refused(count(input=[], conversation=conversation.id))
    assert (error.param, error.code) == ("input", "missing_required_parameter")


@parameter("tools")
async def test_tools_are_counted(count: Any) -> None:
    assert await count(tools=[ADD]) > await count()
    assert (await refused(count(model="plain", tools=[ADD]))).param == "tools"


@parameter("tool_choice")
async def test_tools_that_cannot_be_chosen_are_not_counted(count: Any) -> None:
    other = {**ADD, "name": "look"}
    one = {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "add"}],
    }
    assert await count(tools=[ADD, other], tool_choice=one) == await count(tools=[ADD])
    error = await refused(count(tools=[ADD], tool_choice={"type": "function", "name": "sub"}))
    assert error.param == "tool_choice"


@parameter("text")
async def test_a_format_is_counted(count: Any) -> None:
    form = {"type": "json_schema", "name": "x", "schema": {"type": "object"}}
    assert await count(text={"format": form}) > await count()
    assert await count(text={"verbosity": "low"}) == await count()
    loose = {**form, "strict": True}
    error = await refused(count(text={"format": loose}))
    assert (error.param, error.code) == ("text.format.schema", "invalid_json_schema")


@parameter("reasoning", "parallel_tool_calls")
@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("reasoning", {"effort": "low", "summary": "auto"}, {"effort": "some"}),
        ("parallel_tool_calls", False, "no"),
    ],
)
async def test_hints_count_nothing(count: Any, name: str, value: Any, wrong: Any) -> None:
    assert await count(**{name: value}) == await count()
    error = await refused(count(**{name: wrong}))
    assert (error.param or "").split(".")[0] == name


@parameter("truncation")
async def test_what_would_be_left_out_is_not_counted(count: Any) -> None:
    long = [{"role": "user", "content": "word " * words} for words in (4000, 10)]
    assert await count(input=long, truncation="disabled") == 4010
    assert await count(input=long, truncation="auto") == 10


@parameter("personality")
async def test_a_personality_is_refused(count: Any) -> None:
    error = await refused(count(personality="friendly"))
    assert (error.param, error.code) == ("personality", "unsupported_parameter")


async def test_what_only_a_response_has_is_refused(count: Any) -> None:
    error = await refused(count(extra_body={"temperature": 1}))
    assert (error.param, error.code) == ("temperature", "unknown_parameter")
