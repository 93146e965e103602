"""What is refused by its length alone, before a tokenizer is asked."""

from typing import Any

import pytest

from inhouse.engines.embedded.sizes import check_size, prompts
from inhouse.engines.text import Json, TextCall
from inhouse.errors import BadRequest

CONTEXT = 10
LONG = "x" * (64 * CONTEXT)
SHORT = LONG[1:]


def said(content: Any, **more: Any) -> Json:
    return {"messages": [{"role": "user", "content": content, **more}]}


def called(arguments: str) -> Json:
    return said(None, tool_calls=[{"function": {"name": "f", "arguments": arguments}}])


@pytest.mark.parametrize(
    "body",
    [
        said(LONG),
        said([{"type": "text", "text": SHORT}, {"type": "refusal", "refusal": "x"}]),
        {"messages": [{"role": "system", "content": SHORT}, {"role": "user", "content": "x"}]},
        called(LONG),
    ],
    ids=["text", "parts", "messages", "calls"],
)
def test_messages_that_no_vocabulary_makes_short_enough_are_refused(body: Json) -> None:
    with pytest.raises(BadRequest) as caught:
        check_size(TextCall("chat", body), CONTEXT)
    assert (caught.value.param, caught.value.code) == ("messages", "context_length_exceeded")
    assert caught.value.message.startswith(
        "This model's maximum context length is 10 tokens. However, your messages resulted in 10 "
    )


@pytest.mark.parametrize(
    "body",
    [
        said(SHORT),
        called(SHORT),
        said([{"type": "image_url", "image_url": {"url": "data:image/png;base64," + LONG}}]),
    ],
    ids=["text", "calls", "image"],
)
def test_messages_that_may_fit_are_left_to_the_tokenizer(body: Json) -> None:
    check_size(TextCall("chat", body), CONTEXT)


@pytest.mark.parametrize("prompt", [LONG, ["hi", LONG], [1] * CONTEXT, [[1], [1] * CONTEXT]])
def test_each_prompt_is_measured(prompt: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        check_size(TextCall("completion", {"prompt": prompt}), CONTEXT)
    assert (caught.value.param, caught.value.code) == ("prompt", "context_length_exceeded")


@pytest.mark.parametrize("prompt", [SHORT, [SHORT] * 9, [1] * 9, [[1] * 9] * 9])
def test_prompts_that_may_each_fit_are_left_to_the_tokenizer(prompt: Any) -> None:
    check_size(TextCall("completion", {"prompt": prompt}), CONTEXT)


def test_an_unknown_context_is_no_bound() -> None:
    check_size(TextCall("chat", said(LONG)), 0)


def test_no_prompt_at_all_is_refused() -> None:
    with pytest.raises(BadRequest, match="empty"):
        prompts([])
