from collections.abc import Callable
from typing import Any

import pytest

from inhouse.errors import BadRequest, NotFound
from inhouse.scope import Scope
from inhouse.stores import Database, Page
from inhouse.stores.chats import ChatStore

Json = dict[str, Any]
ASCENDING = Page(order="asc")


@pytest.fixture
def chats(database: Database) -> ChatStore:
    return ChatStore(database)


async def store(
    chats: ChatStore, scope: Scope, number: int, model: str = "m", **fields: Any
) -> Json:
    completion = {
        "id": f"chatcmpl-{number:03}",
        "object": "chat.completion",
        "created": 1700000000 + number,
        "model": model,
        "choices": [],
        "metadata": None,
        **fields,
    }
    messages = [{"role": "user", "content": f"part {n}"} for n in range(5)]
    request = {"model": model, "messages": messages, "temperature": 0.5, "store": True}
    await chats.create(scope, completion, request, messages)
    return completion


async def test_a_stored_completion_can_be_retrieved_with_its_request(
    chats: ChatStore, scope: Scope
) -> None:
    completion = await store(chats, scope, 1)
    assert await chats.get(scope, "chatcmpl-001") == completion
    assert await chats.request(scope, "chatcmpl-001") == {
        "model": "m",
        "temperature": 0.5,
        "store": True,
    }


async def test_completions_are_listed_by_model_and_metadata(chats: ChatStore, scope: Scope) -> None:
    for number in range(6):
        model = "m" if number % 2 else "n"
        await store(chats, scope, number, model, metadata={"run": str(number // 3)})
    listing = await chats.list(scope, ASCENDING, model="m", metadata={"run": "0"})
    assert [body["id"] for body in listing.data] == ["chatcmpl-001"]
    listing = await chats.list(scope, Page(limit=2), model="m")
    assert [body["id"] for body in listing.data] == ["chatcmpl-005", "chatcmpl-003"]
    assert listing.body() == {
        "object": "list",
        "data": list(listing.data),
        "first_id": "chatcmpl-005",
        "last_id": "chatcmpl-003",
        "has_more": True,
    }


async def test_metadata_is_replaced(chats: ChatStore, scope: Scope) -> None:
    completion = await store(chats, scope, 1, metadata={"a": "1"})
    changed = await chats.update(scope, "chatcmpl-001", {"b": "2"})
    assert changed == {**completion, "metadata": {"b": "2"}}
    assert (await chats.list(scope, Page(), metadata={"a": "1"})).data == []
    assert (await chats.list(scope, Page(), metadata={"b": "2"})).data == [changed]
    assert (await chats.update(scope, "chatcmpl-001", None))["metadata"] is None


async def test_messages_are_paged_by_position(chats: ChatStore, scope: Scope) -> None:
    await store(chats, scope, 1)
    first = await chats.messages(scope, "chatcmpl-001", Page(limit=2, order="asc"))
    assert first.data == [
        {"role": "user", "content": "part 0", "id": "chatcmpl-001-0"},
        {"role": "user", "content": "part 1", "id": "chatcmpl-001-1"},
    ]
    assert first.has_more
    rest = await chats.messages(
        scope, "chatcmpl-001", Page(after=first.last_id, limit=10, order="asc")
    )
    assert [message["id"] for message in rest.data] == [f"chatcmpl-001-{n}" for n in (2, 3, 4)]
    assert not rest.has_more
    backwards = await chats.messages(scope, "chatcmpl-001", Page(after="chatcmpl-001-2"))
    assert [message["id"] for message in backwards.data] == ["chatcmpl-001-1", "chatcmpl-001-0"]


@pytest.mark.parametrize("after", ["chatcmpl-002-1", "chatcmpl-001-x", "chatcmpl-001-", "-1", "\0"])
async def test_a_cursor_that_is_not_one_of_its_messages_is_a_400(
    chats: ChatStore, scope: Scope, after: str
) -> None:
    await store(chats, scope, 1)
    with pytest.raises(BadRequest):
        await chats.messages(scope, "chatcmpl-001", Page(after=after))


async def test_a_deleted_completion_leaves_nothing(
    database: Database, chats: ChatStore, scope: Scope
) -> None:
    await store(chats, scope, 1, metadata={"a": "b"})
    await chats.delete(scope, "chatcmpl-001")
    for table in ("objects", "object_metadata", "chat_requests", "chat_messages"):
        assert await database.read(f"SELECT 1 FROM {table}") == []  # noqa: S608
    with pytest.raises(NotFound):
        await chats.messages(scope, "chatcmpl-001", Page())


async def test_another_projects_completion_is_not_found(
    chats: ChatStore, scope: Scope, scope_of: Callable[..., Scope]
) -> None:
    await store(chats, scope, 1)
    other = scope_of("proj_2")
    assert (await chats.list(other, Page())).data == []
    for call in (
        chats.get(other, "chatcmpl-001"),
        chats.request(other, "chatcmpl-001"),
        chats.messages(other, "chatcmpl-001", Page()),
        chats.update(other, "chatcmpl-001", {}),
        chats.delete(other, "chatcmpl-001"),
    ):
        with pytest.raises(NotFound, match="chatcmpl-001"):
            await call
    assert len((await chats.messages(scope, "chatcmpl-001", Page())).data) == 5
