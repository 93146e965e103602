"""client.responses.create, parameter by parameter, through the official client.

Tools have a file of their own (`test_responses_tools.py`), and so have inputs
(`test_responses_input.py`).
"""

from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError
from pydantic import BaseModel
from tests.sdk.covering import Covering

from inhouse.agent.responses.counting import too_long
from inhouse.agent.responses.parameters import RESPONSE
from inhouse.engines.scripted import Scripted, Step, answer
from inhouse.engines.text import Finish, Reasoning, Refusal, Text, TextCall, ToolCall, Usage
from inhouse.errors import BadRequest

Json = dict[str, Any]
parameter = Covering()
ADD: Json = {
    "type": "function",
    "name": "add",
    "description": None,
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    },
    "strict": True,
}
CALLS: list[Step] = [
    [ToolCall(0, 0, '{"a":', "call_1", "add")],
    [ToolCall(0, 0, "1}"), Finish(0, "tool_calls"), Usage(9, 4)],
]
THOUGHT: list[Step] = [
    [Reasoning(0, "Hm"), Reasoning(0, "m."), Text(0, "Yes.")],
    [Finish(0, "stop"), Usage(1, 5, 0, 3)],
]


@pytest.fixture
def ask(client: AsyncOpenAI) -> Any:
    """Ask with the parameters under test."""

    async def ask(**parameters: Any) -> Any:
        given: Json = {"model": "scripted", "input": "Hi, as json", **parameters}
        return await client.responses.create(**given)

    return ask


async def refused(asked: Any) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        await asked
    return caught.value


async def events(stream: Any) -> list[Any]:
    return [event async for event in stream]


def test_every_parameter_has_a_test_of_its_own() -> None:
    assert parameter.names == set(RESPONSE)


async def test_an_unknown_field_is_refused(ask: Any) -> None:
    error = await refused(ask(extra_body={"temprature": 1}))
    assert (error.param, error.code) == ("temprature", "unknown_parameter")


@parameter("model")
async def test_the_answer_names_the_real_model(ask: Any) -> None:
    assert (await ask(model="gpt-5.2")).model == "scripted"
    with pytest.raises(NotFoundError) as caught:
        await ask(model="nobody")
    assert caught.value.code == "model_not_found"
    assert (await refused(ask(model="vectors"))).param == "model"
    error = await refused(ask(model=None))
    assert (error.param, error.code) == ("model", "missing_required_parameter")


@parameter("input")
async def test_the_input_reaches_the_engine_and_its_words_come_back(
    ask: Any, engine: Scripted
) -> None:
    done = await ask(input="Hi")
    assert done.output_text == "Hello there."
    (message,) = done.output
    assert (message.type, message.role, message.status) == ("message", "assistant", "completed")
    assert message.id.startswith("msg_")
    assert done.id.startswith("resp_")
    assert (done.status, done.error, done.incomplete_details) == ("completed", None, None)
    assert done.completed_at >= done.created_at
    assert (done.usage.input_tokens, done.usage.output_tokens, done.usage.total_tokens) == (1, 3, 4)
    (call,) = engine.calls
    assert call.body == {"messages": [{"role": "user", "content": "Hi"}]}


@parameter("instructions")
async def test_instructions_come_first_and_are_not_carried_over(ask: Any, engine: Scripted) -> None:
    first = await ask(input="Hi", instructions="Be brief.")
    assert first.instructions == "Be brief."
    assert engine.calls[0].body["messages"][0] == {"role": "system", "content": "Be brief."}
    second = await ask(input="And?", previous_response_id=first.id)
    assert second.instructions is None
    roles = [message["role"] for message in engine.calls[1].body["messages"]]
    assert roles == ["user", "assistant", "user"]


@parameter("previous_response_id")
async def test_a_response_goes_on_from_another(ask: Any, engine: Scripted) -> None:
    first = await ask(input="One")
    second = await ask(input="Two", previous_response_id=first.id)
    third = await ask(input="Three", previous_response_id=second.id)
    assert third.previous_response_id == second.id
    said = [message["content"] for message in engine.calls[2].body["messages"]]
    assert said == ["One", "Hello there.", "Two", "Hello there.", "Three"]
    error = await refused(ask(previous_response_id="resp_nobody"))
    assert (error.param, error.code) == ("previous_response_id", "previous_response_not_found")


