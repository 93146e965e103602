"""Conversations through the official client: the objects, their metadata, and who may see them."""

import asyncio
from typing import Any, cast

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError, OpenAI, PermissionDeniedError
from tests.conftest import House
from tests.sdk.conversing import key_with, message, said, stranger, texts
from tests.sdk.covering import Covering

from inhouse.contract import Contract
from inhouse.stores.conversations import locking, unlocking

Json = dict[str, Any]
parameter = Covering()


def test_every_parameter_has_a_test() -> None:
    operations = Contract.load().operations
    names = ("conversations.create", "conversations.update")
    assert parameter.names == {
        f"{spec.name} {field}"
        for spec in operations.values()
        if spec.name in names
        for field in (*spec.body_schema["properties"], *spec.query_schema["properties"])
    }


async def refused(asked: Any) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        await asked
    return caught.value


async def test_a_conversation_is_retrieved_as_it_was_created(client: AsyncOpenAI) -> None:
    made = await client.conversations.create()
    assert made.id.startswith("conv_")
    assert (made.object, made.metadata) == ("conversation", {})
    assert (await client.conversations.retrieve(made.id)).to_dict() == made.to_dict()
    assert await texts(client, made.id) == []


async def test_the_blocking_client_does_the_same(house: House) -> None:
    def talk() -> list[str]:
        with OpenAI(base_url=house.url, api_key=house.key, max_retries=0) as client:
            made = client.conversations.create(items=[message("One")], metadata={"a": "b"})
            client.conversations.items.create(made.id, items=[message("Two")])
            first = client.conversations.items.list(made.id, order="asc", limit=1)
            told = [cast("Any", item).content[0].text for item in first]
            assert client.conversations.retrieve(made.id).metadata == {"a": "b"}
            assert client.conversations.delete(made.id).deleted
            return told

    assert await asyncio.to_thread(talk) == ["One", "Two"]


@parameter("conversations.create items")
async def test_the_first_items_keep_their_order(client: AsyncOpenAI) -> None:
    items = [message(f"Number {n}") for n in range(20)]
    made = await client.conversations.create(items=items)
    assert await texts(client, made.id) == [f"Number {n}" for n in range(20)]
    none = await client.conversations.create(items=None)
    assert await texts(client, none.id) == []
    error = await refused(client.conversations.create(items=[*items, message("one more")]))
    assert (error.param, error.code) == ("items", "array_above_max_length")


@parameter("conversations.create metadata")
async def test_metadata_is_kept_with_the_conversation(client: AsyncOpenAI) -> None:
    pairs = {f"{n:02}".ljust(64, "k"): "v" * 512 for n in range(16)}
    made = await client.conversations.create(metadata=pairs)
    assert made.metadata == pairs
    assert (await client.conversations.retrieve(made.id)).metadata == pairs
    assert (await client.conversations.create(metadata=None)).metadata == {}


@parameter("conversations.update metadata")
async def test_metadata_is_replaced(client: AsyncOpenAI) -> None:
    made = await client.conversations.create(metadata={"a": "1", "b": "2"})
    changed = await client.conversations.update(made.id, metadata={"b": "3"})
    assert changed.to_dict() == {**made.to_dict(), "metadata": {"b": "3"}}
    assert (await client.conversations.update(made.id, metadata={})).metadata == {}
    await client.conversations.update(made.id, metadata={"c": "4"})
    assert (await client.conversations.update(made.id, metadata=None)).metadata == {}


WRONG_METADATA = [
    ({str(n): "" for n in range(17)}, "metadata", "object_above_max_properties"),
    ({"k" * 65: "v"}, "metadata", None),
    ({"k": "v" * 513}, "metadata.k", "string_above_max_length"),
    ({"k": 1}, "metadata.k", "invalid_type"),
    ("text", "metadata", "invalid_type"),
]


@pytest.mark.parametrize(("metadata", "param", "code"), WRONG_METADATA)
async def test_metadata_beyond_its_limits_is_refused(
    client: AsyncOpenAI, metadata: Any, param: str, code: str | None
) -> None:
    made = await client.conversations.create(metadata={"a": "1"})
    for asked in (
        client.conversations.create(metadata=metadata),
        client.conversations.update(made.id, metadata=metadata),
    ):
        error = await refused(asked)
        assert error.type == "invalid_request_error"
        assert str(error.param).startswith(param)
        assert code is None or error.code == code
    assert (await client.conversations.retrieve(made.id)).metadata == {"a": "1"}


