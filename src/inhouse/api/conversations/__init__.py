"""client.conversations"""

from functools import partial

from inhouse.agent.responses.kept import kept_items
from inhouse.context import Context
from inhouse.operations import Json, operation


@operation("POST /conversations", permission="conversations.write")
async def create(ctx: Context, body: Json) -> Json:
    """A new conversation, with its first items if there are some."""
    find = partial(ctx.conversations.find, ctx.scope)
    first = await kept_items(body.get("items") or [], ctx.ids, find)
    conversation: Json = {
        "id": ctx.ids("conv_"),
        "object": "conversation",
        "created_at": int(ctx.clock.now()),
        "metadata": body.get("metadata") or {},
    }
    await ctx.conversations.create(ctx.scope, conversation, first)
    return conversation


@operation("GET /conversations/{conversation_id}", permission="conversations.read")
async def retrieve(ctx: Context, conversation_id: str) -> Json:
    """A conversation, without its items."""
    return await ctx.conversations.get(ctx.scope, conversation_id)


@operation("POST /conversations/{conversation_id}", permission="conversations.write")
async def update(ctx: Context, conversation_id: str, body: Json) -> Json:
    """Replace a conversation's metadata."""
    return await ctx.conversations.update(ctx.scope, conversation_id, body["metadata"] or {})


@operation("DELETE /conversations/{conversation_id}", permission="conversations.write")
async def delete(ctx: Context, conversation_id: str) -> Json:
    """Delete a conversation and its items; responses keep theirs."""
    await ctx.conversations.delete(ctx.scope, conversation_id)
    return {"object": "conversation.deleted", "id": conversation_id, "deleted": True}