@parameter("conversation")
async def test_a_conversation_has_what_was_said(
    ask: Any, client: AsyncOpenAI, engine: Scripted
) -> None:
    conversation = await client.conversations.create()
    first = await ask(input="One", conversation=conversation.id)
    assert first.conversation.id == conversation.id
    await ask(input="Two", conversation={"id": conversation.id})
    said = [message["content"] for message in engine.calls[1].body["messages"]]
    assert said == ["One", "Hello there.", "Two"]
    both = ask(conversation=conversation.id, previous_response_id=first.id)
    assert (await refused(both)).code == "mutually_exclusive_parameters"


@parameter("prompt", "moderation")
@pytest.mark.parametrize(
    ("name", "value"),
    [("prompt", {"id": "pmpt_1"}), ("moderation", {"model": "omni-moderation-latest"})],
)
async def test_what_needs_another_service_is_refused(ask: Any, name: str, value: Json) -> None:
    error = await refused(ask(extra_body={name: value}))
    assert (error.param, error.code) == (name, "unsupported_parameter")


@parameter("image", "access_programs")
@pytest.mark.parametrize(
    ("name", "idle", "other"),
    [
        ("image", {"context_compression": "auto"}, {"context_compression": "enabled"}),
        ("access_programs", {"cyber": "standard"}, {"cyber": "daybreak_red"}),
    ],
)
async def test_what_asks_for_nothing_is_taken(ask: Any, name: str, idle: Json, other: Json) -> None:
    assert getattr(await ask(extra_body={name: idle}), name) is not None
    error = await refused(ask(extra_body={name: other}))
    assert (error.param, error.code) == (name, "unsupported_parameter")


@parameter("temperature", "top_p")
@pytest.mark.parametrize(("name", "value", "over"), [("temperature", 0, 2.5), ("top_p", 0.9, 2)])
async def test_sampling_is_the_engines(
    ask: Any, engine: Scripted, name: str, value: float, over: float
) -> None:
    assert getattr(await ask(**{name: value}), name) == value
    assert engine.calls[0].body[name] == value
    assert getattr(await ask(), name) == 1
    assert name not in engine.calls[1].body
    assert (await refused(ask(**{name: over}))).param == name


