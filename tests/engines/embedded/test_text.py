"""The embedded engine on the real model: what it generates, what it promises, and what it does when
things break."""

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import pytest_asyncio

from inhouse.engines.embedded.spec import ChildSpec
from inhouse.engines.embedded.supervisor import Child
from inhouse.engines.embedded.text import EmbeddedText
from inhouse.engines.text import Delta, Finish, Json, Text, TextCall, ToolCall, Usage
from inhouse.errors import APIError, BadRequest, ServerError

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

CONTEXT = 512
ASK = [{"role": "user", "content": "What is the weather in Paris?"}]
WEATHER: Json = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "unit": {"enum": ["c", "f"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
SUM: Json = {
    "type": "object",
    "properties": {
        "a": {"type": "integer", "minimum": 0, "maximum": 99},
        "b": {"type": "integer", "minimum": 0, "maximum": 99},
    },
    "required": ["a", "b"],
    "additionalProperties": False,
}
SCHEMAS = {"get_weather": WEATHER, "add": SUM}
TOOLS: list[Json] = [
    {"type": "function", "function": {"name": name, "parameters": schema, "strict": strict}}
    for (name, schema), strict in zip(SCHEMAS.items(), (True, False), strict=True)
]


def custom(name: str, syntax: str | None = None, definition: str = "") -> Json:
    tool: Json = {"name": name}
    if syntax:
        grammar = {"syntax": syntax, "definition": definition}
        tool["format"] = {"type": "grammar", "grammar": grammar}
    return {"type": "custom", "custom": tool}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Child]:
    spec = ChildSpec(weights, context_length=CONTEXT, parallel=2, cache_mib=16)
    child = Child(spec, tmp_path_factory.mktemp("run"))
    await child.start()
    yield child
    await child.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(shared: Child) -> AsyncIterator[EmbeddedText]:
    engine = EmbeddedText(shared)
    yield engine
    await engine.close()


class Heard:
    """What an answer says, put together, with the rules of every answer checked."""

    def __init__(self, deltas: list[Delta]) -> None:
        self.texts: dict[int, str] = {}
        self.logprobs: dict[int, list[Json]] = {}
        self.calls: dict[int, list[Json]] = {}
        self.reasons: dict[int, str] = {}
        for delta in deltas:
            match delta:
                case Text(choice, text, logprobs):
                    self.texts[choice] = self.texts.get(choice, "") + text
                    self.logprobs.setdefault(choice, []).extend(logprobs or ())
                case ToolCall():
                    self._call(delta)
                case Finish(choice, reason):
                    assert choice not in self.reasons
                    self.reasons[choice] = reason
                case _:
                    pass
        usage = deltas[-1]
        assert isinstance(usage, Usage)
        assert sum(isinstance(each, Usage) for each in deltas) == 1
        self.usage = usage
        assert set(self.texts) | set(self.calls) <= set(self.reasons)

    def _call(self, delta: ToolCall) -> None:
        calls = self.calls.setdefault(delta.choice, [])
        if delta.name is not None:
            assert delta.index == len(calls)
            assert delta.id
            calls.append({"name": delta.name, "kind": delta.kind, "arguments": ""})
        calls[delta.index]["arguments"] += delta.arguments

    @property
    def text(self) -> str:
        return self.texts.get(0, "")


async def hear(engine: EmbeddedText, kind: Any = "chat", **body: Any) -> Heard:
    body = {"stream": True, "max_tokens": 24, "temperature": 0, **body}
    if kind == "chat":
        body.setdefault("messages", ASK)
    return Heard([each async for batch in engine.generate(TextCall(kind, body)) for each in batch])


def check(call: Json) -> None:
    """The call is one that its tool takes."""
    assert jsonschema_rs.is_valid(SCHEMAS[call["name"]], json.loads(call["arguments"])), call


# ---------------------------------------------------------------- text
@pytest.mark.parametrize("stream", [True, False])
async def test_it_speaks(engine: EmbeddedText, *, stream: bool) -> None:
    heard = await hear(engine, stream=stream)
    assert len(heard.text) > 10
    assert heard.reasons == {0: "length"}
    assert heard.usage.output == 24
    assert heard.usage.input > 20


async def test_a_stream_says_what_a_whole_answer_says(engine: EmbeddedText) -> None:
    streamed = await hear(engine, stream=True, temperature=1, seed=7)
    whole = await hear(engine, stream=False, temperature=1, seed=7)
    assert streamed.text == whole.text


async def test_a_seed_decides(engine: EmbeddedText) -> None:
    texts = [(await hear(engine, temperature=1.5, seed=seed)).text for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


async def test_text_comes_while_it_is_made(engine: EmbeddedText) -> None:
    batches = [
        batch
        async for batch in engine.generate(
            TextCall("chat", {"messages": ASK, "max_tokens": 24, "stream": True})
        )
    ]
    assert len(batches) > 8


async def test_a_prompt_that_was_read_before_is_cached(engine: EmbeddedText) -> None:
    await hear(engine)
    assert (await hear(engine)).usage.cached > 10


@pytest.mark.parametrize("n", [2, 5])
@pytest.mark.parametrize("stream", [True, False])
async def test_choices_are_counted_together(engine: EmbeddedText, n: int, *, stream: bool) -> None:
    heard = await hear(engine, n=n, stream=stream, temperature=1, max_tokens=6, seed=3)
    one = await hear(engine, max_tokens=1)
    assert sorted(heard.reasons) == list(range(n))
    assert heard.usage.output == 6 * n
    assert heard.usage.input == one.usage.input * -(-n // 2)
    assert len(set(heard.texts.values())) > 1


@pytest.mark.parametrize("n", [1, 2])
async def test_a_stop_is_not_said(engine: EmbeddedText, n: int) -> None:
    """`y of` spans two tokens."""
    content = "Repeat: city of light"
    ask = [{"role": "user", "content": content}]
    free = await hear(engine, messages=ask, n=n)
    words = free.text
    stop = words[3:7]
    heard = await hear(engine, messages=ask, n=n, stop=[stop])
    assert heard.text == words[: words.index(stop)]
    assert heard.reasons[0] == "stop"


async def test_a_bias_decides(engine: EmbeddedText) -> None:
    (token,) = await engine.tokenize("yes")
    heard = await hear(engine, logit_bias={str(token): 100}, max_tokens=3)
    assert heard.text == "yesyesyes"
    first = (await hear(engine, max_tokens=1)).text
    (banned,) = await engine.tokenize(first)
    assert (await hear(engine, max_tokens=1, logit_bias={str(banned): -100})).text != first


async def test_penalties_change_what_is_said(engine: EmbeddedText) -> None:
    ask = [{"role": "user", "content": "Repeat the word 'ha' forever: ha ha ha ha"}]
    plain = await hear(engine, messages=ask, max_tokens=40)
    penalised = await hear(
        engine, messages=ask, max_tokens=40, frequency_penalty=2, presence_penalty=2
    )
    assert plain.text != penalised.text


async def test_a_limit_below_the_default_of_the_sampler_is_honoured(engine: EmbeddedText) -> None:
    greedy = await hear(engine)
    assert (await hear(engine, temperature=2, top_k=1)).text == greedy.text
    assert (await hear(engine, temperature=2, top_p=0.001)).text == greedy.text
    assert (await hear(engine, temperature=2, min_p=1.0)).text == greedy.text


# ---------------------------------------------------------------- logprobs
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("more", [{}, {"response_format": {"type": "json_object"}}])
async def test_logprobs_are_those_of_the_text(
    engine: EmbeddedText, *, stream: bool, more: Json
) -> None:
    heard = await hear(engine, stream=stream, logprobs=True, top_logprobs=3, **more)
    entries = heard.logprobs[0]
    said = b"".join(bytes(entry["bytes"]) for entry in entries)
    assert said.decode() == heard.text
    for entry in entries:
        assert entry["logprob"] <= 0
        assert len(entry["top_logprobs"]) == 3
        assert sorted(entry) == ["bytes", "logprob", "token", "top_logprobs"]


async def test_without_alternatives_there_are_none(engine: EmbeddedText) -> None:
    heard = await hear(engine, logprobs=True)
    assert heard.logprobs[0]
    assert all(entry["top_logprobs"] == [] for entry in heard.logprobs[0])


async def test_without_logprobs_there_are_none(engine: EmbeddedText) -> None:
    assert (await hear(engine)).logprobs == {0: []}


# ---------------------------------------------------------------- tools
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


# ---------------------------------------------------------------- schemas
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_an_answer_follows_its_schema(engine: EmbeddedText, seed: int) -> None:
    wanted = {"name": "w", "schema": WEATHER, "strict": True}
    heard = await hear(
        engine,
        response_format={"type": "json_schema", "json_schema": wanted},
        seed=seed,
        temperature=1.5,
        max_tokens=60,
    )
    assert jsonschema_rs.is_valid(WEATHER, json.loads(heard.text)), heard.text
    assert heard.reasons == {0: "stop"}


async def test_an_answer_or_a_call_where_both_are_asked_for(engine: EmbeddedText) -> None:
    wanted = {"name": "w", "schema": WEATHER, "strict": True}
    heard = await hear(
        engine,
        response_format={"type": "json_schema", "json_schema": wanted},
        tools=TOOLS,
        max_tokens=80,
    )
    if heard.calls:
        check(heard.calls[0][0])
    else:
        assert jsonschema_rs.is_valid(WEATHER, json.loads(heard.text))


async def test_a_schema_that_cannot_be_enforced_is_refused_before_the_first_token(
    engine: EmbeddedText,
) -> None:
    wanted = {"name": "w", "schema": {"type": "string", "pattern": "(a"}, "strict": True}
    with pytest.raises(BadRequest) as caught:
        await hear(engine, response_format={"type": "json_schema", "json_schema": wanted})
    assert caught.value.param == "response_format.json_schema.schema"


COMPLEX = [
    ({"guided_regex": "((a{1,1000}){1,1000}){1,1000}"}, "guided_regex"),
    ({"guided_grammar": "start: " + " | ".join(f'"{n}"' for n in range(9000))}, "guided_grammar"),
    (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "w", "schema": {"$ref": "#"}},
            }
        },
        "response_format.json_schema.schema",
    ),
    (
        {"tools": [TOOLS[0], custom("c", "lark", "start: A\nA: /a/ & /b/")]},
        "tools[1].custom.format",
    ),
]


