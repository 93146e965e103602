"""Responses of the default model, which runs in a child process."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

if TYPE_CHECKING:
    from openai import AsyncOpenAI

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

MODEL = "gpt-4o-mini"
STORY = "Once upon a time a small dog lived with a tall cat in a red house by the sea. " * 12


class City(BaseModel):
    name: str
    country: str


async def test_a_response_is_generated_and_streams_as_it_reads(real: "AsyncOpenAI") -> None:
    asked: dict[str, Any] = {"model": MODEL, "input": "Say hello.", "temperature": 0.0}
    whole = await real.responses.create(**asked, max_output_tokens=20)
    assert whole.output_text
    assert whole.model.startswith("smollm2")
    stream = await real.responses.create(**asked, max_output_tokens=20, stream=True)
    said = [event.delta async for event in stream if event.type == "response.output_text.delta"]
    assert "".join(said) == whole.output_text
    assert len(said) > 1


async def test_a_schema_is_kept(real: "AsyncOpenAI") -> None:
    parsed = await real.responses.parse(
        model=MODEL,
        input="Name a city.",
        text_format=City,
        max_output_tokens=100,
        temperature=0.0,
    )
    assert isinstance(parsed.output_parsed, City)


async def test_a_required_function_is_called_and_its_output_is_read(real: "AsyncOpenAI") -> None:
    tools: Any = [
        {
            "type": "function",
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
                "additionalProperties": False,
            },
            "strict": True,
        }
    ]
    first = await real.responses.create(
        model=MODEL,
        input="What is the weather in Paris?",
        tools=tools,
        tool_choice="required",
        max_output_tokens=60,
        temperature=0.0,
    )
    call = first.output[-1]
    assert call.type == "function_call"
    assert call.name == "get_weather"
    second = await real.responses.create(
        model=MODEL,
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}],
        tools=tools,
        tool_choice="none",
        max_output_tokens=20,
    )
    assert second.output_text


async def test_turns_of_a_conversation_read_their_beginning_from_the_cache(
    real: "AsyncOpenAI",
) -> None:
    asked: dict[str, Any] = {"model": MODEL, "max_output_tokens": 16, "temperature": 0.0}
    first = await real.responses.create(**asked, input=f"{STORY} Who lived there?")
    second = await real.responses.create(**asked, input="And where?", previous_response_id=first.id)
    assert first.usage
    assert second.usage
    assert second.usage.input_tokens > first.usage.input_tokens
    assert second.usage.input_tokens_details.cached_tokens > first.usage.input_tokens * 0.8


async def test_input_tokens_are_those_that_the_model_reads(real: "AsyncOpenAI") -> None:
    asked: dict[str, Any] = {
        "model": MODEL,
        "input": "How are you?",
        "instructions": "Be short.",
    }
    counted = await real.responses.input_tokens.count(**asked)
    made = await real.responses.create(**asked, max_output_tokens=16)
    assert made.usage
    assert counted.input_tokens == made.usage.input_tokens


async def test_a_background_response_is_cancelled_while_it_reads(real: "AsyncOpenAI") -> None:
    made = await real.responses.create(model=MODEL, input=STORY * 3, background=True)
    ended = await real.responses.cancel(made.id)
    assert ended.status in {"cancelled", "completed"}
    await asyncio.sleep(0.2)
    assert (await real.responses.retrieve(made.id)).status == ended.status


async def test_a_long_input_is_cut_from_its_beginning(real: "AsyncOpenAI") -> None:
    items: Any = [{"role": "user", "content": STORY}] * 12
    made = await real.responses.create(
        model=MODEL, input=items, truncation="auto", max_output_tokens=16
    )
    assert made.usage
    assert 1000 < made.usage.input_tokens <= 2048 - 16