@parameter("max_output_tokens")
async def test_a_limit_leaves_the_response_incomplete(ask: Any, engine: Scripted) -> None:
    engine.script = answer("He", finish="length")
    done = await ask(max_output_tokens=16)
    assert engine.calls[0].body["max_completion_tokens"] == 16
    assert (done.status, done.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert (done.output[0].status, done.output_text) == ("incomplete", "He")
    assert (done.max_output_tokens, done.completed_at) == (16, None)
    last = (await events(await ask(max_output_tokens=16, stream=True)))[-1]
    assert last.type == "response.incomplete"
    error = await refused(ask(max_output_tokens=15))
    assert (error.param, error.code) == ("max_output_tokens", "integer_below_min_value")


async def test_what_a_filter_cut_off_is_incomplete(ask: Any, engine: Scripted) -> None:
    engine.script = answer("He", finish="content_filter")
    done = await ask()
    assert (done.status, done.incomplete_details.reason) == ("incomplete", "content_filter")


@parameter("max_tool_calls")
async def test_a_limit_of_calls_is_echoed(ask: Any, engine: Scripted) -> None:
    engine.script = CALLS
    done = await ask(max_tool_calls=1, tools=[ADD])
    assert done.max_tool_calls == 1
    assert [item.type for item in done.output] == ["function_call"]  # the client's do not count
    error = await refused(ask(max_tool_calls=0))
    assert (error.param, error.code) == ("max_tool_calls", "integer_below_min_value")


@parameter("text")
async def test_the_format_is_the_engines_and_strict_schemas_are_checked(
    ask: Any, engine: Scripted
) -> None:
    schema = {"name": "x", "schema": ADD["parameters"], "strict": True}
    wanted = {"type": "json_schema", **schema}
    plain = await ask(text={"format": {"type": "text"}})
    assert plain.text.format.type == "text"
    assert "response_format" not in engine.calls[-1].body
    await ask(text={"format": {"type": "json_object"}})
    assert engine.calls[-1].body["response_format"] == {"type": "json_object"}
    done = await ask(text={"format": wanted})
    assert engine.calls[-1].body["response_format"] == {
        "type": "json_schema",
        "json_schema": schema,
    }
    assert done.text.format.schema_ == ADD["parameters"]
    loose = {**wanted, "schema": {"type": "object", "properties": {}}}
    error = await refused(ask(text={"format": loose}))
    assert (error.param, error.code) == ("text.format.schema", "invalid_json_schema")
    error = await refused(ask(model="plain", text={"format": wanted}))
    assert (error.param, error.code) == ("text.format", "unsupported_parameter")


async def test_json_mode_needs_the_word_json(ask: Any) -> None:
    error = await refused(ask(input="Hi", text={"format": {"type": "json_object"}}))
    assert error.param == "input"


async def test_verbosity_is_a_hint(ask: Any, engine: Scripted) -> None:
    assert (await ask(text={"verbosity": "low"})).text.verbosity == "low"
    assert engine.calls[0].body["verbosity"] == "low"
    assert (await ask()).text.verbosity == "medium"
    assert "verbosity" not in engine.calls[1].body


class Point(BaseModel):
    x: int
    y: int


async def test_parse_gives_an_object(client: AsyncOpenAI, engine: Scripted) -> None:
    engine.script = answer('{"x":1,', '"y":2}')
    done = await client.responses.parse(model="scripted", input="Hi", text_format=Point)
    assert done.output_parsed == Point(x=1, y=2)
    asked = engine.calls[0].body["response_format"]["json_schema"]
    assert (asked["name"], asked["strict"]) == ("Point", True)
    async with client.responses.stream(model="scripted", input="Hi", text_format=Point) as stream:
        final = await stream.get_final_response()
    assert final.output_parsed == Point(x=1, y=2)


@parameter("top_logprobs")
async def test_logprobs_come_for_every_token(ask: Any, engine: Scripted) -> None:
    other = {"token": "Ho", "logprob": -1.5, "bytes": [72, 111]}
    entry = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": [other]}
    engine.script = [[Text(0, "Hi", [entry]), Finish(0, "stop"), Usage(1, 1)]]
    done = await ask(top_logprobs=1, include=["message.output_text.logprobs"])
    assert (engine.calls[0].body["logprobs"], engine.calls[0].body["top_logprobs"]) == (True, 1)
    (told,) = done.output[0].content[0].logprobs
    assert (told.token, told.logprob, told.top_logprobs[0].token) == ("Hi", -0.5, "Ho")
    assert done.top_logprobs == 1
    streamed = await events(await ask(top_logprobs=1, stream=True))
    (delta,) = [event for event in streamed if event.type == "response.output_text.delta"]
    assert delta.logprobs[0].top_logprobs[0].logprob == -1.5
    assert (await refused(ask(model="plain", top_logprobs=1))).param == "top_logprobs"
    assert (await refused(ask(top_logprobs=21))).code == "integer_above_max_value"


INCLUDED = [
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
]


@parameter("include")
async def test_every_value_of_include_is_taken_and_no_other(ask: Any, engine: Scripted) -> None:
    engine.script = THOUGHT
    done = await ask(include=INCLUDED)
    assert done.output[0].encrypted_content
    assert engine.calls[0].body["logprobs"] is True
    error = await refused(ask(include=["everything"]))
    assert (error.param, error.code) == ("include[0]", "invalid_value")
    error = await refused(ask(model="plain", include=["message.output_text.logprobs"]))
    assert (error.param, error.code) == ("include", "unsupported_parameter")


@parameter("reasoning")
async def test_what_a_model_thinks_is_told_apart_and_counted(ask: Any, engine: Scripted) -> None:
    engine.script = THOUGHT
    done = await ask(reasoning={"effort": "low"})
    thought, message = done.output
    assert (thought.summary, thought.content[0].text) == ([], "Hmm.")
    assert (thought.encrypted_content, thought.status) == (None, "completed")
    assert message.content[0].text == "Yes."
    assert done.usage.output_tokens_details.reasoning_tokens == 3
    assert done.reasoning.effort == "low"
    assert engine.calls[0].body["reasoning_effort"] == "low"
    error = await refused(ask(reasoning={"mode": "pro"}))
    assert (error.param, error.code) == ("reasoning.mode", "unsupported_value")


@pytest.mark.parametrize("name", ["summary", "generate_summary"])
async def test_a_summary_takes_the_place_of_the_thoughts(
    ask: Any, engine: Scripted, name: str
) -> None:
    engine.script = THOUGHT
    streamed = await events(await ask(reasoning={name: "auto"}, stream=True))
    told = [event for event in streamed if ".reasoning" in event.type]
    assert [event.type.removeprefix("response.reasoning_summary_") for event in told] == [
        "part.added",
        "text.delta",
        "text.delta",
        "text.done",
        "part.done",
    ]
    thought = streamed[-1].response.output[0]
    assert thought.summary[0].text == told[3].text == "Hmm."
    assert not thought.content
    assert streamed[-1].response.reasoning.summary == "auto"


async def test_sealed_thoughts_come_back_to_the_model_that_had_them(
    ask: Any, engine: Scripted
) -> None:
    engine.script = THOUGHT
    user = {"role": "user", "content": "Hi"}
    include = ["reasoning.encrypted_content"]
    first = await ask(input=[user], store=False, include=include, reasoning={"summary": "auto"})
    thought = first.output[0].to_dict()
    assert "Hmm" not in thought["encrypted_content"]
    thought["summary"] = []
    replayed = [user, thought, first.output[1].to_dict(), user]
    await ask(input=replayed, store=False, reasoning={"context": "all_turns"})
    assert engine.calls[1].body["messages"][1]["reasoning_content"] == "Hmm."
    done = await ask(input=replayed, store=False)  # a new question: thoughts before it are over
    assert "reasoning_content" not in engine.calls[2].body["messages"][1]
    assert done.output[0].encrypted_content is None


@parameter("service_tier")
async def test_the_service_tier_is_echoed(ask: Any, engine: Scripted) -> None:
    assert (await ask()).service_tier == "default"
    assert (await ask(service_tier="flex")).service_tier == "flex"
    assert engine.calls[1].body["service_tier"] == "flex"
    (first, *_) = await events(await ask(service_tier="priority", stream=True))
    assert first.response.service_tier == "priority"


@parameter("metadata")
async def test_metadata_is_kept(ask: Any, client: AsyncOpenAI) -> None:
    done = await ask(metadata={"team": "red"})
    assert done.metadata == {"team": "red"}
    assert (await client.responses.retrieve(done.id)).metadata == {"team": "red"}
    assert (await refused(ask(metadata={"team": "r" * 513}))).param == "metadata.team"


@parameter("prompt_cache_key", "prompt_cache_retention")
@pytest.mark.parametrize(
    ("name", "value"), [("prompt_cache_key", "k"), ("prompt_cache_retention", "24h")]
)
async def test_hints_of_the_cache_are_the_engines(
    ask: Any, engine: Scripted, name: str, value: str
) -> None:
    assert getattr(await ask(model="plain", **{name: value}), name) == value
    assert engine.calls[0].body[name] == value


async def test_cached_tokens_are_reported(ask: Any, engine: Scripted) -> None:
    engine.script = answer("Hi", usage=Usage(100, 1, cached=64))
    assert (await ask()).usage.input_tokens_details.cached_tokens == 64


@parameter("prompt_cache_options")
async def test_options_of_the_cache_are_told_with_their_defaults(ask: Any) -> None:
    done = await ask(extra_body={"prompt_cache_options": {"mode": "explicit"}})
    assert done.to_dict()["prompt_cache_options"] == {"mode": "explicit", "ttl": "30m"}
    error = await refused(ask(extra_body={"prompt_cache_options": {"prewarm": True}}))
    assert (error.param, error.code) == ("prompt_cache_options.prewarm", "unsupported_parameter")


@parameter("safety_identifier", "user")
@pytest.mark.parametrize("name", ["safety_identifier", "user"])
async def test_who_asks_is_not_told_to_the_engine(ask: Any, engine: Scripted, name: str) -> None:
    assert getattr(await ask(**{name: "ann"}), name) == "ann"
    assert "ann" not in str(engine.calls[0].body)


@parameter("client_metadata")
async def test_what_a_client_says_of_itself_is_taken(ask: Any, engine: Scripted) -> None:
    done = await ask(extra_body={"client_metadata": {"turn": "7"}})
    assert "client_metadata" not in {**done.to_dict(), **engine.calls[0].body}


@parameter("truncation")
async def test_what_is_too_long_is_shortened_if_allowed(ask: Any, engine: Scripted) -> None:
    def script(call: TextCall) -> list[Step]:
        if len(call.body["messages"]) > 1:
            return [too_long()]
        return answer("Short.")

    engine.script = script
    said = [{"role": "user", "content": each} for each in ("One", "Two", "Three")]
    done = await ask(input=said, truncation="auto")
    assert (done.truncation, done.output_text) == ("auto", "Short.")
    assert engine.calls[-1].body["messages"] == [said[2]]
    error = await refused(ask(input=said))
    assert (error.param, error.code) == ("input", "context_length_exceeded")
    assert (await refused(ask(truncation="some"))).param == "truncation"


@parameter("context_management")
async def test_a_long_context_is_summed_up_before_it_is_read(ask: Any, engine: Scripted) -> None:
    said = [
        {"role": "user", "content": "Go on. " * 600},
        {"role": "assistant", "content": "Gone."},
        {"role": "user", "content": "Where?"},
    ]
    done = await ask(
        input=said, context_management=[{"type": "compaction", "compact_threshold": 1000}]
    )
    assert [item.type for item in done.output] == ["compaction", "message"]
    assert engine.calls[0].body["max_completion_tokens"] <= 4096 // 16
    read = [message["content"] for message in engine.calls[1].body["messages"]]
    assert (read[0], read[1]) == (said[0]["content"], "Where?")
    assert read[2].endswith("Hello there.")  # what the model said when it was to sum up
    assert done.usage.output_tokens == 6
    error = await refused(ask(context_management=[{"type": "forgetting"}]))
    assert (error.param, error.code) == ("context_management[0].type", "invalid_value")
    error = await refused(
        ask(context_management=[{"type": "compaction", "compact_threshold": 999}])
    )
    assert error.param == "context_management[0].compact_threshold"


@parameter("tools")
async def test_functions_are_called(ask: Any, engine: Scripted) -> None:
    engine.script = CALLS
    done = await ask(tools=[ADD])
    (call,) = done.output
    assert (call.type, call.call_id, call.name) == ("function_call", "call_1", "add")
    assert (call.arguments, call.status) == ('{"a":1}', "completed")
    (tool,) = engine.calls[0].body["tools"]
    assert tool["function"]["parameters"] == ADD["parameters"]
    assert done.tools[0].to_dict() == ADD
    assert (await refused(ask(model="plain", tools=[ADD]))).param == "tools"


async def test_parsed_functions_have_their_arguments(client: AsyncOpenAI, engine: Scripted) -> None:
    engine.script = CALLS
    tools: Any = [ADD]
    done = await client.responses.parse(model="scripted", input="Hi", tools=tools)
    call: Any = done.output[0]
    assert call.parsed_arguments == {"a": 1}


@parameter("tool_choice")
@pytest.mark.parametrize(
    ("choice", "mode"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "name": "add"}, "required"),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "add"}],
            },
            "required",
        ),
    ],
)
async def test_tool_choice_in_all_its_forms(
    ask: Any, engine: Scripted, choice: Any, mode: str
) -> None:
    done = await ask(tools=[ADD], tool_choice=choice)
    assert engine.calls[0].body["tool_choice"] == mode
    told = done.tool_choice
    assert (told if isinstance(told, str) else told.to_dict()) == choice


