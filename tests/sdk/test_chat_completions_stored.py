"""Stored chat completions through the official client: list, retrieve, update, delete, messages."""

from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError
from tests.conftest import House

from inhouse.engines.scripted import Scripted
from inhouse.engines.text import Text
from inhouse.errors import ServerError
from inhouse.stores.organizations import OrganizationStore

Json = dict[str, Any]


async def stored(client: AsyncOpenAI, text: str = "Hi", **parameters: Any) -> Any:
    asked: Json = {"model": "scripted", "messages": [{"role": "user", "content": text}]}
    return await client.chat.completions.create(**{**asked, "store": True, **parameters})


async def test_a_stored_completion_is_retrieved_as_it_was_told(client: AsyncOpenAI) -> None:
    done = await stored(client)
    kept = await client.chat.completions.retrieve(done.id)
    assert kept.to_dict() == {**done.to_dict(), "metadata": {}}


async def test_a_stream_is_stored_before_its_end_is_told(client: AsyncOpenAI) -> None:
    stream = await stored(client, stream=True, metadata={"how": "stream"})
    ids = {chunk.id async for chunk in stream}
    (found,) = [each async for each in client.chat.completions.list(metadata={"how": "stream"})]
    assert {found.id} == ids
    assert found.choices[0].message.content == "Hello there."


async def test_a_stream_that_failed_is_not_stored(client: AsyncOpenAI, engine: Scripted) -> None:
    engine.script = [[Text(0, "Hel")], ServerError("lost")]
    with pytest.raises(Exception, match="lost"):
        async for _ in await stored(client, stream=True):
            pass
    assert [each async for each in client.chat.completions.list()] == []


async def test_a_list_has_pages_and_both_orders(client: AsyncOpenAI) -> None:
    ids = [(await stored(client, str(n))).id for n in range(5)]
    assert [each.id async for each in client.chat.completions.list(limit=2)] == ids
    newest = client.chat.completions.list(order="desc", limit=2)
    assert [each.id async for each in newest] == ids[::-1]
    page = await client.chat.completions.list(after=ids[1], limit=2)
    assert [each.id for each in page.data] == ids[2:4]
    assert page.has_more


async def test_a_list_is_of_one_model_or_with_all_the_metadata(client: AsyncOpenAI) -> None:
    one = await stored(client, metadata={"team": "red", "run": "1"})
    other = await stored(client, model="plain", metadata={"team": "red", "run": "2"})
    listed = client.chat.completions.list
    assert [each.id async for each in listed(model="plain")] == [other.id]
    assert other.id not in {each.id async for each in listed(model="gpt-4o")}
    assert [each async for each in listed(model="gpt-4o")]
    assert [each async for each in listed(model="long-gone")] == []
    assert [each.id async for each in listed(metadata={"team": "red", "run": "1"})] == [one.id]
    assert [each.id async for each in listed(metadata={"team": "blue"})] == []


async def test_metadata_is_replaced(client: AsyncOpenAI) -> None:
    done = await stored(client, metadata={"a": "1"})
    changed = await client.chat.completions.update(done.id, metadata={"b": "2"})
    assert changed.to_dict()["metadata"] == {"b": "2"}
    assert [each.id async for each in client.chat.completions.list(metadata={"a": "1"})] == []
    assert [each.id async for each in client.chat.completions.list(metadata={"b": "2"})] == [
        done.id
    ]


async def test_what_is_deleted_is_gone_with_its_messages(client: AsyncOpenAI) -> None:
    done = await stored(client)
    gone = await client.chat.completions.delete(done.id)
    assert (gone.id, gone.deleted, gone.object) == (done.id, True, "chat.completion.deleted")
    for asked in (
        client.chat.completions.retrieve(done.id),
        client.chat.completions.delete(done.id),
        client.chat.completions.update(done.id, metadata={}),
    ):
        with pytest.raises(NotFoundError):
            await asked
    with pytest.raises(NotFoundError):
        await client.chat.completions.messages.list(done.id)


async def test_messages_are_listed_in_order_with_their_parts(client: AsyncOpenAI) -> None:
    parts = [{"type": "text", "text": "What"}, {"type": "text", "text": "is it?"}]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": parts, "name": "Ann"},
    ]
    done = await stored(client, messages=messages)
    listed = client.chat.completions.messages.list
    first, second = [each.to_dict() async for each in listed(done.id, limit=1)]
    assert first["id"] == f"{done.id}-0"
    assert (first["role"], first["content"], first["content_parts"]) == (
        "system",
        "Be brief.",
        None,
    )
    assert (second["content"], second["content_parts"], second["name"]) == (None, parts, "Ann")
    newest = [each.id async for each in listed(done.id, order="desc")]
    assert newest == [f"{done.id}-1", f"{done.id}-0"]
    with pytest.raises(BadRequestError):
        await listed(done.id, after="nonsense")


async def key_of_another_project(house: House) -> str:
    services = house.services
    organizations = OrganizationStore(services.database, services.clock, services.ids)
    organization = await organizations.first()
    assert organization is not None
    project = await organizations.create_project(organization.id, "Other")
    return (await services.access.create_key("other", project=project.id)).value


async def test_another_project_finds_nothing(client: AsyncOpenAI, house: House) -> None:
    done = await stored(client)
    other = house.client(await key_of_another_project(house))
    with pytest.raises(NotFoundError):
        await other.chat.completions.retrieve(done.id)
    assert [each async for each in other.chat.completions.list()] == []
