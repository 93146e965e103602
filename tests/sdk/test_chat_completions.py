"""client.chat.completions.create, parameter by parameter, through the official client."""

import base64
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError
from pydantic import BaseModel
from tests.sdk.covering import Covering

from inhouse.agent.chat.parameters import CHAT
from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.text import Finish, Reasoning, Refusal, Text, ToolCall, Usage

Json = dict[str, Any]
parameter = Covering()
USER: Json = {"role": "user", "content": "Hi, as json"}
ADD: Json = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}},
            "required": ["a"],
            "additionalProperties": False,
        },
    },
}
CALLS = [
    [ToolCall(0, 0, '{"a":', "call_1", "add")],
    [ToolCall(0, 0, "1}"), Finish(0, "tool_calls"), Usage(9, 4)],
]
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8)).decode()


@pytest.fixture
def ask(client: AsyncOpenAI) -> Any:
    """Ask with the parameters under test."""

    async def ask(**parameters: Any) -> Any:
        return await client.chat.completions.create(
            **{"model": "scripted", "messages": [USER], **parameters}
        )

    return ask


async def refused(asked: Any) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        await asked
    return caught.value


async def chunks(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


def test_every_parameter_has_a_test_of_its_own() -> None:
    assert parameter.names == set(CHAT)


@parameter("model")
async def test_the_answer_names_the_real_model(ask: Any) -> None:
    assert (await ask(model="gpt-5.2")).model == "scripted"
    with pytest.raises(NotFoundError) as caught:
        await ask(model="nobody")
    assert caught.value.code == "model_not_found"


async def test_a_model_without_text_is_refused(ask: Any) -> None:
    assert (await refused(ask(model="vectors"))).param == "model"


@parameter("messages")
async def test_messages_reach_the_engine_and_its_words_come_back(
    ask: Any, engine: Scripted
) -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "Hi", "name": "Ann"},
    ]
    done = await ask(messages=messages)
    assert done.choices[0].message.content == "Hello there."
    assert done.choices[0].message.role == "assistant"
    assert done.choices[0].finish_reason == "stop"
    assert done.object == "chat.completion"
    assert done.id.startswith("chatcmpl-")
    assert done.system_fingerprint.startswith("fp_")
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (1, 3)
    (call,) = engine.calls
    assert call.body["messages"] == [
        {"role": "developer", "content": "Be brief."},
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi", "name": "Ann"},
    ]


async def test_an_answer_can_be_said_again_as_it_is(ask: Any, engine: Scripted) -> None:
    engine.script = CALLS
    done = await ask(tools=[ADD])
    replayed = done.choices[0].message.model_dump()
    result = {"role": "tool", "tool_call_id": "call_1", "content": "2"}
    await ask(messages=[USER, replayed, result], tools=[ADD])
    asked = engine.calls[1].body["messages"][1]
    assert asked["tool_calls"] == done.choices[0].message.model_dump()["tool_calls"]


async def test_an_image_goes_to_a_model_that_sees_and_to_no_other(
    ask: Any, engine: Scripted
) -> None:
    url = f"data:image/png;base64,{PNG}"
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
    await ask(messages=messages)
    (part,) = engine.calls[0].body["messages"][0]["content"]
    assert part["image_url"]["url"] == url
    error = await refused(ask(model="plain", messages=messages))
    assert error.param == "messages[0].content[0].type"


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,!!!!",
        "data:image/png;base64,aGVsbG8=",
        "data:text/plain;base64,aGVsbG8=",
        "ftp://example.com/a.png",
        "",
    ],
)
async def test_what_is_no_image_is_refused(ask: Any, url: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}
    error = await refused(ask(messages=[{"role": "user", "content": [part]}]))
    assert error.param == "messages[0].content[0].image_url.url"


@parameter("frequency_penalty", "presence_penalty", "logit_bias", "seed", "temperature", "top_p")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frequency_penalty", 0.5),
        ("presence_penalty", -0.5),
        ("logit_bias", {"42": -100}),
        ("seed", 7),
        ("temperature", 0),
        ("top_p", 0.9),
    ],
)
async def test_sampling_is_the_engines(ask: Any, engine: Scripted, name: str, value: Any) -> None:
    await ask(**{name: value})
    assert engine.calls[0].body[name] == value


async def test_a_bias_for_what_is_no_token_id_is_refused(ask: Any) -> None:
    assert (await refused(ask(logit_bias={"hello": 1}))).param == "logit_bias"


@parameter("max_tokens", "max_completion_tokens")
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_a_limit_ends_the_answer_with_length(ask: Any, engine: Scripted, name: str) -> None:
    engine.script = answer("He", finish="length")
    done = await ask(**{name: 1})
    assert engine.calls[0].body[name] == 1
    assert done.choices[0].finish_reason == "length"