async def test_a_choice_needs_a_tool_that_is_there(ask: Any) -> None:
    error = await refused(ask(tools=[ADD], tool_choice={"type": "function", "name": "sub"}))
    assert error.param == "tool_choice"
    assert (await refused(ask(tool_choice="required"))).param == "tool_choice"


@parameter("parallel_tool_calls")
async def test_parallel_calls_are_the_engines_to_allow(ask: Any, engine: Scripted) -> None:
    done = await ask(tools=[ADD], parallel_tool_calls=False)
    assert done.parallel_tool_calls is False
    assert engine.calls[0].body["parallel_tool_calls"] is False
    assert (await ask(tools=[ADD])).parallel_tool_calls is True
    assert "parallel_tool_calls" not in engine.calls[1].body


@parameter("store")
async def test_what_is_not_stored_is_nowhere(ask: Any, client: AsyncOpenAI) -> None:
    kept = await ask()
    assert kept.to_dict()["store"] is True
    assert (await client.responses.retrieve(kept.id)).output == kept.output
    unkept = await ask(store=False)
    assert unkept.to_dict()["store"] is False
    with pytest.raises(NotFoundError):
        await client.responses.retrieve(unkept.id)
    assert (await refused(ask(previous_response_id=unkept.id))).param == "previous_response_id"


