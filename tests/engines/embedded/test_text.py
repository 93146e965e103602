"""What the embedded engine generates on the real model, and how it counts."""

import pytest
from tests.engines.embedded.hearing import ASK, TOOLS, WEATHER, hear

from inhouse.engines.embedded.text import EmbeddedText
from inhouse.engines.text import Json, TextCall, Usage
from inhouse.errors import BadRequest

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]


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