async def test_both_limits_at_once_are_refused(ask: Any) -> None:
    error = await refused(ask(max_tokens=1, max_completion_tokens=1))
    assert (error.param, error.code) == ("max_tokens", "invalid_parameter_combination")


@parameter("n")
async def test_n_choices_come_by_index(ask: Any, engine: Scripted) -> None:
    engine.script = lambda call: answer("Hi", choices=call.body["n"])
    done = await ask(n=3)
    assert [choice.index for choice in done.choices] == [0, 1, 2]
    assert (await refused(ask(n=129))).code == "integer_above_max_value"


@parameter("stop")
@pytest.mark.parametrize("stop", ["END", ["a", "b"]])
async def test_stop_is_the_engines(ask: Any, engine: Scripted, stop: Any) -> None:
    await ask(stop=stop)
    assert engine.calls[0].body["stop"] == stop


@parameter("logprobs")
async def test_logprobs_come_for_every_token(ask: Any, engine: Scripted) -> None:
    entry = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    engine.script = [[Text(0, "Hi", [entry]), Finish(0, "stop"), Usage(1, 1)]]
    done = await ask(logprobs=True)
    assert done.choices[0].logprobs.content[0].logprob == -0.5
    assert done.choices[0].logprobs.refusal is None
    (_, second, _) = await chunks(await ask(logprobs=True, stream=True))
    assert [each.token for each in second.choices[0].logprobs.content] == ["Hi"]
    assert (await refused(ask(model="plain", logprobs=True))).param == "logprobs"


@parameter("top_logprobs")
async def test_top_logprobs_need_logprobs(ask: Any, engine: Scripted) -> None:
    await ask(logprobs=True, top_logprobs=3)
    assert engine.calls[0].body["top_logprobs"] == 3
    assert (await refused(ask(top_logprobs=3))).param == "top_logprobs"


@parameter("response_format")
async def test_the_format_is_the_engines_and_strict_schemas_are_checked(
    ask: Any, engine: Scripted
) -> None:
    schema = ADD["function"]["parameters"]
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    for each in ({"type": "text"}, {"type": "json_object"}, wanted):
        await ask(response_format=each)
        assert engine.calls[-1].body["response_format"] == each
    loose = {"name": "x", "strict": True, "schema": {"type": "object", "properties": {}}}
    error = await refused(ask(response_format={"type": "json_schema", "json_schema": loose}))
    assert (error.param, error.code) == ("response_format", "invalid_json_schema")
    assert (await refused(ask(model="plain", response_format=wanted))).param == "response_format"


async def test_json_mode_needs_the_word_json(ask: Any) -> None:
    plain = {"role": "user", "content": "Hi"}
    error = await refused(ask(messages=[plain], response_format={"type": "json_object"}))
    assert error.param == "messages"


class Point(BaseModel):
    x: int
    y: int


async def test_parse_gives_an_object(client: AsyncOpenAI, engine: Scripted) -> None:
    engine.script = answer('{"x":1,', '"y":2}')
    done = await client.chat.completions.parse(
        model="scripted", messages=[USER], response_format=Point
    )
    assert done.choices[0].message.parsed == Point(x=1, y=2)
    async with client.chat.completions.stream(
        model="scripted", messages=[USER], response_format=Point
    ) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.parsed == Point(x=1, y=2)


@parameter("stream")
async def test_a_stream_opens_with_the_role_and_ends_with_the_reason(
    ask: Any, engine: Scripted
) -> None:
    first, *middle, last = await chunks(await ask(stream=True))
    assert first.choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.content for chunk in middle] == ["Hello", " there", "."]
    assert last.choices[0].finish_reason == "stop"
    assert {chunk.id for chunk in middle} == {first.id}
    assert engine.calls[0].body["stream"] is True


@parameter("stream_options")
async def test_usage_comes_in_a_chunk_of_its_own_if_asked(ask: Any) -> None:
    stream = await ask(
        stream=True, stream_options={"include_usage": True, "include_obfuscation": False}
    )
    *others, last = await chunks(stream)
    assert all(chunk.usage is None for chunk in others)
    assert last.choices == []
    assert last.usage.total_tokens == 4
    assert last.usage.completion_tokens_details.reasoning_tokens == 0
    assert (await refused(ask(stream_options={"include_usage": True}))).param == "stream_options"


@parameter("stream_options")
async def test_obfuscation_pads_what_is_said_and_changes_nothing_else(
    ask: Any, engine: Scripted
) -> None:
    engine.script = answer("a", "a much longer piece than the first")
    stream = await ask(stream=True, stream_options={"include_obfuscation": True})
    told = await chunks(stream)
    said = [chunk.choices[0].delta.content or "" for chunk in told]
    assert "".join(said) == "aa much longer piece than the first"
    assert all(chunk.obfuscation for chunk in told)
    assert len(told[1].obfuscation) != len(told[2].obfuscation)


