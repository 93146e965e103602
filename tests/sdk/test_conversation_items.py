"""Items of conversations through the official client: added, listed by page, told, deleted."""

import asyncio
from typing import Any, cast

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError
from tests.conftest import House
from tests.sdk.conversing import message, said, stranger, texts
from tests.sdk.covering import Covering

from inhouse.contract import Contract

Json = dict[str, Any]
parameter = Covering()


def test_every_parameter_has_a_test() -> None:
    assert parameter.names == {
        f"{spec.name.rpartition('.')[2]} {field}"
        for spec in Contract.load().operations.values()
        if spec.name.startswith("conversations.items.")
        for field in (*spec.body_schema["properties"], *spec.query_schema["properties"])
    }


@pytest.fixture
async def talk(client: AsyncOpenAI) -> str:
    """The id of a conversation of five messages, `0` to `4`."""
    made = await client.conversations.create(items=[message(str(n)) for n in range(5)])
    return made.id


async def refused(asked: Any) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        await asked
    return caught.value


@parameter("create items")
async def test_items_are_added_at_the_end_and_told_with_ids(client: AsyncOpenAI, talk: str) -> None:
    added = await client.conversations.items.create(talk, items=[message("a"), message("b")])
    assert (added.object, added.has_more) == ("list", False)
    assert (added.first_id, added.last_id) == (added.data[0].id, added.data[1].id)
    assert [item.to_dict() for item in await said(client, talk)][5:] == [
        item.to_dict() for item in added.data
    ]
    assert await texts(client, talk) == ["0", "1", "2", "3", "4", "a", "b"]
    first = added.data[0].to_dict()
    assert first == {
        "id": added.first_id,
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_text", "text": "a"}],
    }


async def test_no_items_are_a_list_of_none(client: AsyncOpenAI, talk: str) -> None:
    added = await client.conversations.items.create(talk, items=[])
    assert (added.data, added.first_id, added.last_id) == ([], "", "")
    assert len(await said(client, talk)) == 5


async def test_the_assistants_words_are_output(client: AsyncOpenAI, talk: str) -> None:
    await client.conversations.items.create(
        talk, items=[message("Hello.", "assistant"), message("Be brief.", "developer")]
    )
    one, other = (await said(client, talk))[5:]
    assert (one.role, one.content[0].type, one.content[0].text) == (
        "assistant",
        "output_text",
        "Hello.",
    )
    assert (other.role, other.content[0].type) == ("developer", "input_text")


@pytest.mark.parametrize(
    ("items", "param", "code"),
    [
        ([message("x")] * 21, "items", "array_above_max_length"),
        ("x", "items", "invalid_type"),
        ([{"role": "nobody", "content": "x"}], "items[0].role", "invalid_value"),
        ([{"role": "user"}], "items[0].content", "missing_required_parameter"),
        ([message("x"), {"type": "function_call"}], "items[1].arguments", None),
        ([{"type": "compaction_trigger"}], "items[0].type", "invalid_value"),
        ([{"type": "nothing", "id": "x"}], "items[0].type", "invalid_value"),
        ([{"role": "user", "content": [{"type": "input_image"}]}], "items[0].content[0]", None),
        ([None], "items[0]", "invalid_type"),
    ],
)
async def test_what_is_no_item_is_refused_and_nothing_is_added(
    client: AsyncOpenAI, talk: str, items: Any, param: str, code: str | None
) -> None:
    for asked in (
        client.conversations.items.create(talk, items=items),
        client.conversations.create(items=items),
    ):
        error = await refused(asked)
        assert str(error.param).startswith(param), error
        assert code is None or error.code == code
    assert len(await said(client, talk)) == 5


async def test_items_are_named(client: AsyncOpenAI, talk: str) -> None:
    error = await refused(client.post(f"/conversations/{talk}/items", body={}, cast_to=object))
    assert (error.param, error.code) == ("items", "missing_required_parameter")


async def test_an_id_is_in_a_conversation_once(client: AsyncOpenAI, talk: str) -> None:
    (item,) = (await client.conversations.items.create(talk, items=[message("a")])).data
    again: Any = item.to_dict()
    reference: Any = {"type": "item_reference", "id": item.id}
    tries: list[list[Any]] = [[again], [message("b"), reference]]
    for items in tries:
        error = await refused(client.conversations.items.create(talk, items=items))
        assert error.param == "items"
        assert f"Duplicate item found with id {item.id}." in error.message
    error = await refused(client.conversations.create(items=[again, again]))
    assert error.param == "items"
    assert len(await said(client, talk)) == 6


