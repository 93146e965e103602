"""Legacy completions: plans, chunks, and the object that they add up to."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from tests.agent.scripts import batches

from inhouse.agent.completions.encode import chunks, completion
from inhouse.agent.completions.request import Plan, plan
from inhouse.agent.completions.turns import run
from inhouse.agent.turn import take
from inhouse.clock import FrozenClock
from inhouse.engines import abilities
from inhouse.engines.scripted import EVERYTHING, Scripted, answer
from inhouse.engines.text import Delta, Finish, Text, TextCall, Usage
from inhouse.errors import BadRequest, NotFound
from inhouse.scope import Principal, Scope
from inhouse.scope import Usage as Meter

Json = dict[str, Any]
HEAD = {"id": "cmpl-1", "object": "text_completion"}
SCOPE = Scope("org_1", "proj_1", Principal("u", "org_1", "proj_1", "k", frozenset("*")), "req_1")


async def letters(ids: Sequence[int]) -> str:
    return "".join(chr(each) for each in ids)


async def codes(text: str) -> list[int]:
    return [ord(each) for each in text]


async def planned(able: frozenset[str] = EVERYTHING, **body: Any) -> Plan:
    return await plan({"model": "m", **body}, able, letters)


async def told(script: Any, **body: Any) -> Json:
    """The whole way of a request that is not streamed."""
    made = await planned(**body)
    return await completion(run(made, Scripted(script), SCOPE, FrozenClock(), codes), made, HEAD)


def token(text: str, logprob: float = -0.5) -> Json:
    other = {"token": "?", "logprob": -2.0, "bytes": [63]}
    return {"token": text, "logprob": logprob, "bytes": None, "top_logprobs": [other, other]}


@given(batches())
async def test_the_chunks_of_any_turn_add_up_to_its_completion(script: list[list[Delta]]) -> None:
    made = await planned(prompt="To", n=3, logprobs=2, stream=True)
    call = TextCall("completion", made.calls[0])

    def events() -> Any:
        return take(Scripted(script), call, Meter(), FrozenClock())

    streamed = [
        chunk async for batch in chunks(events(), made, HEAD, include_usage=True) for chunk in batch
    ]
    whole = await completion(events(), made, HEAD)
    for choice in whole["choices"]:
        parts = [p for c in streamed for p in c["choices"] if p["index"] == choice["index"]]
        assert "".join(part["text"] for part in parts) == choice["text"]
        assert parts[-1]["finish_reason"] == choice["finish_reason"]
        known = [part["logprobs"] for part in parts if part["logprobs"]]
        joined = [entry for each in known for entry in each["text_offset"]]
        assert joined == (choice["logprobs"] or {"text_offset": []})["text_offset"]
    assert streamed[-1]["usage"] == whole["usage"]


async def test_a_request_without_a_length_is_short() -> None:
    made = await planned(prompt="Say")
    assert made.calls == [{"prompt": "Say", "max_tokens": 16, "n": 1}]


@pytest.mark.parametrize(
    ("prompt", "sent"),
    [
        (None, ["<|endoftext|>"]),
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([72, 105], [[72, 105]]),
        ([[72], [105]], [[72], [105]]),
    ],
)
async def test_every_form_of_prompt_is_a_call_each(prompt: Any, sent: list[Any]) -> None:
    assert [call["prompt"] for call in (await planned(prompt=prompt)).calls] == sent


async def test_engines_that_take_no_ids_get_text() -> None:
    made = await planned(EVERYTHING - {abilities.TOKEN_PROMPTS}, prompt=[72, 105])
    assert made.calls[0]["prompt"] == "Hi"


@pytest.mark.parametrize(
    ("body", "able", "param"),
    [
        ({"prompt": []}, EVERYTHING, "prompt"),
        ({"prompt": ["x"] * 2049}, EVERYTHING, "prompt"),
        ({"n": 2, "best_of": 1}, EVERYTHING, "best_of"),
        ({"n": 1, "best_of": 2, "stream": True}, EVERYTHING, "best_of"),
        ({"best_of": 2}, EVERYTHING - {abilities.LOGPROBS}, "best_of"),
        ({"logprobs": 1}, EVERYTHING - {abilities.LOGPROBS}, "logprobs"),
        ({"suffix": "."}, EVERYTHING - {abilities.SUFFIX}, "suffix"),
        ({"echo": True, "logprobs": 0}, EVERYTHING, "echo"),
        ({"stop": ["a", ""]}, EVERYTHING, "stop[1]"),
        ({"stream_options": {}}, EVERYTHING, "stream_options"),
        ({"logit_bias": {"x": 1}}, EVERYTHING, "logit_bias"),
        ({"min_p": 0.1}, frozenset({abilities.TEXT}), "min_p"),
    ],
)
async def test_what_cannot_be_honoured_is_refused_by_name(
    body: Json, able: frozenset[str], param: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        await planned(able, **body)
    assert caught.value.param == param


async def test_several_prompts_times_n_have_the_right_indexes() -> None:
    def script(call: TextCall) -> Any:
        return answer(call.body["prompt"], choices=call.body["n"])

    whole = await told(script, prompt=["a", "b"], n=2)
    assert [(c["index"], c["text"]) for c in whole["choices"]] == [
        (0, "a"),
        (1, "a"),
        (2, "b"),
        (3, "b"),
    ]


async def test_echo_tells_the_prompt_of_each_choice_first() -> None:
    whole = await told(lambda call: answer("!"), prompt=[[72, 105], [79]], echo=True)
    assert [choice["text"] for choice in whole["choices"]] == ["Hi!", "O!"]


@pytest.mark.parametrize("prompt", [None, "", [""]])
async def test_without_a_prompt_a_document_begins_and_nothing_is_echoed(prompt: Any) -> None:
    made = await planned(prompt=prompt, echo=True)
    assert ([call["prompt"] for call in made.calls], made.texts) == (["<|endoftext|>"], [""])


async def test_echo_with_logprobs_is_left_to_the_engine_that_can() -> None:
    made = await planned(
        EVERYTHING | {abilities.PROMPT_LOGPROBS}, prompt="Hi", echo=True, logprobs=1
    )
    assert made.calls[0]["echo"] is True
    script = [[Text(0, "Hi", [token("Hi")]), Text(0, "!", [token("!")]), Finish(0, "stop")]]
    events = run(made, Scripted([*script, [Usage(1, 1)]]), SCOPE, FrozenClock(), codes)
    (choice,) = (await completion(events, made, HEAD))["choices"]
    assert choice["text"] == "Hi!"
    assert choice["logprobs"]["text_offset"] == [0, 2]


async def test_logprobs_come_as_parallel_lists_with_places_in_prompt_and_answer() -> None:
    script = [
        [Text(0, "ab", [token("a"), token("b")])],
        [Text(0, "c", [token("c")]), Finish(0, "length"), Usage(1, 3)],
    ]
    (choice,) = (await told(script, prompt="Hi", logprobs=1))["choices"]
    assert choice["logprobs"] == {
        "tokens": ["a", "b", "c"],
        "token_logprobs": [-0.5, -0.5, -0.5],
        "top_logprobs": [{"?": -2.0}] * 3,
        "text_offset": [2, 3, 4],
    }
    assert choice["finish_reason"] == "length"


async def test_no_alternatives_are_told_where_none_were_asked_for() -> None:
    script = [[Text(0, "a", [token("a")]), Finish(0, "stop"), Usage(1, 1)]]
    (choice,) = (await told(script, prompt="Hi", logprobs=0))["choices"]
    assert choice["logprobs"]["top_logprobs"] is None


async def test_best_of_tells_the_likeliest_and_counts_all() -> None:
    def script(call: TextCall) -> Any:
        assert (call.body["n"], call.body["logprobs"]) == (3, 1)
        said = [("low", -3.0), ("high", -0.1), ("middle", -1.0)]
        texts = [Text(n, text, [token(text, logprob)]) for n, (text, logprob) in enumerate(said)]
        return [[*texts, *(Finish(n, "stop") for n in range(3)), Usage(1, 30)]]

    whole = await told(script, prompt="x", n=2, best_of=3)
    assert [(c["index"], c["text"], c["logprobs"]) for c in whole["choices"]] == [
        (0, "high", None),
        (1, "middle", None),
    ]
    assert whole["usage"]["completion_tokens"] == 30


async def test_no_tokens_at_all_are_not_asked_of_an_engine() -> None:
    engine = Scripted(answer("never"))
    made = await planned(prompt="Hi", max_tokens=0, echo=True)
    whole = await completion(run(made, engine, SCOPE, FrozenClock(), codes), made, HEAD)
    assert not engine.calls
    assert (whole["choices"][0]["text"], whole["choices"][0]["finish_reason"]) == ("Hi", "length")
    assert whole["usage"]["prompt_tokens"] == 2


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("long", ["x" * 20, "é" * 20, "x" * 10_000, [1] * 20])
async def test_no_prompt_is_answered_if_one_of_them_is_over_the_context(
    long: str | list[int], *, stream: bool
) -> None:
    engine = Scripted(answer("a"))
    prompts = ["Hi", "Ho", long] if isinstance(long, str) else [[1, 2], long]
    made = await planned(prompt=prompts, stream=stream)
    with pytest.raises(BadRequest) as caught:
        await anext(run(made, engine, SCOPE, FrozenClock(), codes, 20))
    assert (caught.value.param, caught.value.code) == ("prompt", "context_length_exceeded")
    assert not engine.calls


async def test_only_prompts_near_the_context_are_counted() -> None:
    counted: list[str] = []

    async def count(text: str) -> list[int]:
        counted.append(text)
        return [1]

    made = await planned(prompt=["Hi", "x" * 18, "x" * 19, "x" * 100, "x" * 1270])
    engine = Scripted(answer("a"))
    events = [batch async for batch in run(made, engine, SCOPE, FrozenClock(), count, 20)]
    assert [len(text) for text in counted] == [19, 100, 1270]
    assert len(engine.calls) == 5
    assert events


async def test_prompts_are_left_to_servers_without_a_tokenizer() -> None:
    async def none(text: str) -> list[int]:
        raise NotFound(text)

    made = await planned(prompt=["Hi", "x" * 30])
    engine = Scripted(answer("a"))
    assert [batch async for batch in run(made, engine, SCOPE, FrozenClock(), none, 20)]
    assert len(engine.calls) == 2


async def test_a_prompt_far_over_the_context_is_not_counted_where_nothing_is_said() -> None:
    async def never(text: str) -> list[int]:
        raise AssertionError(len(text))

    made = await planned(prompt="x" * 2000, max_tokens=0)
    with pytest.raises(BadRequest) as caught:
        await anext(run(made, Scripted(answer("a")), SCOPE, FrozenClock(), never, 20))
    assert caught.value.code == "context_length_exceeded"