@parameter("modalities")
async def test_text_is_the_only_modality(ask: Any) -> None:
    await ask(modalities=["text"])
    assert (await refused(ask(modalities=["text", "audio"]))).param == "modalities"


@parameter("audio")
async def test_audio_is_refused(ask: Any) -> None:
    error = await refused(ask(audio={"format": "wav", "voice": "alloy"}))
    assert (error.param, error.code) == ("audio", "unsupported_parameter")


@parameter("moderation")
async def test_moderation_is_refused(ask: Any) -> None:
    error = await refused(ask(extra_body={"moderation": {"model": "omni-moderation-latest"}}))
    assert error.param == "moderation"


@parameter("web_search_options")
async def test_web_search_is_refused(ask: Any) -> None:
    assert (await refused(ask(web_search_options={}))).param == "web_search_options"


@parameter("tools")
async def test_functions_are_called(ask: Any, engine: Scripted) -> None:
    engine.script = CALLS
    done = await ask(tools=[ADD])
    (call,) = done.choices[0].message.tool_calls
    assert (call.id, call.type) == ("call_1", "function")
    assert (call.function.name, call.function.arguments) == ("add", '{"a":1}')
    assert done.choices[0].message.content is None
    assert done.choices[0].finish_reason == "tool_calls"
    assert engine.calls[0].body["tools"] == [ADD]
    assert (await refused(ask(model="plain", tools=[ADD]))).param == "tools"


async def test_functions_are_called_in_a_stream(client: AsyncOpenAI, engine: Scripted) -> None:
    engine.script = CALLS
    strict = {"type": "function", "function": {**ADD["function"], "strict": True}}
    async with client.chat.completions.stream(
        model="scripted", messages=[USER], tools=[strict]
    ) as stream:
        done = await stream.get_final_completion()
    (call,) = done.choices[0].message.tool_calls or ()
    assert call.function.parsed_arguments == {"a": 1}


async def test_custom_tools_are_called(ask: Any, engine: Scripted) -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "[a-z]+"}}
    tool = {"type": "custom", "custom": {"name": "look", "format": grammar}}
    engine.script = [
        [ToolCall(0, 0, "ab", "call_1", "look", "custom"), ToolCall(0, 0, "c", kind="custom")],
        [Finish(0, "tool_calls"), Usage(1, 1)],
    ]
    done = await ask(tools=[tool])
    (call,) = done.choices[0].message.tool_calls
    assert (call.type, call.custom.name, call.custom.input) == ("custom", "look", "abc")
    told = await chunks(await ask(tools=[tool], stream=True))
    pieces = [call for chunk in told for call in chunk.choices[0].delta.tool_calls or ()]
    assert "".join(piece.custom["input"] for piece in pieces) == "abc"


async def test_a_strict_function_has_a_strict_schema(ask: Any) -> None:
    loose = {"name": "f", "strict": True, "parameters": {"type": "object", "properties": {}}}
    error = await refused(ask(tools=[{"type": "function", "function": loose}]))
    assert (error.param, error.code) == (
        "tools[0].function.parameters",
        "invalid_function_parameters",
    )


@parameter("tool_choice")
@pytest.mark.parametrize(
    ("choice", "mode"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "add"}}, "required"),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "add"}}],
                },
            },
            "required",
        ),
    ],
)
async def test_tool_choice_in_all_its_forms(
    ask: Any, engine: Scripted, choice: Any, mode: str
) -> None:
    await ask(tools=[ADD], tool_choice=choice)
    assert engine.calls[0].body["tool_choice"] == mode


async def test_tool_choice_needs_a_tool_that_is_there(ask: Any) -> None:
    assert (await refused(ask(tool_choice="auto"))).param == "tool_choice"
    choice = {"type": "function", "function": {"name": "sub"}}
    assert (await refused(ask(tools=[ADD], tool_choice=choice))).param == "tool_choice"


@parameter("parallel_tool_calls")
async def test_parallel_calls_are_the_engines_to_allow(ask: Any, engine: Scripted) -> None:
    await ask(tools=[ADD], parallel_tool_calls=False)
    assert engine.calls[0].body["parallel_tool_calls"] is False
    assert (await refused(ask(parallel_tool_calls=False))).param == "parallel_tool_calls"


