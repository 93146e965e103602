"""client.responses.input_items"""

from inhouse.agent.responses.included import shown
from inhouse.context import Context
from inhouse.errors import BadRequest
from inhouse.operations import Json, operation
from inhouse.stores.page import Page, listing


@operation("GET /responses/{response_id}/input_items", permission="responses.read")
async def list(ctx: Context, response_id: str, query: Json) -> Json:  # noqa: A001 - the SDK's name
    """What a model read for a response: all that came before it, and its own input."""
    items = await ctx.responses.read(ctx.scope, response_id)
    page = Page(
        after=query.get("after"),
        limit=query.get("limit") or 20,
        order=query.get("order") or "desc",
    )
    if page.order == "desc":
        items.reverse()
    start = 0
    if page.after is not None:
        places = [number for number, item in enumerate(items) if item["id"] == page.after]
        if not places:
            raise BadRequest(
                f"Item with id '{page.after}' not found in response '{response_id}'.",
                param="after",
            )
        start = places[0] + 1
    include = query.get("include") or ()
    part = items[start : start + page.limit + 1]
    return listing([shown(item, include) for item in part], page).body()
