"""A call as requests to the child: their bodies, and how choices and prompts are shared out."""

from dataclasses import replace
from typing import Any

import pytest

from inhouse.engines.embedded.constraints import HERMES, OURS
from inhouse.engines.embedded.middle import Middle
from inhouse.engines.embedded.requests import plan
from inhouse.engines.embedded.template import Template
from inhouse.engines.text import Json, TextCall
from inhouse.errors import BadRequest

PLAIN = Template(
    tools=False, system=True, effort=False, sees=False, slots=4, context=100, vocabulary=10
)
NATIVE = Template(
    tools=True, system=True, effort=True, sees=False, slots=4, context=100, vocabulary=10
)
HERMES_LIKE = replace(NATIVE, form=HERMES)
MESSAGES = [{"role": "user", "content": "x"}]
FUNCTION: Json = {"type": "function", "function": {"name": "f"}}


def chat(template: Template = PLAIN, **body: Any) -> Any:
    return plan(TextCall("chat", {"messages": MESSAGES, **body}), template)


def legacy(prompt: Any, **body: Any) -> Any:
    return plan(TextCall("completion", {"prompt": prompt, **body}), PLAIN)


def test_parameters_go_under_the_engines_names() -> None:
    body = (
        chat(max_completion_tokens=5, repetition_penalty=1.1, top_k=3, verbosity="low")
        .parts[0]
        .body
    )
    assert body == {
        "messages": MESSAGES,
        "max_tokens": 5,
        "repeat_penalty": 1.1,
        "top_k": 3,
        "stream": False,
    }


def test_what_the_engine_cannot_do_is_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        chat(min_tokens=3)
    assert (caught.value.param, caught.value.code) == ("min_tokens", "unsupported_parameter")


@pytest.mark.parametrize("seed", [-1, 0, 2**32 - 1, 2**63 - 1, -(2**63)])
def test_every_seed_fits(seed: int) -> None:
    assert 0 <= chat(seed=seed).parts[0].body["seed"] < 2**32 - 1


@pytest.mark.parametrize("key", ["10", "-1", "x"])
def test_a_bias_on_a_token_that_is_not_there_is_refused(key: str) -> None:
    with pytest.raises(BadRequest) as caught:
        chat(logit_bias={key: 1})
    assert caught.value.param == "logit_bias"
    assert chat(logit_bias={"9": 1}).parts[0].body["logit_bias"] == {"9": 1}


def test_choices_fill_the_slots_and_then_come_in_further_requests() -> None:
    parts = chat(n=10, seed=5).parts
    assert [(part.first, part.choices, part.body.get("n")) for part in parts] == [
        (0, 4, 4),
        (4, 4, 4),
        (8, 2, 2),
    ]
    assert [part.body["seed"] for part in parts] == [5, 9, 13]
    assert all(part.body["stream"] for part in parts)


def test_every_prompt_is_a_request() -> None:
    parts = legacy(["a", "b"], n=2).parts
    assert [(part.body["prompt"], part.first) for part in parts] == [("a", 0), ("b", 2)]
    assert [part.body["prompt"] for part in legacy([[1, 2], [3]]).parts] == [[1, 2], [3]]
    assert [part.body["prompt"] for part in legacy([1, 2]).parts] == [[1, 2]]
    with pytest.raises(BadRequest):
        legacy([])


def test_one_answer_streams_only_where_it_is_asked_to() -> None:
    assert chat().parts[0].body["stream"] is False
    assert chat(stream=True).parts[0].body["stream_options"] == {"include_usage": True}


def test_logprobs_ask_for_one_alternative_at_least() -> None:
    assert chat(logprobs=True).parts[0].body["top_logprobs"] == 1
    assert chat(logprobs=True, top_logprobs=5).parts[0].body["top_logprobs"] == 5
    assert legacy("a", logprobs=0).parts[0].body["logprobs"] == 1
    assert legacy("a", logprobs=3).parts[0].body["logprobs"] == 3
    assert (legacy("a", logprobs=0).top, legacy("a", logprobs=3).top) == (0, 3)
    assert "top_logprobs" not in chat(logprobs=False).parts[0].body


def test_a_stop_cannot_cut_a_call_that_must_be_made() -> None:
    assert chat(stop=["x"], tools=[FUNCTION]).parts[0].body["stop"] == ["x"]
    assert "stop" not in chat(stop=["x"], tools=[FUNCTION], tool_choice="required").parts[0].body


def test_a_template_of_a_known_form_gets_tools_and_a_grammar_of_that_form() -> None:
    planned = chat(HERMES_LIKE, tools=[FUNCTION], tool_choice="required")
    body = planned.parts[0].body
    assert body["chat_template_kwargs"] == {"tools": [FUNCTION], "enable_thinking": False}
    assert r"{\"name\": \"f\", \"arguments\": " in body["grammar"]
    assert "tools" not in body
    assert planned.form == HERMES


def test_a_template_of_another_form_is_read_by_the_engine() -> None:
    planned = chat(NATIVE, tools=[FUNCTION])
    assert planned.parts[0].body["tools"] == [FUNCTION]
    assert "grammar" not in planned.parts[0].body
    assert planned.form is None


CUSTOM: Json = {"type": "custom", "custom": {"name": "py"}}


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [CUSTOM]},
        {"tools": [FUNCTION], "response_format": {"type": "json_object"}},
        {"tools": [FUNCTION], "tool_choice": "required"},
        {"tools": [FUNCTION], "guided_regex": "a"},
    ],
)
def test_what_a_template_cannot_do_is_done_by_a_grammar(body: Json) -> None:
    planned = chat(NATIVE, **body)
    assert "grammar" in planned.parts[0].body
    assert "tools" not in planned.parts[0].body
    assert "You can call these tools" in planned.parts[0].body["messages"][0]["content"]
    assert planned.form == OURS


def test_a_model_that_must_answer_in_a_form_is_told_not_to_think() -> None:
    wanted = {"response_format": {"type": "json_object"}}
    assert chat(**wanted).parts[0].body["chat_template_kwargs"] == {"enable_thinking": False}
    asked = {**wanted, "chat_template_kwargs": {"enable_thinking": True}}
    assert chat(**asked).parts[0].body["chat_template_kwargs"] == {"enable_thinking": True}
    assert "chat_template_kwargs" not in chat(tools=[FUNCTION]).parts[0].body


def test_a_suffix_is_marked_and_needs_a_model_that_knows_the_marks() -> None:
    asked = TextCall("completion", {"prompt": ["a", [7, 8]], "suffix": "z"})
    with pytest.raises(BadRequest) as refused:
        plan(asked, PLAIN)
    assert refused.value.param == "suffix"
    parts = plan(asked, PLAIN, Middle((1,), (2, 3), (4,))).parts
    marked = [part.body["prompt"] for part in parts]
    assert marked == [[1, "a", 2, 3, "z", 4], [1, 7, 8, 2, 3, "z", 4]]
    assert "suffix" not in parts[0].body
    empty = TextCall("completion", {"prompt": "a", "suffix": ""})
    assert plan(empty, PLAIN).parts[0].body["prompt"] == "a"


def test_an_effort_goes_to_a_template_that_takes_one() -> None:
    kwargs = chat(NATIVE, reasoning_effort="low").parts[0].body["chat_template_kwargs"]
    assert kwargs == {"reasoning_effort": "low"}
    assert "reasoning_effort" not in chat(PLAIN, reasoning_effort="low").parts[0].body
