"""API keys, as far as they are kept: a digest to find one by, never the key."""

from collections.abc import Sequence
from dataclasses import dataclass

from inhouse.scope import Principal, Role
from inhouse.stores.database import Database, Row, Statement

_COLUMNS = (
    "k.id, k.redacted, k.name, k.organization, k.project, k.owner, k.role, k.permissions,"
    " k.created, k.last_used, k.revoked"
)
_LIST = (
    f"SELECT {_COLUMNS} FROM keys k WHERE k.organization = ? AND k.revoked IS NULL"  # noqa: S608
    " ORDER BY k.id"
)
_FIND = (
    f"SELECT k.digest, {_COLUMNS} FROM keys k LEFT JOIN projects p ON p.id = k.project"  # noqa: S608
    " WHERE k.revoked IS NULL AND (k.project = '' OR p.status = 'active') AND "
)
_VALID = f"{_FIND} k.digest = ?"
_VALID_ID = f"{_FIND} k.id = ?"
_INSERT = (
    "INSERT INTO keys (id, digest, redacted, name, organization, project, owner, role, permissions,"
    " created)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key. `project` is None for a key of the organization; times in epoch
    seconds.
    """

    id: str
    redacted: str
    name: str
    organization: str
    project: str | None
    owner: str
    role: Role
    permissions: frozenset[str]
    created: int
    last_used: int | None = None
    revoked: int | None = None

    @classmethod
    def of(cls, row: Row) -> "Key":
        key_id, redacted, name, organization, project, owner, role, permissions, *times = row
        granted = frozenset(permissions.split())
        who = (organization, project or None, owner, role, granted)
        return cls(key_id, redacted, name, *who, *times)

    def principal(self) -> Principal:
        """Who acts with this key."""
        return Principal(
            self.owner, self.organization, self.project, self.id, self.permissions, self.role
        )


class KeyStore:
    """Keys by digest and by organization."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def valid(self, digests: Sequence[str]) -> tuple[str, Key] | None:
        """The key with one of `digests`, and which; None if there is none, it is revoked or its
        project ended.
        """
        for digest in digests:
            rows = await self._database.read(_VALID, (digest,))
            if rows:
                return rows[0][0], Key.of(rows[0][1:])
        return None

    async def find(self, key_id: str) -> Key | None:
        """The key with this id; None if there is none, it is revoked or its project ended."""
        rows = await self._database.read(_VALID_ID, (key_id,))
        return Key.of(rows[0][1:]) if rows else None

    async def list(self, organization: str) -> list[Key]:
        """The organization's keys that are not revoked, oldest first."""
        return [Key.of(row) for row in await self._database.read(_LIST, (organization,))]

    async def ever(self, organization: str) -> bool:
        """Whether the organization has had a key."""
        sql = "SELECT 1 FROM keys WHERE organization = ? LIMIT 1"
        return bool(await self._database.read(sql, (organization,)))

    async def create(self, key: Key, digest: str) -> None:
        """Keep a key. Duplicate if its digest is there."""
        await self._database.write(
            Statement(
                _INSERT,
                (
                    key.id,
                    digest,
                    key.redacted,
                    key.name,
                    key.organization,
                    key.project or "",
                    key.owner,
                    key.role,
                    " ".join(sorted(key.permissions)),
                    key.created,
                ),
            )
        )

    async def redigest(self, key_id: str, digest: str) -> None:
        """Find the key by another digest from now on (the pepper was rotated)."""
        await self._database.write(
            Statement("UPDATE keys SET digest = ? WHERE id = ?", (digest, key_id))
        )

    async def restore(self, digest: str) -> None:
        """Undo the revocation of the key with this digest."""
        await self._database.write(
            Statement("UPDATE keys SET revoked = NULL WHERE digest = ?", (digest,))
        )

    async def revoke(self, organization: str, key_id: str, now: int) -> None:
        """Make a key invalid. Stale if there is no such key, or it was revoked before."""
        await self._database.write(
            Statement(
                "UPDATE keys SET revoked = ? WHERE organization = ? AND id = ? AND revoked IS NULL",
                (now, organization, key_id),
                rows=1,
            )
        )


def used(key_id: str, now: int) -> Statement:
    """The statement that notes when a key was last used."""
    return Statement("UPDATE keys SET last_used = ? WHERE id = ?", (now, key_id))
