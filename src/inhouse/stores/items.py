"""Items of responses and conversations: what a model read and said, in that order.

An item has one id for ever; it may lie in a response and in the conversation that the response
belongs to. It is found by its owner, or by its id within the project (references to items).
"""

from collections.abc import Sequence
from typing import Any

from inhouse.scope import Scope
from inhouse.stores import bodies
from inhouse.stores.database import Database, Statement

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

    async def position(self, scope: Scope, owner: str, item_id: str) -> int | None:
        """Where an item of `owner` lies."""
        sql = f"SELECT position FROM items WHERE {_ONE}"  # noqa: S608
        params = (owner, bodies.lifted(item_id), scope.organization, scope.project or "")
        rows = await self._database.read(sql, params)
        return rows[0][0] if rows else None
