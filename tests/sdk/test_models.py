"""client.models"""

import openai
import pytest
from tests.conftest import House


async def test_models_are_listed_by_their_own_names(client: openai.AsyncOpenAI) -> None:
    models = [model async for model in client.models.list()]
    assert [model.id for model in models] == ["plain", "scripted", "vectors"]
    assert {model.object for model in models} == {"model"}


async def test_a_model_is_retrieved_by_its_name_and_by_an_alias(client: openai.AsyncOpenAI) -> None:
    assert (await client.models.retrieve("plain")).id == "plain"
    assert (await client.models.retrieve("gpt-4o-mini")).id == "scripted"


async def test_an_unknown_model_is_not_found(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await client.models.retrieve("nobody")
    assert refused.value.code == "model_not_found"


async def test_a_deleted_model_is_gone(client: openai.AsyncOpenAI) -> None:
    assert (await client.models.delete("plain")).deleted
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("plain")
    with pytest.raises(openai.NotFoundError):
        await client.models.delete("plain")


async def test_only_an_owner_deletes_models(house: House) -> None:
    member = (await house.services.access.create_key("member")).value
    with pytest.raises(openai.PermissionDeniedError):
        await house.client(member).models.delete("plain")
    assert (await house.client(member).models.retrieve("plain")).id == "plain"


async def test_an_alias_cannot_be_deleted_as_a_model(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        await client.models.delete("gpt-4o-mini")


async def test_without_a_key_nothing_is_told(house: House) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        await house.client("sk-wrong").models.list()
    assert refused.value.code == "invalid_api_key"
