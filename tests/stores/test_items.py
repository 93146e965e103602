from collections.abc import Callable

import pytest

from inhouse.errors import BadRequest, NotFound
from inhouse.scope import Scope
from inhouse.stores import Database, Page
from inhouse.stores.items import ItemStore, adding


@pytest.fixture
async def items(database: Database, scope: Scope) -> ItemStore:
    """Items of `resp_1`: five of its input, three that it made."""
    said = [{"id": f"msg_{n}"} for n in range(8)]
    await database.write(
        *adding(scope, "resp_1", said[:5]),
        *adding(scope, "resp_1", said[5:], start=5, output=True),
    )
    return ItemStore(database)


async def test_a_page_may_be_of_the_input_or_of_what_was_made(
    items: ItemStore, scope: Scope
) -> None:
    page = Page(order="asc", limit=2, after="msg_2")
    found = await items.page(scope, "resp_1", page, output=False)
    assert [item["id"] for item in found.data] == ["msg_3", "msg_4"]
    assert not found.has_more
    made = await items.page(scope, "resp_1", Page(limit=2), output=True)
    assert [item["id"] for item in made.data] == ["msg_7", "msg_6"]
    assert made.has_more
    both = await items.page(scope, "resp_1", Page(before="msg_6", limit=2, order="asc"))
    assert [item["id"] for item in both.data] == ["msg_4", "msg_5"]


async def test_items_of_another_project_are_not_found(
    items: ItemStore, scope: Scope, scope_of: Callable[..., Scope]
) -> None:
    assert await items.get(scope, "resp_1", "msg_3") == {"id": "msg_3"}
    with pytest.raises(NotFound):
        await items.get(scope_of("proj_2"), "resp_1", "msg_3")
    with pytest.raises(BadRequest):
        await items.page(scope_of("proj_2"), "resp_1", Page(after="msg_3"))
    with pytest.raises(NotFound):
        await items.get(scope, "resp_2", "msg_3")
