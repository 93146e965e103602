"""client.completions.create, parameter by parameter, through the official client."""

from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError
from tests.sdk.covering import Covering

from inhouse.agent.completions.parameters import COMPLETION
from inhouse.engines.scripted import Scripted, answer
from inhouse.engines.text import Finish, Text, TextCall, Usage

Json = dict[str, Any]
parameter = Covering()


@pytest.fixture
def ask(client: AsyncOpenAI) -> Any:
    """Ask with the parameters under test."""

    async def ask(**parameters: Any) -> Any:
        return await client.completions.create(
            **{"model": "scripted", "prompt": "Say", **parameters}
        )

    return ask


async def refused(asked: Any) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        await asked
    return caught.value


async def chunks(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


def token(text: str, logprob: float = -0.5) -> Json:
    top = [{"token": text, "logprob": logprob, "bytes": None}]
    return {"token": text, "logprob": logprob, "bytes": None, "top_logprobs": top}


def test_every_parameter_has_a_test_of_its_own() -> None:
    assert parameter.names == set(COMPLETION)


@parameter("model")
async def test_the_answer_names_the_real_model(ask: Any) -> None:
    done = await ask(model="gpt-3.5-turbo-instruct")
    assert (done.model, done.object) == ("scripted", "text_completion")
    assert done.id.startswith("cmpl-")
    assert (await refused(ask(model="vectors"))).param == "model"


@parameter("prompt")
@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([72, 105], [[72, 105]]),
        ([[72], [105]], [[72], [105]]),
    ],
)
async def test_prompts_are_texts_or_token_ids_one_or_several(
    ask: Any, engine: Scripted, prompt: Any, texts: list[Any]
) -> None:
    engine.script = lambda call: answer(str(call.body["prompt"]))
    done = await ask(prompt=prompt)
    assert [choice.text for choice in done.choices] == [str(text) for text in texts]
    assert done.usage.prompt_tokens == len(texts)


async def test_a_model_that_takes_no_ids_gets_their_text(ask: Any, engine: Scripted) -> None:
    await ask(model="plain", prompt=[72, 105])
    assert engine.calls[0].body["prompt"] == "Hi"


async def test_no_prompts_are_refused(ask: Any) -> None:
    assert (await refused(ask(prompt=[]))).param == "prompt"


@parameter(
    "frequency_penalty", "presence_penalty", "logit_bias", "seed", "temperature", "top_p", "stop"
)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frequency_penalty", 0.5),
        ("presence_penalty", -0.5),
        ("logit_bias", {"42": -100}),
        ("seed", 7),
        ("temperature", 0),
        ("top_p", 0.9),
        ("stop", ["\n"]),
    ],
)
async def test_sampling_is_the_engines(ask: Any, engine: Scripted, name: str, value: Any) -> None:
    await ask(**{name: value})
    assert engine.calls[0].body[name] == value


@parameter("max_tokens")
async def test_the_default_length_is_16_and_none_at_all_is_possible(
    ask: Any, engine: Scripted
) -> None:
    await ask()
    await ask(max_tokens=5)
    assert [call.body["max_tokens"] for call in engine.calls] == [16, 5]
    done = await ask(max_tokens=0)
    assert (done.choices[0].text, done.choices[0].finish_reason) == ("", "length")
    assert len(engine.calls) == 2


@parameter("n")
async def test_n_choices_of_each_prompt_come_by_index(ask: Any, engine: Scripted) -> None:
    engine.script = lambda call: answer(call.body["prompt"], choices=call.body["n"])
    done = await ask(prompt=["a", "b"], n=2)
    assert [(choice.index, choice.text) for choice in done.choices] == [
        (0, "a"),
        (1, "a"),
        (2, "b"),
        (3, "b"),
    ]


