"""client.conversations.items"""

from functools import partial

from inhouse.agent.responses.included import shown
from inhouse.agent.responses.kept import kept_items
from inhouse.context import Context
from inhouse.operations import Json, operation
from inhouse.stores.page import Listing, Page


@operation("POST /conversations/{conversation_id}/items", permission="conversations.write")
async def create(ctx: Context, conversation_id: str, body: Json, query: Json) -> Json:
    """Add items at a conversation's end."""
    find = partial(ctx.conversations.find, ctx.scope)
    added = await kept_items(body["items"], ctx.ids, find)
    await ctx.conversations.append(ctx.scope, conversation_id, added)
    ids = [item["id"] for item in added]
    first, last = (ids[0], ids[-1]) if ids else (None, None)
    return _list(Listing(added, first, last, has_more=False), query)


@operation("GET /conversations/{conversation_id}/items", permission="conversations.read")
async def list(ctx: Context, conversation_id: str, query: Json) -> Json:  # noqa: A001 - the SDK's name
    """The items of a conversation, newest first unless asked otherwise."""
    page = Page(
        after=query.get("after"),
        limit=query.get("limit") or 20,
        order=query.get("order") or "desc",
    )
    return _list(await ctx.conversations.items(ctx.scope, conversation_id, page), query)


@operation("GET /conversations/{conversation_id}/items/{item_id}", permission="conversations.read")
async def retrieve(ctx: Context, conversation_id: str, item_id: str, query: Json) -> Json:
    """One item of a conversation."""
    item = await ctx.conversations.item(ctx.scope, conversation_id, item_id)
    return shown(item, query.get("include") or ())


@operation(
    "DELETE /conversations/{conversation_id}/items/{item_id}", permission="conversations.write"
)
async def delete(ctx: Context, conversation_id: str, item_id: str) -> Json:
    """Delete one item of a conversation; the conversation."""
    return await ctx.conversations.remove(ctx.scope, conversation_id, item_id)


def _list(page: Listing, query: Json) -> Json:
    """A list object; the contract has text for the ids of a list of nothing, too."""
    include = query.get("include") or ()
    return {
        "object": "list",
        "data": [shown(item, include) for item in page.data],
        "first_id": page.first_id or "",
        "last_id": page.last_id or "",
        "has_more": page.has_more,
    }
