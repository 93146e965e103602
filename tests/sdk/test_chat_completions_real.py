"""Chat and legacy completions through the official client, with text that a model generates."""

import json
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError
from pydantic import BaseModel

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

Json = dict[str, Any]
USER: Json = {"role": "user", "content": "Say hello to Ann."}
WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 20}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


def asked(**parameters: Any) -> Json:
    return {"model": "gpt-5.2", "messages": [USER], "max_tokens": 24, "seed": 1, **parameters}


async def test_a_quick_start(real: AsyncOpenAI) -> None:
    done = await real.chat.completions.create(**asked(temperature=0))
    assert done.model == "smollm2-135m-instruct"
    assert done.choices[0].message.content
    assert 0 < done.usage.completion_tokens <= 24
    assert done.usage.prompt_tokens > 5


async def test_a_stream_says_what_the_object_says(real: AsyncOpenAI) -> None:
    done = await real.chat.completions.create(**asked(temperature=0))
    stream = await real.chat.completions.create(
        **asked(temperature=0, stream=True, stream_options={"include_usage": True})
    )
    chunks = [chunk async for chunk in stream]
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == done.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == done.usage.completion_tokens
    assert chunks[-2].choices[0].finish_reason == done.choices[0].finish_reason


class Person(BaseModel):
    name: str
    age: int


async def test_parse_gives_an_object(real: AsyncOpenAI) -> None:
    done = await real.chat.completions.parse(
        model="gpt-5.2",
        messages=[{"role": "user", "content": "Ann is 41 years old."}],
        response_format=Person,
        max_tokens=100,
        temperature=0,
    )
    parsed = done.choices[0].message.parsed
    assert isinstance(parsed, Person)


async def test_json_mode_gives_json(real: AsyncOpenAI) -> None:
    done = await real.chat.completions.create(
        **asked(
            messages=[{"role": "user", "content": "A short json object with the key a."}],
            response_format={"type": "json_object"},
            max_tokens=200,
            temperature=0,
        )
    )
    assert done.choices[0].finish_reason in {"stop", "length"}
    if done.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(done.choices[0].message.content or ""), dict)


async def test_a_function_is_called_and_its_result_is_read(real: AsyncOpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    done = await real.chat.completions.create(
        **asked(
            messages=messages,
            tools=[WEATHER],
            tool_choice="required",
            max_tokens=80,
            temperature=0,
        )
    )
    (call, *_) = done.choices[0].message.tool_calls or ()
    assert call.function.name == "get_weather"
    assert set(json.loads(call.function.arguments)) == {"city"}
    assert done.choices[0].finish_reason == "tool_calls"
    messages += [
        done.choices[0].message,
        {"role": "tool", "tool_call_id": call.id, "content": "18 degrees and sunny"},
    ]
    after = await real.chat.completions.create(
        **asked(messages=messages, tools=[WEATHER], tool_choice="none")
    )
    assert after.choices[0].message.content


async def test_a_named_function_is_called_in_a_stream(real: AsyncOpenAI) -> None:
    async with real.chat.completions.stream(
        model="gpt-5.2",
        messages=[{"role": "user", "content": "What is the weather in Rome?"}],
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        max_tokens=80,
        temperature=0,
    ) as stream:
        done = await stream.get_final_completion()
    (call,) = done.choices[0].message.tool_calls or ()
    assert isinstance(call.function.parsed_arguments, dict)


async def test_a_custom_tools_input_follows_its_grammar(real: AsyncOpenAI) -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "[a-z]{1,8}"}}
    done = await real.chat.completions.create(
        **asked(
            tools=[{"type": "custom", "custom": {"name": "look", "format": grammar}}],
            tool_choice={"type": "custom", "custom": {"name": "look"}},
            max_tokens=60,
        )
    )
    (call,) = done.choices[0].message.tool_calls or ()
    assert call.custom.input.isalpha()
    assert len(call.custom.input) <= 8


async def test_choices_logprobs_and_seeds(real: AsyncOpenAI) -> None:
    done = await real.chat.completions.create(
        **asked(n=2, logprobs=True, top_logprobs=2, max_tokens=5)
    )
    assert [choice.index for choice in done.choices] == [0, 1]
    for choice in done.choices:
        entries = choice.logprobs.content
        assert "".join(entry.token for entry in entries).strip() in choice.message.content + " "
        assert all(len(entry.top_logprobs) == 2 for entry in entries)
    again = await real.chat.completions.create(**asked(max_tokens=8))
    assert (await real.chat.completions.create(**asked(max_tokens=8))).choices == again.choices