@parameter("stream")
async def test_a_stream_adds_up_to_the_object(ask: Any, engine: Scripted) -> None:
    told = await events(await ask(stream=True))
    assert engine.calls[0].body["stream"] is True
    assert [event.sequence_number for event in told] == list(range(len(told)))
    assert [event.type.removeprefix("response.") for event in told] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    first, last = told[0].response, told[-1].response
    assert (first.status, first.output, first.usage) == ("in_progress", [], None)
    assert (last.id, last.status, last.output_text) == (first.id, "completed", "Hello there.")
    whole = (await ask()).to_dict()
    streamed = last.to_dict()
    for name in ("id", "created_at", "completed_at", "output"):
        assert whole.pop(name)
        assert streamed.pop(name)
    assert streamed == whole


async def test_a_stream_that_cannot_begin_has_a_status(ask: Any, engine: Scripted) -> None:
    engine.script = [BadRequest("No.", param="max_completion_tokens")]
    assert (await refused(ask(stream=True))).param == "max_output_tokens"


@parameter("stream_options")
async def test_obfuscation_pads_deltas_and_changes_nothing_else(ask: Any, engine: Scripted) -> None:
    engine.script = answer("a", "a much longer piece than the first")
    told = await events(await ask(stream=True, stream_options={"include_obfuscation": True}))
    deltas = [event for event in told if event.type == "response.output_text.delta"]
    padding = [event.to_dict()["obfuscation"] for event in deltas]
    assert "".join(event.delta for event in deltas) == told[-1].response.output_text
    assert len(padding[0]) != len(padding[1])
    plain = await events(await ask(stream=True, stream_options={"include_obfuscation": False}))
    assert all("obfuscation" not in event.to_dict() for event in plain)
    error = await refused(ask(stream_options={"include_obfuscation": True}))
    assert error.param == "stream_options"