async def test_what_was_told_is_taken_by_another_conversation(
    client: AsyncOpenAI, talk: str
) -> None:
    told: Any = [item.to_dict() for item in await said(client, talk)]
    other = await client.conversations.create(items=told)
    assert [item.to_dict() for item in await said(client, other.id)] == told
    await client.conversations.delete(talk)
    assert await texts(client, other.id) == ["0", "1", "2", "3", "4"]


async def test_a_reference_becomes_the_item_that_it_names(
    client: AsyncOpenAI, talk: str, house: House
) -> None:
    item = (await said(client, talk))[3]
    reference: Any = {"type": "item_reference", "id": item.id}
    both: list[Any] = [message("x"), reference]
    other = await client.conversations.create(items=both)
    assert await texts(client, other.id) == ["x", "3"]
    away, nothing = await stranger(house), cast("Any", {"id": "msg_none"})
    for asked in (
        away.conversations.create(items=[reference]),
        client.conversations.items.create(talk, items=[nothing]),
    ):
        with pytest.raises(NotFoundError, match="Item with id 'msg_") as caught:
            await asked
        assert caught.value.param == "items"


@parameter("list limit", "list order")
async def test_pages_come_in_both_orders(client: AsyncOpenAI, talk: str) -> None:
    items = await said(client, talk)
    ids = [item.id for item in items]
    for limit in (1, 2, 5, 100):
        assert [item.id for item in await said(client, talk, limit=limit)] == ids
        assert [item.id for item in await said(client, talk, limit=limit, order="desc")] == ids[
            ::-1
        ]
    page = await client.conversations.items.list(talk, limit=2)
    assert ([item.id for item in page.data], page.has_more) == (ids[:2:-1], True)
    assert page.last_id == ids[3]


async def test_a_page_has_twenty_items_unless_asked_otherwise(client: AsyncOpenAI) -> None:
    made = await client.conversations.create(items=[message(str(n)) for n in range(20)])
    await client.conversations.items.create(made.id, items=[message("20")])
    page = await client.conversations.items.list(made.id)
    assert (len(page.data), page.has_more) == (20, True)
    assert await texts(client, made.id, order="desc") == [str(n) for n in range(20, -1, -1)]


@parameter("list after")
async def test_a_page_begins_after_an_item(client: AsyncOpenAI, talk: str) -> None:
    ids = [item.id for item in await said(client, talk)]
    listed = client.conversations.items.list
    page = await listed(talk, after=ids[1], order="asc", limit=2)
    assert ([item.id for item in page.data], page.has_more) == (ids[2:4], True)
    page = await listed(talk, after=ids[1])
    assert ([item.id for item in page.data], page.has_more) == (ids[:1], False)
    page = await listed(talk, after=ids[0])
    assert (page.data, page.has_more) == ([], False)
    other = await client.conversations.create(items=[message("x")])
    (foreign,) = await said(client, other.id)
    for unknown in (foreign.id, "msg_none", "\x00"):
        error = await refused(listed(talk, after=unknown))
        assert (error.param, error.message.count("No such item")) == ("after", 1)


@pytest.mark.parametrize(
    ("options", "param", "code"),
    [
        ({"limit": 0}, "limit", "integer_below_min_value"),
        ({"limit": 101}, "limit", "integer_above_max_value"),
        ({"limit": "many"}, "limit", "invalid_type"),
        ({"order": "sideways"}, "order", "invalid_value"),
        ({"include": ["everything"]}, "include[0]", "invalid_value"),
    ],
)
async def test_a_page_that_cannot_be_is_refused(
    client: AsyncOpenAI, talk: str, options: Any, param: str, code: str
) -> None:
    error = await refused(client.conversations.items.list(talk, **options))
    assert (error.param, error.code) == (param, code)


INCLUDE: Any = [
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
]
LOGPROB = {"token": "Hi", "bytes": [72, 105], "logprob": -0.5, "top_logprobs": []}
RICH: Any = [
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "sealed",
    },
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [
            {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": [LOGPROB]}
        ],
    },
    {
        "type": "file_search_call",
        "id": "fs_1",
        "status": "completed",
        "queries": ["where"],
        "results": [{"file_id": "file-1", "text": "Here.", "score": 0.5}],
    },
]


