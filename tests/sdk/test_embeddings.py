"""client.embeddings: each parameter honoured or refused."""

import base64
import math
from array import array

import openai
import pytest
import quicktok
from tests.conftest import House


async def test_a_text_becomes_a_vector_of_unit_length(client: openai.AsyncOpenAI) -> None:
    answer = await client.embeddings.create(model="vectors", input="hello world")
    (item,) = answer.data
    assert math.isclose(sum(value * value for value in item.embedding), 1, rel_tol=1e-5)
    assert (answer.model, item.index, answer.usage.prompt_tokens) == ("vectors", 0, 2)


async def test_vectors_come_in_the_order_of_the_inputs(client: openai.AsyncOpenAI) -> None:
    texts = [f"text {number}" for number in range(40)]
    answer = await client.embeddings.create(model="vectors", input=texts)
    alone = await client.embeddings.create(model="vectors", input=texts[17])
    assert [item.index for item in answer.data] == list(range(40))
    assert answer.data[17].embedding == alone.data[0].embedding


async def test_float_and_base64_say_the_same(client: openai.AsyncOpenAI) -> None:
    floats = await client.embeddings.create(model="vectors", input="a", encoding_format="float")
    packed = await client.embeddings.create(model="vectors", input="a", encoding_format="base64")
    raw = packed.data[0].embedding
    assert isinstance(raw, str)
    unpacked = array("f", base64.b64decode(raw))
    assert floats.data[0].embedding == pytest.approx(list(unpacked))


async def test_token_ids_of_a_cloud_models_name_are_of_that_models_encoding(
    client: openai.AsyncOpenAI,
) -> None:
    ids = list(quicktok.get_encoding("cl100k_base").encode("hello world"))
    by_ids = await client.embeddings.create(model="text-embedding-3-small", input=[ids, ids])
    by_text = await client.embeddings.create(model="vectors", input="hello world")
    assert by_ids.data[1].embedding == by_text.data[0].embedding
    assert by_ids.model == "vectors"


async def test_token_ids_of_a_models_own_name_are_of_its_tokenizer(
    client: openai.AsyncOpenAI,
) -> None:
    by_ids = await client.embeddings.create(model="vectors", input=[ord("h"), ord("i")])
    by_text = await client.embeddings.create(model="vectors", input="hi")
    assert by_ids.data[0].embedding == by_text.data[0].embedding


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ("", "input", "empty_string"),
        (["a", ""], "input[1]", "empty_string"),
        ([], "input", None),
        (["a"] * 2049, "input", "array_above_max_length"),
        ([[1] * 1000] * 301, "input", "max_tokens_per_request"),
        ([[99_999_999]], "input[0]", "invalid_token_ids"),
    ],
)
async def test_inputs_out_of_bounds_are_refused(
    client: openai.AsyncOpenAI, given: object, param: str, code: str | None
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.embeddings.create(model="text-embedding-3-small", input=given)  # pyright: ignore[reportArgumentType]
    assert refused.value.param == param
    if code:
        assert refused.value.code == code


async def test_dimensions_are_refused_where_the_model_cannot(client: openai.AsyncOpenAI) -> None:
    own = await client.embeddings.create(model="vectors", input="a", dimensions=8)
    assert len(own.data[0].embedding) == 8
    with pytest.raises(openai.BadRequestError) as refused:
        await client.embeddings.create(model="vectors", input="a", dimensions=4)
    assert (refused.value.param, refused.value.code) == ("dimensions", "unsupported_parameter")


async def test_a_user_is_taken_as_a_hint(client: openai.AsyncOpenAI) -> None:
    assert (await client.embeddings.create(model="vectors", input="a", user="someone")).data


async def test_a_text_model_makes_no_vectors(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.embeddings.create(model="plain", input="a")
    assert refused.value.param == "model"


async def test_tokens_are_recorded_as_usage(house: House, client: openai.AsyncOpenAI) -> None:
    await client.embeddings.create(model="vectors", input="one two three")
    rows = await house.services.database.read("SELECT model, input FROM usage")
    assert rows == [("vectors", 3)]
