"""The one `objects` table: API objects that are fetched, listed, updated and deleted.

A `Collection` serves one kind. It stores bodies as they are, and lifts out of them what lists
filter by: `status`, `metadata`, two text fields of its choice and one that must be unique. Every
call takes the scope that asks; an object of another organization or project is not found.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inhouse import errors
from inhouse.scope import Scope
from inhouse.stores import bodies
from inhouse.stores.database import Database, Statement
from inhouse.stores.errors import Stale
from inhouse.stores.page import Listing, Page, listing, window

Json = dict[str, Any]
Change = Callable[[Json], Json]
Values = list[object]

_TRIES = 50

_INSERT = (
    "INSERT INTO objects (kind, id, parent, organization, project, created, status, version, key1,"
    " key2, unique_key, body) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?)"
)
_INSERT_METADATA = (
    "INSERT INTO object_metadata (organization, project, kind, object, parent, name, value)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_DELETE_METADATA = (
    "DELETE FROM object_metadata WHERE kind = ? AND object = ? AND parent = ?"
    " AND organization = ? AND project = ?"
)
_ONE = "kind = ? AND id = ? AND parent = ? AND organization = ? AND project = ?"
_UPDATE = (
    "UPDATE objects SET status = ?, key1 = ?, key2 = ?, unique_key = ?, body = ?,"  # noqa: S608
    f" version = version + 1 WHERE {_ONE} AND version = ?"
)
_GET = f"SELECT body, version FROM objects WHERE {_ONE}"  # noqa: S608
_DELETE = f"DELETE FROM objects WHERE {_ONE}"  # noqa: S608
# A list reads `objects`; with metadata it begins at the index of one pair. Tables, the alias of the
# one it begins at, and the column that orders it.
_PLAIN = ("objects o", "o", "o.id")
_BY_METADATA = (
    "object_metadata m JOIN objects o"
    " ON o.kind = m.kind AND o.id = m.object AND o.parent = m.parent",
    "m",
    "m.object",
)
_FIRST_PAIR = " AND m.name = ? AND m.value = ?"
_OTHER_PAIR = (
    " AND EXISTS (SELECT 1 FROM object_metadata x WHERE x.kind = o.kind AND x.object = o.id"
    " AND x.parent = o.parent AND x.name = ? AND x.value = ?)"
)


@dataclass(frozen=True, slots=True)
class Collection:
    """All objects of one kind.

    kind: the `object` field's value or another name for the kind.
    name: what the 404 calls one: "No such <name>: <id>".
    keys: up to two top-level text fields of the body that `list` can filter by.
    unique: a top-level text field that no two objects of one project (and parent) share.
    organization_wide: objects belong to the organization, whichever project asks.
    """

    database: Database
    kind: str
    name: str
    keys: tuple[str, ...] = ()
    unique: str | None = None
    organization_wide: bool = False

    async def create(
        self, scope: Scope, body: Json, *, parent: str = "", also: Sequence[Statement] = ()
    ) -> None:
        """Store `body` (with `id`, and `created_at` or `created`), and do `also` in the same unit.

        Duplicate if the id or the unique field is taken.
        """
        await self.database.write(*self.creating(scope, body, parent=parent), *also, quiet=True)

    def creating(self, scope: Scope, body: Json, *, parent: str = "") -> Sequence[Statement]:
        """The statements of `create`, for a unit that does more."""
        identity = (self.kind, body["id"], parent, *self._owner(scope))
        created = int(body.get("created_at") or body.get("created") or 0)
        status, *lifted = self._lifted(body)
        params = (*identity, created, status, *lifted, bodies.dump(body))
        return [Statement(_INSERT, params), *self._metadata(scope, body, parent)]

    async def get(self, scope: Scope, object_id: str, *, parent: str = "") -> Json:
        """The body. NotFound."""
        return (await self._versioned(scope, object_id, parent))[0]

    async def list(
        self,
        scope: Scope,
        page: Page,
        *,
        parent: str = "",
        status: str | None = None,
        where: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Listing:
        """One page of the bodies by id, which is by time.

        `where` compares fields named in `keys`; `metadata` must have all the given pairs.
        """
        tables, alias, column = _BY_METADATA if metadata else _PLAIN
        filters = self._filters(scope, alias, parent, status, where or {})
        conditions = " AND ".join(f"{name} = ?" for name, _ in filters)
        params: Values = [value for _, value in filters]
        if metadata:
            conditions += _FIRST_PAIR + _OTHER_PAIR * (len(metadata) - 1)
            params += [bodies.lifted(text) for pair in metadata.items() for text in pair]
        bounds, values, tail = window(column, page)
        sql = f"SELECT o.body FROM {tables} WHERE {conditions}{bounds}{tail}"  # noqa: S608
        rows = await self.database.read(sql, [*params, *values])
        return listing([bodies.load(row[0]) for row in rows], page)

    async def update(
        self,
        scope: Scope,
        object_id: str,
        change: Change,
        *,
        parent: str = "",
        also: Sequence[Statement] = (),
    ) -> Json:
        """Replace the body by `change(body)`, and do `also` in the same unit. The new body.

        `change` is called again with a fresh body if another update came between, so it only
        computes; what it raises is raised. NotFound; Stale if others keep coming between.
        """
        for _ in range(_TRIES):
            body, version = await self._versioned(scope, object_id, parent)
            body = change(body)
            try:
                await self.database.write(
                    *self.updating(scope, body, version, parent=parent), *also, quiet=True
                )
            except Stale:
                continue
            return body
        raise Stale

    def updating(
        self, scope: Scope, body: Json, version: int, *, parent: str = ""
    ) -> Sequence[Statement]:
        """The statements that replace the body that has `version`; Stale if it has another by
        then.
        """
        one = (self.kind, body["id"], parent, *self._owner(scope))
        params = (*self._lifted(body), bodies.dump(body), *one, version)
        clear = Statement(_DELETE_METADATA, one)
        return [Statement(_UPDATE, params, rows=1), clear, *self._metadata(scope, body, parent)]

    async def delete(
        self,
        scope: Scope,
        object_id: str,
        *,
        parent: str = "",
        also: Sequence[Statement] = (),
    ) -> None:
        """Delete the object, and do `also` in the same unit. NotFound."""
        one = (self.kind, bodies.lifted(object_id), bodies.lifted(parent), *self._owner(scope))
        try:
            await self.database.write(
                Statement(_DELETE, one, rows=1),
                Statement(_DELETE_METADATA, one),
                *also,
                quiet=True,
            )
        except Stale:
            raise self.missing(object_id) from None

    def missing(self, object_id: str) -> errors.NotFound:
        """The 404 for an id that is not there, or not for this scope."""
        return errors.NotFound(f"No such {self.name}: {object_id}", param="id")

    async def _versioned(self, scope: Scope, object_id: str, parent: str) -> tuple[Json, int]:
        one = (self.kind, bodies.lifted(object_id), bodies.lifted(parent), *self._owner(scope))
        rows = await self.database.read(_GET, one)
        if not rows:
            raise self.missing(object_id)
        return bodies.load(rows[0][0]), rows[0][1]

    def _owner(self, scope: Scope) -> tuple[str, str]:
        return scope.organization, "" if self.organization_wide else scope.project or ""

    def _filters(
        self, scope: Scope, alias: str, parent: str, status: str | None, where: Mapping[str, str]
    ) -> Sequence[tuple[str, str]]:
        """Columns and the values they must have. What both tables have is asked of `alias`."""
        organization, project = self._owner(scope)
        filters = [
            (f"{alias}.organization", organization),
            (f"{alias}.project", project),
            (f"{alias}.kind", self.kind),
            (f"{alias}.parent", bodies.lifted(parent)),
        ]
        if status is not None:
            filters.append(("o.status", bodies.lifted(status)))
        for field, value in where.items():
            filters.append((f"o.key{self.keys.index(field) + 1}", bodies.lifted(value)))
        return filters

    def _lifted(self, body: Json) -> Sequence[str | None]:
        """Status, both keys and the unique key of `body`."""
        fields = ["status", *self.keys, "", ""][:3]
        return [_text(body.get(field)) for field in [*fields, self.unique or ""]]

    def _metadata(self, scope: Scope, body: Json, parent: str) -> Sequence[Statement]:
        owner = self._owner(scope)
        pairs: Mapping[str, object] = body.get("metadata") or {}
        return [
            Statement(_INSERT_METADATA, (*owner, self.kind, body["id"], parent, *lifted))
            for lifted in {
                bodies.lifted(n): bodies.lifted(str(v)) for n, v in pairs.items()
            }.items()
        ]


def _text(value: object) -> str | None:
    return bodies.lifted(value) if isinstance(value, str) else None