def data(page: Any) -> list[Json]:
    return page.to_dict()["data"]


@parameter("create include", "list include", "retrieve include")
async def test_more_is_told_to_those_who_ask(client: AsyncOpenAI, talk: str) -> None:
    items = client.conversations.items
    full = data(await items.create(talk, items=RICH, include=INCLUDE))
    assert full[0]["encrypted_content"] == "sealed"
    assert full[1]["content"][0]["logprobs"] == [LOGPROB]
    assert full[2]["results"][0]["text"] == "Here."
    bare: list[Json] = [item.to_dict() for item in await said(client, talk)][5:]
    assert bare[0]["encrypted_content"] is None
    assert bare[1]["content"][0]["logprobs"] == []
    assert bare[2]["results"] is None
    assert [item.to_dict() for item in await said(client, talk, include=INCLUDE)][5:] == full
    for number, one in enumerate(full):
        told = await items.retrieve(one["id"], conversation_id=talk)
        assert told.to_dict() == bare[number]
        told = await items.retrieve(one["id"], conversation_id=talk, include=INCLUDE)
        assert told.to_dict() == one
    other = await client.conversations.create()
    one_of_them = await items.create(other.id, items=RICH, include=["reasoning.encrypted_content"])
    assert data(one_of_them) == [full[0], *bare[1:]]


async def test_an_image_keeps_its_url(client: AsyncOpenAI, talk: str) -> None:
    part = {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}
    content: Any = [{"role": "user", "content": [part, {"type": "input_text", "text": "What?"}]}]
    added = await client.conversations.items.create(talk, items=content)
    told: Any = await client.conversations.items.retrieve(added.first_id, conversation_id=talk)
    assert told.content[0].image_url == part["image_url"]
    assert told.content[0].detail == "low"


async def test_an_item_is_deleted_and_the_conversation_told(client: AsyncOpenAI, talk: str) -> None:
    item = (await said(client, talk))[2]
    told = await client.conversations.items.delete(item.id, conversation_id=talk)
    assert told.to_dict() == (await client.conversations.retrieve(talk)).to_dict()
    assert await texts(client, talk) == ["0", "1", "3", "4"]
    for asked in (
        client.conversations.items.retrieve(item.id, conversation_id=talk),
        client.conversations.items.delete(item.id, conversation_id=talk),
    ):
        with pytest.raises(NotFoundError, match=f"Item with id '{item.id}' not found"):
            await asked


async def test_an_item_of_one_conversation_is_not_found_in_another(
    client: AsyncOpenAI, talk: str
) -> None:
    item = (await said(client, talk))[0]
    other = await client.conversations.create()
    with pytest.raises(NotFoundError):
        await client.conversations.items.retrieve(item.id, conversation_id=other.id)
    with pytest.raises(NotFoundError):
        await client.conversations.items.delete(item.id, conversation_id=other.id)
    assert len(await said(client, talk)) == 5


async def test_fifty_appends_at_once_are_all_kept_in_some_order(
    client: AsyncOpenAI, house: House, talk: str
) -> None:
    pairs = [[message(f"{n}a"), message(f"{n}b")] for n in range(50)]
    await asyncio.gather(*(client.conversations.items.create(talk, items=pair) for pair in pairs))
    order = await texts(client, talk, limit=100)
    assert order[:5] == ["0", "1", "2", "3", "4"]
    assert sorted(order[5:]) == sorted(f"{n}{half}" for n in range(50) for half in "ab")
    assert all(order[order.index(f"{n}a") + 1] == f"{n}b" for n in range(50))
    rows = await house.services.database.read(
        "SELECT position FROM items WHERE owner = ? ORDER BY position", (talk,)
    )
    assert [row[0] for row in rows] == list(range(105))


async def test_deletions_and_appends_at_once_lose_nothing(client: AsyncOpenAI, talk: str) -> None:
    items = client.conversations.items
    gone = await said(client, talk)
    await asyncio.gather(
        *(items.delete(item.id, conversation_id=talk) for item in gone),
        *(items.create(talk, items=[message(f"new {n}")]) for n in range(20)),
    )
    assert sorted(await texts(client, talk)) == sorted(f"new {n}" for n in range(20))
