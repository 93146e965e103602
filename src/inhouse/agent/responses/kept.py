"""Items that a client adds to a conversation: made whole, as those of a request are."""

from collections.abc import Sequence

from inhouse.agent.responses.items import TRIGGER, Find, dereferenced, new_items
from inhouse.engines.text import Json
from inhouse.errors import BadRequest
from inhouse.ids import IdMaker


async def kept_items(given: Sequence[Json], ids: IdMaker, find: Find) -> list[Json]:
    """`given` as whole items, each with an id. References become the items that `find` finds.

    BadRequest naming what cannot be kept (`items[0].content`); NotFound for a reference to nothing.
    """
    for index, item in enumerate(given):
        if item.get("type") == TRIGGER:
            raise BadRequest(
                "A compaction_trigger asks for something and cannot be kept in a conversation.",
                param=f"items[{index}].type",
                code="invalid_value",
            )
    items = new_items({"items": given}, ids, field="items")
    return await dereferenced(items, find, field="items")