async def test_stop_ends_the_answer_before_it(real: AsyncOpenAI) -> None:
    done = await real.chat.completions.create(**asked(stop=[" ", ","], temperature=0))
    assert " " not in (done.choices[0].message.content or "").strip()
    assert done.choices[0].finish_reason == "stop"


async def test_a_prediction_that_comes_true_is_accepted(real: AsyncOpenAI) -> None:
    said = (await real.chat.completions.create(**asked(temperature=0))).choices[0].message.content
    done = await real.chat.completions.create(
        **asked(temperature=0, prediction={"type": "content", "content": said})
    )
    details = done.usage.completion_tokens_details
    assert details.accepted_prediction_tokens > 0
    assert details.rejected_prediction_tokens == 0


async def test_the_start_of_a_conversation_is_cached(real: AsyncOpenAI) -> None:
    long = {"role": "system", "content": "You are kind. " * 60}
    for _ in range(2):
        done = await real.chat.completions.create(**asked(messages=[long, USER]))
    assert done.usage.prompt_tokens_details.cached_tokens > 100


async def test_a_conversation_beyond_the_context_is_refused(real: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        await real.chat.completions.create(
            **asked(messages=[{"role": "user", "content": "word " * 5000}])
        )
    assert caught.value.code == "context_length_exceeded"


async def test_a_schema_that_cannot_be_held_is_refused(real: AsyncOpenAI) -> None:
    bad = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?=x)["}}}
    with pytest.raises(BadRequestError):
        await real.chat.completions.create(
            **asked(
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "x", "schema": bad},
                }
            )
        )


async def test_legacy_completions_in_all_forms(real: AsyncOpenAI) -> None:
    body: Json = {"model": "gpt-5.2", "prompt": "Once upon a time", "max_tokens": 6, "seed": 3}
    done = await real.completions.create(**body, echo=True)
    assert done.choices[0].text.startswith("Once upon a time")
    assert done.choices[0].finish_reason == "length"
    several = await real.completions.create(**{**body, "prompt": ["A", "B"], "n": 2})
    assert [choice.index for choice in several.choices] == [0, 1, 2, 3]
    best = await real.completions.create(**body, best_of=3, logprobs=2)
    (choice,) = best.choices
    assert len(choice.logprobs.tokens) == 6
    assert all(len(top) == 2 for top in choice.logprobs.top_logprobs)
    assert best.usage.completion_tokens == 18
    ids = await real.completions.create(**{**body, "prompt": [[1, 2, 3], [4, 5]]})
    assert len(ids.choices) == 2
    stream = await real.completions.create(**body, stream=True)
    text = "".join([chunk.choices[0].text async for chunk in stream])
    assert text == (await real.completions.create(**body)).choices[0].text


async def test_hints_and_sampling_are_taken_by_the_real_model(real: AsyncOpenAI) -> None:
    done = await real.chat.completions.create(
        **asked(
            reasoning_effort="low",
            verbosity="low",
            service_tier="flex",
            prompt_cache_key="k",
            prompt_cache_retention="24h",
            safety_identifier="s",
            user="u",
            store=True,
            metadata={"a": "b"},
            frequency_penalty=0.5,
            presence_penalty=0.5,
            logit_bias={"42": -100},
            top_p=0.9,
            modalities=["text"],
            response_format={"type": "text"},
            extra_body={
                "prompt_cache_options": {"mode": "implicit"},
                "top_k": 20,
                "min_p": 0.05,
                "typical_p": 0.9,
                "repetition_penalty": 1.1,
            },
        )
    )
    assert done.choices[0].message.content
    assert (await real.chat.completions.retrieve(done.id)).choices == done.choices


async def test_functions_of_the_old_form_are_called_by_the_real_model(real: AsyncOpenAI) -> None:
    done = await real.chat.completions.create(
        **asked(
            functions=[{k: v for k, v in WEATHER["function"].items() if k != "strict"}],
            function_call={"name": "get_weather"},
            max_tokens=60,
            temperature=0,
        )
    )
    call = done.choices[0].message.function_call
    assert call.name == "get_weather"
    assert isinstance(json.loads(call.arguments), dict)
    assert done.choices[0].finish_reason == "function_call"