@parameter("background")
async def test_a_background_response_is_told_at_once_and_ends_later(
    ask: Any, client: AsyncOpenAI
) -> None:
    done = await ask(background=True)
    assert (done.status, done.background, done.output) == ("queued", True, [])
    told = await events(await client.responses.retrieve(done.id, stream=True))
    assert told[-1].type == "response.completed"
    assert (await client.responses.retrieve(done.id)).output_text == "Hello there."
    assert (await refused(ask(background=True, store=False))).param == "background"


@parameter("background_options")
async def test_a_completion_window_is_for_the_background(ask: Any) -> None:
    options = {"background_options": {"completion_window": "2h"}}
    param = "background_options.completion_window"
    assert (await refused(ask(extra_body=options))).param == param
    assert (await refused(ask(background=True, stream=True, extra_body=options))).param == param
    flex = ask(background=True, service_tier="flex", extra_body=options)
    assert (await refused(flex)).param == param
    assert (await ask(background=True, extra_body=options)).background is True
    soon = {"background_options": {"completion_window": "soonest"}}
    assert (await ask(extra_body=soon)).status == "completed"


EXTENSIONS: Json = {
    "top_k": 40,
    "min_p": 0.05,
    "typical_p": 0.9,
    "repetition_penalty": 1.1,
    "chat_template_kwargs": {"enable_thinking": False},
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


async def test_a_refusal_is_told_apart(ask: Any, engine: Scripted) -> None:
    engine.script = [[Refusal(0, "No."), Finish(0, "stop"), Usage(1, 1)]]
    (part,) = (await ask()).output[0].content
    assert (part.type, part.refusal) == ("refusal", "No.")