@pytest.mark.parametrize(("body", "param"), COMPLEX, ids=[param for _, param in COMPLEX])
async def test_what_the_engine_would_let_go_of_is_refused_before_the_first_token(
    engine: EmbeddedText, body: Json, param: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        await hear(engine, **body)
    assert caught.value.param == param


LATE = "[a-z]{60}((a{1,1000}){1,1000}){1,1000}"


async def test_a_grammar_that_the_engine_lets_go_of_on_the_way_ends_in_an_error(
    engine: EmbeddedText,
) -> None:
    """It would go on without the grammar. While nothing was said, it is the request's fault."""
    with pytest.raises(ServerError) as caught:
        await hear(engine, guided_regex=LATE, max_tokens=400)
    assert caught.value.code == "grammar_too_complex"
    with pytest.raises(BadRequest) as refused:
        await hear(engine, guided_regex=LATE, max_tokens=400, stream=False)
    assert refused.value.code == "grammar_too_complex"
    assert refused.value.param == "guided_regex"
    assert (await hear(engine)).text


async def test_any_number_of_choices_is_held_to_and_holds_no_one_up(engine: EmbeddedText) -> None:
    choices = [f"{at} bottles" for at in range(20_000)]
    before = time.thread_time()
    heard = await hear(engine, guided_choice=choices)
    assert time.thread_time() - before < 0.2  # of the loop's own thread
    assert heard.text in choices


async def test_a_large_schema_does_not_hold_others_up(engine: EmbeddedText) -> None:
    number = {"type": "number", "minimum": 0.1, "maximum": 1e9}
    part = {"type": "object", "properties": {f"q{at}": number for at in range(30)}}
    schema = {"type": "object", "properties": {f"p{at}": part for at in range(60)}}
    wanted = {"name": "large", "schema": schema}
    task = asyncio.create_task(
        hear(
            engine,
            response_format={"type": "json_schema", "json_schema": wanted},
            max_tokens=2,
        )
    )
    before = time.thread_time()
    assert (await task).reasons
    assert time.thread_time() - before < 0.3  # of the loop's own thread


# ---------------------------------------------------------------- legacy completions and counting
async def test_prompts_are_completed_each(engine: EmbeddedText) -> None:
    heard = await hear(engine, "completion", prompt=["Once upon", "The sky"], n=2, max_tokens=4)
    assert sorted(heard.texts) == [0, 1, 2, 3]
    assert heard.usage == Usage(input=4, output=16, cached=heard.usage.cached)


async def test_token_ids_are_a_prompt(engine: EmbeddedText) -> None:
    ids = await engine.tokenize("Once upon a")
    by_ids = await hear(engine, "completion", prompt=ids, logprobs=2)
    by_text = await hear(engine, "completion", prompt="Once upon a", logprobs=2)
    assert by_ids.text == by_text.text
    assert [len(each["top_logprobs"]) for each in by_ids.logprobs[0]] == [2] * 24
    with pytest.raises(BadRequest):
        await hear(engine, "completion", prompt=[10**9])


async def test_no_tokens_are_made_where_none_are_asked_for(engine: EmbeddedText) -> None:
    heard = await hear(engine, "completion", prompt="Once upon a time", max_tokens=0)
    assert (heard.texts, heard.reasons, heard.usage) == ({}, {0: "length"}, Usage(4, 0))


async def test_tokens_read_back_as_they_were_written(engine: EmbeddedText) -> None:
    text = "Grüße, 世界 <|im_end|> 🙂\n"
    assert await engine.detokenize(await engine.tokenize(text)) == text


async def test_a_chat_is_counted_as_it_is_charged(engine: EmbeddedText) -> None:
    wanted = {"name": "w", "schema": WEATHER, "strict": True}
    for body in (
        {"messages": ASK},
        {"messages": [{"role": "developer", "content": "Be short."}, *ASK], "tools": TOOLS},
        {"messages": ASK, "tools": TOOLS, "tool_choice": "required", "n": 2},
        {"messages": ASK, "response_format": {"type": "json_schema", "json_schema": wanted}},
    ):
        heard = await hear(engine, max_tokens=1, **body)
        assert await engine.count_chat(body) == heard.usage.input


# ---------------------------------------------------------------- limits and faults
LONG = [{"role": "user", "content": "word " * (CONTEXT + 10)}]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_prompt_over_the_context_is_refused(engine: EmbeddedText, *, stream: bool) -> None:
    tokens = await engine.count_chat({"messages": LONG})
    with pytest.raises(BadRequest) as caught:
        await hear(engine, messages=LONG, stream=stream)
    assert caught.value.code == "context_length_exceeded"
    assert caught.value.message == (
        f"This model's maximum context length is {CONTEXT} tokens. However, your messages resulted "
        f"in {tokens} tokens. Please reduce the length of the messages."
    )
    with pytest.raises(BadRequest) as caught:
        await hear(engine, "completion", prompt=LONG[0]["content"], max_tokens=0)
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize("kind", ["chat", "completion"])
async def test_a_huge_prompt_costs_the_child_nothing(
    engine: EmbeddedText, shared: Child, kind: Any
) -> None:
    huge = "word " * 2_000_000
    body = {"prompt": huge} if kind == "completion" else {"messages": [{**ASK[0], "content": huge}]}
    before = used_seconds(shared)
    with pytest.raises(BadRequest) as caught:
        await hear(engine, kind, **body)
    assert caught.value.code == "context_length_exceeded"
    assert used_seconds(shared) - before < 0.2


async def test_an_answer_ends_where_the_context_ends(engine: EmbeddedText) -> None:
    prompt = "one two three " * 160
    heard = await hear(engine, "completion", prompt=prompt, max_tokens=400, ignore_eos=True)
    assert heard.reasons == {0: "length"}
    assert heard.usage.input + heard.usage.output <= CONTEXT


def used_seconds(child: Child) -> float:
    """How much CPU the child has used."""
    assert child.pid
    fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def busy_seconds(child: Child, seconds: float) -> float:
    """How much CPU the child uses in so many seconds."""
    before = used_seconds(child)
    await asyncio.sleep(seconds)
    return used_seconds(child) - before


async def test_closing_the_iterator_stops_the_generation(
    engine: EmbeddedText, shared: Child
) -> None:
    body = {"messages": ASK, "max_tokens": 400, "stream": True, "ignore_eos": True}
    batches = engine.generate(TextCall("chat", body))
    await anext(batches)
    await batches.aclose()
    await asyncio.sleep(0.5)
    assert await busy_seconds(shared, 0.5) < 0.1


async def test_a_cancelled_call_stops_the_generation(engine: EmbeddedText, shared: Child) -> None:
    body = {"max_tokens": 400, "ignore_eos": True, "stream": False}
    task = asyncio.create_task(hear(engine, **body))
    await asyncio.sleep(0.3)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(1.5)  # llama.cpp looks once a second whether its client is still there
    assert await busy_seconds(shared, 0.5) < 0.1


async def test_more_calls_than_slots_are_all_answered(engine: EmbeddedText) -> None:
    heard = await asyncio.gather(*(hear(engine, max_tokens=4) for _ in range(7)))
    assert len({each.text for each in heard}) == 1


async def test_a_child_killed_in_mid_stream_is_an_error_and_the_next_call_works(
    weights: Path, tmp_path: Path
) -> None:
    child = Child(ChildSpec(weights, context_length=CONTEXT, parallel=1), tmp_path / "run")
    await child.start()
    engine = EmbeddedText(child)
    try:
        body = {"messages": ASK, "max_tokens": 400, "stream": True, "ignore_eos": True}
        batches = engine.generate(TextCall("chat", body))
        await anext(batches)
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(ServerError) as caught:
            async for _ in batches:
                pass
        assert caught.value.status == 500
        started = time.monotonic()
        assert (await hear(engine)).text
        assert time.monotonic() - started < 20
    finally:
        await engine.close()
        await child.stop()
    with pytest.raises(APIError):
        await hear(engine)
