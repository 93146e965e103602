"""Items of responses and conversations: what a model read and said, in that order.

An item has one id for ever; it may lie in a response and in the conversation that the response
belongs to. It is found by its owner, or by its id within the project (references to items).
"""

from collections.abc import Sequence
from typing import Any

from inhouse import errors
from inhouse.scope import Scope
from inhouse.stores import bodies
from inhouse.stores.database import Database, Statement
from inhouse.stores.page import Listing, Page, listing, window

Json = dict[str, Any]

_INSERT = (
    "INSERT INTO items (owner, position, id, organization, project, output, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_NEXT = "SELECT COALESCE(MAX(position) + 1, 0) FROM items WHERE owner = ?"
_APPEND = (
    "INSERT INTO items (owner, position, id, organization, project, output, body)"  # noqa: S608
    f" VALUES (?, ({_NEXT}), ?, ?, ?, ?, ?)"
)
_ONE = "owner = ? AND id = ? AND organization = ? AND project = ?"


def adding(
    scope: Scope, owner: str, items: Sequence[Json], *, start: int = 0, output: bool = False
) -> list[Statement]:
    """The statements that lay `items` (each with an `id`) down at positions from `start` on."""
    organization, project = scope.organization, scope.project or ""
    return [
        Statement(
            _INSERT,
            (
                owner,
                start + number,
                item["id"],
                organization,
                project,
                int(output),
                bodies.dump(item),
            ),
        )
        for number, item in enumerate(items)
    ]


def appending(scope: Scope, owner: str, items: Sequence[Json]) -> list[Statement]:
    """The statements that lay `items` down behind all that `owner` has. Two processes that append
    at once meet as Duplicate.
    """
    organization, project = scope.organization, scope.project or ""
    return [
        Statement(_APPEND, (owner, owner, item["id"], organization, project, 0, bodies.dump(item)))
        for item in items
    ]


def deleting(owner: str) -> Statement:
    """The statement that deletes all items of `owner`."""
    return Statement("DELETE FROM items WHERE owner = ?", (owner,))


def removing(scope: Scope, owner: str, item_id: str) -> Statement:
    """The statement that deletes one item of `owner`; Stale if it is not there."""
    params = (owner, bodies.lifted(item_id), scope.organization, scope.project or "")
    return Statement(f"DELETE FROM items WHERE {_ONE}", params, rows=1)  # noqa: S608


def missing(item_id: str) -> errors.NotFound:
    """The 404 for an item that is not there, or not for this scope."""
    return errors.NotFound(f"Item with id '{item_id}' not found.")


def repeated(item_id: str, param: str) -> errors.BadRequest:
    """The 400 for an item that is there twice; `param` is the field that brings it."""
    return errors.BadRequest(
        f"Duplicate item found with id {item_id}. Remove duplicate items from your input and try"
        " again.",
        param=param,
    )


class ItemStore:
    """Reads items. Every call takes the scope that asks, or an owner that a store checked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, owner: str, *, end: int | None = None) -> list[Json]:
        """All items of `owner`, before position `end` if given."""
        bound = "" if end is None else " AND position < ?"
        sql = f"SELECT body FROM items WHERE owner = ?{bound} ORDER BY position"  # noqa: S608
        rows = await self._database.read(sql, (owner,) if end is None else (owner, end))
        return [bodies.load(row[0]) for row in rows]

    async def count(self, owner: str) -> int:
        """The position behind the last item of `owner`."""
        return (await self._database.read(_NEXT, (owner,)))[0][0]

    async def find(self, scope: Scope, item_id: str) -> Json | None:
        """The item with this id, of any response or conversation of the project."""
        sql = "SELECT body FROM items WHERE organization = ? AND project = ? AND id = ? LIMIT 1"
        params = (scope.organization, scope.project or "", bodies.lifted(item_id))
        rows = await self._database.read(sql, params)
        return bodies.load(rows[0][0]) if rows else None

    async def page(
        self, scope: Scope, owner: str, page: Page, *, output: bool | None = None
    ) -> Listing:
        """One page of the items of `owner`; only those it made, or only its input, if `output` says
        so. BadRequest if `after` or `before` is none of its items.
        """
        bounds, values, tail = window("position", page)
        positions = [await self._known(scope, owner, str(value)) for value in values]
        side = "" if output is None else f" AND output = {int(output)}"
        sql = f"SELECT body FROM items WHERE owner = ?{side}{bounds}{tail}"  # noqa: S608
        rows = await self._database.read(sql, [owner, *positions])
        return listing([bodies.load(row[0]) for row in rows], page)

    async def get(self, scope: Scope, owner: str, item_id: str) -> Json:
        """The item of `owner` with this id. NotFound."""
        sql = f"SELECT body FROM items WHERE {_ONE}"  # noqa: S608
        params = (owner, bodies.lifted(item_id), scope.organization, scope.project or "")
        rows = await self._database.read(sql, params)
        if not rows:
            raise missing(item_id)
        return bodies.load(rows[0][0])

    async def _known(self, scope: Scope, owner: str, item_id: str) -> int:
        found = await self.position(scope, owner, item_id)
        if found is None:
            raise errors.BadRequest(f"No such item: {item_id}", param="after")
        return found

    async def position(self, scope: Scope, owner: str, item_id: str) -> int | None:
        """Where an item of `owner` lies."""
        sql = f"SELECT position FROM items WHERE {_ONE}"  # noqa: S608
        params = (owner, bodies.lifted(item_id), scope.organization, scope.project or "")
        rows = await self._database.read(sql, params)
        return rows[0][0] if rows else None
