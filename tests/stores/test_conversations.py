import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from inhouse.errors import BadRequest, NotFound
from inhouse.scope import Scope
from inhouse.stores import Database, Duplicate, Page, Stale
from inhouse.stores.conversations import (
    ConversationLocked,
    ConversationStore,
    locking,
    unlocking,
)

Json = dict[str, Any]
ASCENDING = Page(order="asc", limit=100)
CONVERSATION = {
    "id": "conv_1",
    "object": "conversation",
    "created_at": 1700000000,
    "metadata": {"a": "b"},
}


def messages(*numbers: int) -> list[Json]:
    return [{"id": f"msg_{n}", "type": "message", "role": "user"} for n in numbers]


@pytest.fixture
async def conversations(database: Database, scope: Scope) -> ConversationStore:
    """A store in which conversation `conv_1` has three messages."""
    store = ConversationStore(database)
    await store.create(scope, CONVERSATION, messages(0, 1, 2))
    return store


async def ids(store: ConversationStore, scope: Scope, page: Page = ASCENDING) -> list[str]:
    return [item["id"] for item in (await store.items(scope, "conv_1", page)).data]


async def test_items_are_appended_behind_the_first_ones(
    conversations: ConversationStore, scope: Scope
) -> None:
    await conversations.append(scope, "conv_1", messages(3, 4))
    assert await ids(conversations, scope) == ["msg_0", "msg_1", "msg_2", "msg_3", "msg_4"]
    assert await conversations.end("conv_1") == 5
    assert await conversations.item(scope, "conv_1", "msg_3") == messages(3)[0]


async def test_pages_follow_positions_not_ids(
    conversations: ConversationStore, scope: Scope
) -> None:
    await conversations.append(scope, "conv_1", [{"id": "aaa"}, {"id": "zzz"}, {"id": "bbb"}])
    assert await ids(conversations, scope, Page(after="msg_2", order="asc", limit=2)) == [
        "aaa",
        "zzz",
    ]
    assert await ids(conversations, scope, Page(after="zzz", limit=2)) == ["aaa", "msg_2"]
    page = await conversations.items(scope, "conv_1", Page(after="zzz", limit=4))
    assert not page.has_more
    assert (page.first_id, page.last_id) == ("aaa", "msg_0")
    with pytest.raises(BadRequest, match="No such item: msg_9"):
        await ids(conversations, scope, Page(after="msg_9"))


async def test_appends_at_once_all_get_a_position_of_their_own(
    conversations: ConversationStore, scope: Scope, database: Database
) -> None:
    await asyncio.gather(
        *(conversations.append(scope, "conv_1", messages(n, n + 100)) for n in range(10, 60))
    )
    rows = await database.read("SELECT position, id FROM items WHERE owner = 'conv_1'")
    assert {row[0] for row in rows} == set(range(103))
    order = await ids(conversations, scope, Page(order="asc", limit=200))
    for n in range(10, 60):  # what came together stays together
        assert order.index(f"msg_{n + 100}") == order.index(f"msg_{n}") + 1


async def test_an_id_is_taken_once_and_nothing_of_a_refused_change_stays(
    conversations: ConversationStore, scope: Scope
) -> None:
    with pytest.raises(BadRequest, match="Duplicate item found with id msg_1"):
        await conversations.append(scope, "conv_1", messages(7, 1))
    with pytest.raises(BadRequest, match="Duplicate item found with id msg_8"):
        await conversations.append(scope, "conv_1", messages(8, 8))
    assert await ids(conversations, scope) == ["msg_0", "msg_1", "msg_2"]
    assert not await conversations.locked("conv_1")
    await conversations.append(scope, "conv_1", messages(8))


async def test_an_item_is_removed_and_the_others_keep_their_places(
    conversations: ConversationStore, scope: Scope
) -> None:
    assert await conversations.remove(scope, "conv_1", "msg_1") == CONVERSATION
    assert await ids(conversations, scope) == ["msg_0", "msg_2"]
    for again in (conversations.remove, conversations.item):
        with pytest.raises(NotFound, match="Item with id 'msg_1' not found"):
            await again(scope, "conv_1", "msg_1")
    assert not await conversations.locked("conv_1")


async def test_nothing_changes_items_while_a_response_holds_the_conversation(
    conversations: ConversationStore, scope: Scope, database: Database
) -> None:
    await database.write(*locking("conv_1", "resp_1"))
    changes = (
        conversations.append(scope, "conv_1", messages(5)),
        conversations.remove(scope, "conv_1", "msg_1"),
        conversations.delete(scope, "conv_1"),
    )
    for change in changes:
        with pytest.raises(ConversationLocked) as caught:
            await change
        assert (caught.value.status, caught.value.code) == (400, "conversation_locked")
    with pytest.raises(Duplicate):
        await database.write(*locking("conv_1", "resp_2"))
    assert await ids(conversations, scope) == ["msg_0", "msg_1", "msg_2"]
    assert (await conversations.update(scope, "conv_1", {"c": "d"}))["metadata"] == {"c": "d"}
    await database.write(unlocking("resp_1"))
    await conversations.append(scope, "conv_1", messages(5))
    await database.write(*locking("conv_1", "resp_2"))


async def test_a_response_cannot_hold_what_is_not_there(database: Database) -> None:
    with pytest.raises(Stale):
        await database.write(*locking("conv_9", "resp_1"))


async def test_deleting_a_conversation_takes_its_items_along(
    conversations: ConversationStore, scope: Scope, database: Database
) -> None:
    await conversations.delete(scope, "conv_1")
    assert await database.read("SELECT * FROM items") == []
    assert await database.read("SELECT * FROM conversation_locks") == []
    for call in (
        conversations.get(scope, "conv_1"),
        conversations.delete(scope, "conv_1"),
        conversations.update(scope, "conv_1", {}),
        conversations.items(scope, "conv_1", ASCENDING),
        conversations.item(scope, "conv_1", "msg_1"),
        conversations.append(scope, "conv_1", messages(5)),
        conversations.remove(scope, "conv_1", "msg_1"),
    ):
        with pytest.raises(NotFound, match="Conversation with id 'conv_1' not found"):
            await call


async def test_appends_and_a_deletion_at_once_leave_all_or_nothing(
    conversations: ConversationStore, scope: Scope, database: Database
) -> None:
    appends = [conversations.append(scope, "conv_1", messages(n)) for n in range(10, 20)]
    changes = [*appends[:5], conversations.delete(scope, "conv_1"), *appends[5:]]
    results = await asyncio.gather(*changes, return_exceptions=True)
    assert all(result is None or isinstance(result, NotFound) for result in results), results
    assert await database.read("SELECT * FROM items") == []


async def test_another_project_or_organization_finds_nothing(
    conversations: ConversationStore, scope: Scope, scope_of: Callable[..., Scope]
) -> None:
    for other in (scope_of("proj_2"), scope_of("proj_1", "org-2")):
        for call in (
            conversations.get(other, "conv_1"),
            conversations.append(other, "conv_1", messages(5)),
            conversations.remove(other, "conv_1", "msg_1"),
            conversations.items(other, "conv_1", ASCENDING),
            conversations.delete(other, "conv_1"),
        ):
            with pytest.raises(NotFound):
                await call
    assert await ids(conversations, scope) == ["msg_0", "msg_1", "msg_2"]