@parameter("functions", "function_call")
async def test_functions_of_the_old_form_are_called_in_it(ask: Any, engine: Scripted) -> None:
    engine.script = CALLS
    done = await ask(functions=[ADD["function"]], function_call={"name": "add"})
    choice = done.choices[0]
    assert (choice.message.function_call.name, choice.message.function_call.arguments) == (
        "add",
        '{"a":1}',
    )
    assert choice.finish_reason == "function_call"
    assert choice.message.tool_calls is None
    assert engine.calls[0].body["tools"] == [ADD]
    assert engine.calls[0].body["tool_choice"] == "required"
    told = await chunks(await ask(functions=[ADD["function"]], stream=True))
    pieces = [chunk.choices[0].delta.function_call for chunk in told]
    assert "".join(piece.arguments for piece in pieces if piece) == '{"a":1}'
    assert (await refused(ask(function_call="auto"))).param == "function_call"


@parameter(
    "reasoning_effort",
    "verbosity",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reasoning_effort", "low"),
        ("verbosity", "low"),
        ("prompt_cache_key", "k"),
        ("prompt_cache_options", {"mode": "implicit"}),
        ("prompt_cache_retention", "24h"),
    ],
)
async def test_hints_are_taken_by_every_model(
    ask: Any, engine: Scripted, name: str, value: Any
) -> None:
    await ask(model="plain", extra_body={name: value})
    assert engine.calls[0].body[name] == value


@parameter("service_tier")
async def test_the_service_tier_is_echoed(ask: Any) -> None:
    assert (await ask()).service_tier == "default"
    assert (await ask(service_tier="flex")).service_tier == "flex"
    (first, *_) = await chunks(await ask(service_tier="priority", stream=True))
    assert first.service_tier == "priority"


@parameter("safety_identifier", "user")
@pytest.mark.parametrize("name", ["safety_identifier", "user"])
async def test_who_asks_is_not_told_to_the_engine(ask: Any, engine: Scripted, name: str) -> None:
    await ask(**{name: "ann"})
    assert name not in engine.calls[0].body


@parameter("prediction")
async def test_a_prediction_is_aligned_with_what_came(ask: Any, engine: Scripted) -> None:
    engine.script = answer("abx", "de")
    for stream in (False, True):
        done = await ask(
            prediction={"type": "content", "content": "abcde"},
            stream=stream,
            **({"stream_options": {"include_usage": True}} if stream else {}),
        )
        usage = (await chunks(done))[-1].usage if stream else done.usage
        details = usage.completion_tokens_details
        assert (details.accepted_prediction_tokens, details.rejected_prediction_tokens) == (4, 1)
        assert usage.total_tokens == 3


@parameter("store", "metadata")
async def test_metadata_is_for_what_is_stored(ask: Any, client: AsyncOpenAI) -> None:
    done = await ask(store=True, metadata={"team": "red"})
    kept = await client.chat.completions.retrieve(done.id)
    assert kept.choices == done.choices
    assert kept.to_dict()["metadata"] == {"team": "red"}
    assert (await refused(ask(metadata={"team": "red"}))).param == "metadata"
    unkept = await ask()
    with pytest.raises(NotFoundError):
        await client.chat.completions.retrieve(unkept.id)


EXTENSIONS: Json = {
    "top_k": 40,
    "min_p": 0.05,
    "typical_p": 0.9,
    "repetition_penalty": 1.1,
    "min_tokens": 2,
    "ignore_eos": True,
    "chat_template_kwargs": {"enable_thinking": False},
    "guided_json": {"type": "object"},
    "guided_regex": "a+",
    "guided_choice": ["yes", "no"],
    "guided_grammar": 'root ::= "a"',
}


@parameter(*EXTENSIONS)
@pytest.mark.parametrize("name", EXTENSIONS)
async def test_extensions_go_to_engines_that_honour_them(
    ask: Any, engine: Scripted, name: str
) -> None:
    await ask(extra_body={name: EXTENSIONS[name]})
    assert engine.calls[0].body[name] == EXTENSIONS[name]
    error = await refused(ask(model="plain", extra_body={name: EXTENSIONS[name]}))
    assert (error.param, error.code) == (name, "unsupported_parameter")


async def test_what_a_model_thinks_is_told_apart_and_counted(ask: Any, engine: Scripted) -> None:
    engine.script = [[Reasoning(0, "Hm."), Text(0, "Yes."), Finish(0, "stop"), Usage(1, 5, 0, 3)]]
    done = await ask()
    assert done.choices[0].message.reasoning_content == "Hm."
    assert done.choices[0].message.content == "Yes."
    assert done.usage.completion_tokens_details.reasoning_tokens == 3


async def test_a_refusal_is_told_apart(ask: Any, engine: Scripted) -> None:
    engine.script = [[Refusal(0, "No."), Finish(0, "stop"), Usage(1, 1)]]
    message = (await ask()).choices[0].message
    assert (message.refusal, message.content) == ("No.", None)


async def test_cached_tokens_are_reported(ask: Any, engine: Scripted) -> None:
    engine.script = answer("Hi", usage=Usage(100, 1, cached=64))
    assert (await ask()).usage.prompt_tokens_details.cached_tokens == 64