async def test_unknown_fields_are_refused(client: AsyncOpenAI) -> None:
    error = await refused(client.conversations.create(extra_body={"model": "scripted"}))
    assert (error.param, error.code) == ("model", "unknown_parameter")
    made = await client.conversations.create()
    error = await refused(
        client.conversations.update(made.id, metadata={}, extra_body={"items": []})
    )
    assert (error.param, error.code) == ("items", "unknown_parameter")


async def test_an_update_says_what_it_updates(client: AsyncOpenAI) -> None:
    made = await client.conversations.create()
    error = await refused(client.post(f"/conversations/{made.id}", body={}, cast_to=object))
    assert (error.param, error.code) == ("metadata", "missing_required_parameter")


async def test_updates_at_once_leave_one_of_them(client: AsyncOpenAI) -> None:
    made = await client.conversations.create()
    pairs = [{"winner": str(n)} for n in range(20)]
    await asyncio.gather(
        *(client.conversations.update(made.id, metadata=metadata) for metadata in pairs)
    )
    assert (await client.conversations.retrieve(made.id)).metadata in pairs


async def test_what_is_deleted_is_gone_with_its_items(client: AsyncOpenAI) -> None:
    made = await client.conversations.create(items=[message("Hi")])
    (item,) = await said(client, made.id)
    gone = await client.conversations.delete(made.id)
    assert gone.to_dict() == {"id": made.id, "object": "conversation.deleted", "deleted": True}
    await nobody_finds(client, made.id, item.id)


async def test_another_project_finds_nothing(client: AsyncOpenAI, house: House) -> None:
    made = await client.conversations.create(items=[message("Hi")])
    (item,) = await said(client, made.id)
    await nobody_finds(await stranger(house), made.id, item.id)
    assert await texts(client, made.id) == ["Hi"]


async def test_an_id_that_never_was_is_not_found(client: AsyncOpenAI) -> None:
    await nobody_finds(client, "conv_123", "msg_123")
    await nobody_finds(client, "resp_\x00\U0001f600' OR 1=1", "msg_%2F..")


async def nobody_finds(client: AsyncOpenAI, conversation_id: str, item_id: str) -> None:
    items = client.conversations.items
    for asked in (
        client.conversations.retrieve(conversation_id),
        client.conversations.update(conversation_id, metadata={}),
        client.conversations.delete(conversation_id),
        items.list(conversation_id),
        items.create(conversation_id, items=[message("Hi")]),
        items.retrieve(item_id, conversation_id=conversation_id),
        items.delete(item_id, conversation_id=conversation_id),
    ):
        with pytest.raises(NotFoundError) as caught:
            await asked
        assert caught.value.type == "invalid_request_error"
        assert f"Conversation with id '{conversation_id}' not found." in caught.value.message


async def test_a_key_may_read_only(client: AsyncOpenAI, house: House) -> None:
    made = await client.conversations.create(items=[message("Hi")])
    reader = house.client(await key_with(house, "conversations.read"))
    assert await texts(reader, made.id) == ["Hi"]
    for asked in (
        reader.conversations.create(),
        reader.conversations.update(made.id, metadata={}),
        reader.conversations.delete(made.id),
        reader.conversations.items.create(made.id, items=[message("Hi")]),
    ):
        with pytest.raises(PermissionDeniedError, match=r"conversations\.write"):
            await asked


async def test_a_conversation_that_a_response_holds_is_locked(
    client: AsyncOpenAI, house: House
) -> None:
    made = await client.conversations.create(items=[message("Hi")])
    (item,) = await said(client, made.id)
    await house.services.database.write(*locking(made.id, "resp_1"))
    for asked in (
        client.conversations.items.create(made.id, items=[message("Ho")]),
        client.conversations.items.delete(item.id, conversation_id=made.id),
        client.conversations.delete(made.id),
    ):
        error = await refused(asked)
        assert (error.param, error.code) == ("conversation", "conversation_locked")
        assert "Another process is currently operating on this conversation." in error.message
    assert await texts(client, made.id) == ["Hi"]
    await client.conversations.update(made.id, metadata={"a": "b"})
    await house.services.database.write(unlocking("resp_1"))
    await client.conversations.delete(made.id)