@parameter("best_of")
async def test_best_of_tells_the_likeliest(ask: Any, engine: Scripted) -> None:
    def script(call: TextCall) -> Any:
        texts = [Text(n, "ab"[n], [token("ab"[n], n - 2.0)]) for n in range(call.body["n"])]
        return [[*texts, Finish(0, "stop"), Finish(1, "stop"), Usage(1, 2)]]

    engine.script = script
    done = await ask(best_of=2)
    assert [choice.text for choice in done.choices] == ["b"]
    assert done.choices[0].logprobs is None
    assert (await refused(ask(best_of=2, stream=True))).param == "best_of"
    assert (await refused(ask(best_of=1, n=2))).param == "best_of"
    assert (await refused(ask(best_of=2, model="plain"))).param == "best_of"


@parameter("echo")
async def test_echo_tells_the_prompt_too(ask: Any) -> None:
    assert (await ask(echo=True)).choices[0].text == "SayHello there."
    told = await chunks(await ask(echo=True, stream=True))
    assert "".join(chunk.choices[0].text for chunk in told) == "SayHello there."
    assert (await refused(ask(echo=True, logprobs=1))).param == "echo"


@parameter("logprobs")
async def test_logprobs_come_as_parallel_lists(ask: Any, engine: Scripted) -> None:
    engine.script = [
        [Text(0, "Hi", [token("Hi")]), Text(0, "!", [token("!")])],
        [Finish(0, "stop"), Usage(1, 2)],
    ]
    told = (await ask(logprobs=1)).choices[0].logprobs
    assert (told.tokens, told.token_logprobs) == (["Hi", "!"], [-0.5, -0.5])
    assert (told.top_logprobs, told.text_offset) == ([{"Hi": -0.5}, {"!": -0.5}], [3, 5])
    assert (await refused(ask(logprobs=6))).code == "integer_above_max_value"
    assert (await refused(ask(logprobs=1, model="plain"))).param == "logprobs"


@parameter("stream")
async def test_a_stream_ends_with_the_reason(ask: Any, engine: Scripted) -> None:
    *told, last = await chunks(await ask(stream=True))
    assert [chunk.choices[0].text for chunk in told] == ["Hello", " there", "."]
    assert (last.choices[0].text, last.choices[0].finish_reason) == ("", "stop")
    assert engine.calls[0].body["stream"] is True


async def test_a_stream_of_several_prompts_tells_them_apart(ask: Any, engine: Scripted) -> None:
    engine.script = lambda call: answer(call.body["prompt"], "!")
    told = await chunks(await ask(prompt=["a", "b"], stream=True))
    for index, text in ((0, "a!"), (1, "b!")):
        parts = [c.choices[0].text for c in told if c.choices[0].index == index]
        assert "".join(parts) == text


@parameter("stream_options")
async def test_usage_comes_in_a_chunk_of_its_own_if_asked(ask: Any) -> None:
    *others, last = await chunks(await ask(stream=True, stream_options={"include_usage": True}))
    assert all(chunk.usage is None for chunk in others)
    assert (last.choices, last.usage.total_tokens) == ([], 4)
    assert (await refused(ask(stream_options={"include_usage": True}))).param == "stream_options"
    error = await refused(ask(stream=True, stream_options={"include_obfuscation": True}))
    assert error.param == "stream_options.include_obfuscation"


@parameter("suffix")
async def test_a_suffix_goes_to_models_that_fill_in(ask: Any, engine: Scripted) -> None:
    await ask(suffix="end")
    assert engine.calls[0].body["suffix"] == "end"
    assert (await refused(ask(suffix="end", model="plain"))).param == "suffix"


@parameter("user")
async def test_who_asks_is_not_told_to_the_engine(ask: Any, engine: Scripted) -> None:
    await ask(user="ann")
    assert "user" not in engine.calls[0].body


EXTENSIONS: Json = {
    "top_k": 40,
    "min_p": 0.05,
    "typical_p": 0.9,
    "repetition_penalty": 1.1,
    "min_tokens": 2,
    "ignore_eos": True,
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
