"""`Access`: from an Authorization header to a principal, what it may do, and what it has used.

The hot path (a known key, no I/O) is a dictionary and two bucket operations. The dictionary, in
memory only, holds the headers of requests with valid keys: a digest of each request's key would
cost more than all else here. It is hashed with the interpreter's secret, so that how long a
look-up takes tells nothing of the keys.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from inhouse import errors
from inhouse.access import keys
from inhouse.access.limits import Limiter, Limits, LimitsOf, Reservation, always
from inhouse.clock import Clock
from inhouse.ids import IdMaker
from inhouse.scope import Principal, Role, Scope
from inhouse.stores import Database, Duplicate, Stale
from inhouse.stores.keys import Key, KeyStore, used
from inhouse.stores.organizations import Organization, OrganizationStore
from inhouse.stores.secret import Secret
from inhouse.stores.usage import recording

_CACHED = 100_000
_LONGEST = 512
"""Headers that are remembered: this many, none longer than this."""
_USED_EVERY = 60
"""Seconds between two notes of a key's last use."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. `value` is the key itself: shown once, kept nowhere."""

    key: Key
    value: str = field(repr=False)


class Access:
    """Keys, principals, limits and usage of one server.

    `limits` gives the limits per minute of a project and model, or is the same for all. With
    `no_auth` everybody is the owner in the default project.
    """

    def __init__(
        self,
        database: Database,
        secret: Secret,
        clock: Clock,
        ids: IdMaker,
        *,
        limits: Limits | LimitsOf,
        no_auth: bool = False,
    ) -> None:
        self._database = database
        self._peppers = secret.derive("inhouse api keys")
        self._clock = clock
        self._ids = ids
        self._keys = KeyStore(database)
        self._organizations = OrganizationStore(database, clock, ids)
        self._limiter = Limiter(clock, always(limits) if isinstance(limits, Limits) else limits)
        self._no_auth = no_auth
        self._anybody: Principal | None = None
        self._generation = database.generation
        self._principals: dict[tuple[str | None, str | None, str | None], Principal] = {}
        self._noted: dict[str, int] = {}

    # Keys

    async def bootstrap(self, key: str | None = None) -> NewKey | None:
        """At every start: see to it that there is an organization, a default project and an owner's
        key.

        `key` (INHOUSE_BOOTSTRAP_KEY) is made valid if it is not; otherwise the first start makes
        one. The key that this call made, else None.
        """
        organization = await self._organization()
        self._anybody = _owner(organization)
        if key is not None:
            return await self._bootstrap_key(organization, key)
        if not await self._keys.ever(organization.id):
            return await self._create(organization, "Owner's key", keys.fresh(), role="owner")
        return None

    async def create_key(
        self,
        name: str,
        *,
        project: str | None = None,
        role: Role = "member",
        permissions: Iterable[str] = ("*",),
    ) -> NewKey:
        """A new key of a project (its id; the default project if None). NotFound if there is
        none.
        """
        organization = await self._organization()
        if project is not None:
            found = await self._organizations.project(organization.id, project)
            if found is None or found.status != "active":
                raise errors.NotFound(f"No such project: {project}", param="project")
        return await self._create(
            organization, name, keys.fresh(), project=project, role=role, permissions=permissions
        )

    async def list_keys(self) -> list[Key]:
        """All keys that are valid, oldest first."""
        return await self._keys.list((await self._organization()).id)

    async def revoke_key(self, key_id: str) -> None:
        """Make a key invalid, at once here and within half a second in other processes.
        NotFound.
        """
        organization = await self._organization()
        try:
            await self._keys.revoke(organization.id, key_id, int(self._clock.now()))
        except Stale:
            raise errors.NotFound(f"No such API key: {key_id}", param="key_id") from None

    # Requests

    async def authenticate(
        self, authorization: str | None, organization: str | None, project: str | None
    ) -> Principal:
        """Who asks: by the values of the headers Authorization, OpenAI-Organization and
        OpenAI-Project.

        Raises Unauthorized.
        """
        if self._no_auth:
            return self._anybody or await self._find_anybody()
        if self._generation != self._database.generation:
            self._generation = self._database.generation
            self._principals.clear()
        asked = (authorization, organization, project)
        principal = self._principals.get(asked)
        if principal is not None:
            return principal
        generation = self._generation
        key = _bearer(authorization)
        principal = await self._look_up(key, keys.digest(self._peppers[0], key))
        principal = await self._check_headers(principal, organization, project)
        short = len(self._principals) < _CACHED and len(authorization or "") <= _LONGEST
        if short and generation == self._database.generation:
            self._principals[asked] = principal
        return principal

    async def principal(self, key_id: str, project: str | None) -> Principal:
        """Who acts with a key now, in `project`: for work that goes on when its request has ended.

        Raises Unauthorized if the key, or the project, is not valid any more.
        """
        if self._no_auth:
            return self._anybody or await self._find_anybody()
        key = await self._keys.find(key_id)
        if key is None:
            raise errors.Unauthorized("The API key that started this work is no longer valid.")
        return await self._check_headers(key.principal(), None, project)

    def authorise(self, principal: Principal, permission: str) -> None:
        """PermissionDenied unless the principal has the permission."""
        if permission not in principal.permissions and "*" not in principal.permissions:
            raise errors.PermissionDenied(
                "You have insufficient permissions for this operation. Missing scopes:"
                f" {permission}. Check that you have the correct role in your organization"
                " (Reader, Writer, Owner) and project (Member, Owner), and if you're using a"
                " restricted API key, that it has the necessary scopes."
            )

    def reserve(self, principal: Principal, model: str, tokens: int) -> Reservation:
        """A request and `tokens` tokens of the project's limits for the model. RateLimited."""
        return self._limiter.reserve(principal, model, tokens)

    async def record(self, scope: Scope, operation: str, status: int = 200) -> None:
        """Keep what the request has used (`scope.usage`); done when it is on disk."""
        now = int(self._clock.now())
        statement = recording(scope, operation, status, now)
        key_id = scope.principal.key_id
        if now - self._noted.get(key_id, 0) < _USED_EVERY:
            await self._database.write(statement, quiet=True)
        else:
            self._noted[key_id] = now
            await self._database.write(statement, used(key_id, now), quiet=True)

    # Inside

    async def _organization(self) -> Organization:
        return await self._organizations.first_or_create("Organization")

    async def _find_anybody(self) -> Principal:
        self._anybody = _owner(await self._organization())
        return self._anybody

    async def _create(
        self,
        organization: Organization,
        name: str,
        value: str,
        *,
        project: str | None = None,
        role: Role = "member",
        permissions: Iterable[str] = ("*",),
    ) -> NewKey:
        key = Key(
            id=self._ids("key_"),
            redacted=keys.redacted(value),
            name=name,
            organization=organization.id,
            project=project or organization.default_project,
            owner=organization.owner,
            role=role,
            permissions=frozenset(permissions),
            created=int(self._clock.now()),
        )
        await self._keys.create(key, keys.digest(self._peppers[0], value))
        return NewKey(key, value)

    async def _bootstrap_key(self, organization: Organization, value: str) -> NewKey | None:
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError("INHOUSE_BOOTSTRAP_KEY must be printable ASCII without blanks")
        if await self._keys.valid([keys.digest(pepper, value) for pepper in self._peppers]):
            return None
        try:
            return await self._create(organization, "Bootstrap key", value, role="owner")
        except Duplicate:  # it was revoked; the setting says that it holds
            await self._keys.restore(keys.digest(self._peppers[0], value))
            return None

    async def _look_up(self, key: str, digest: str) -> Principal:
        older = [keys.digest(pepper, key) for pepper in self._peppers[1:]]
        found = await self._keys.valid([digest, *older])
        if found is None:
            raise errors.Unauthorized(
                f"Incorrect API key provided: {keys.starred(key)}. The server's operator can"
                " list and create keys with `inhouse keys`."
            )
        by, known = found
        if by != digest:
            await self._keys.redigest(known.id, digest)
        return known.principal()

    async def _check_headers(
        self, principal: Principal, organization: str | None, project: str | None
    ) -> Principal:
        if organization and organization != principal.organization:
            raise errors.Unauthorized(
                "OpenAI-Organization header should match organization for API key",
                code="mismatched_organization",
            )
        if not project or project == principal.project:
            return principal
        if principal.role == "owner":  # may act in any project of the organization
            found = await self._organizations.project(principal.organization, project)
            if found is not None and found.status == "active":
                return replace(principal, project=project)
        raise errors.Unauthorized(
            "OpenAI-Project header should match project for API key", code="mismatched_project"
        )


def _owner(organization: Organization) -> Principal:
    """Whoever comes with `--no-auth`."""
    project, everything = organization.default_project, frozenset({"*"})
    return Principal(organization.owner, organization.id, project, "no-auth", everything, "owner")


def _bearer(authorization: str | None) -> str:
    scheme, _, key = (authorization or "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise errors.Unauthorized(
            "You didn't provide an API key. You need to provide your API key in an Authorization"
            " header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). The server's"
            " operator can create one with `inhouse keys create`."
        )
    return key
