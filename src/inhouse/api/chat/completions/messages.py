"""client.chat.completions.messages"""

from inhouse.context import Context
from inhouse.operations import Json, operation
from inhouse.stores.page import Page


@operation("GET /chat/completions/{completion_id}/messages", permission="chat.completions.read")
async def list(ctx: Context, completion_id: str, query: Json) -> Json:  # noqa: A001 - the SDK's name
    """The messages that a stored completion was made from."""
    page = Page(
        after=query.get("after"),
        limit=query.get("limit") or 20,
        order=query.get("order") or "asc",
    )
    return (await ctx.chats.messages(ctx.scope, completion_id, page)).body()
