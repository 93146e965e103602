"""The organization and its projects."""

from dataclasses import dataclass

from inhouse.clock import Clock
from inhouse.ids import IdMaker
from inhouse.stores.bodies import lifted
from inhouse.stores.database import Database, Row, Statement
from inhouse.stores.errors import Duplicate

_COLUMNS = "id, organization, name, status, created, archived"
_PROJECTS = f"SELECT {_COLUMNS} FROM projects WHERE organization = ? ORDER BY id"  # noqa: S608
_PROJECT = f"SELECT {_COLUMNS} FROM projects WHERE organization = ? AND id = ?"  # noqa: S608
_INSERT = (
    "INSERT INTO projects (id, organization, name, status, standard, created)"
    " VALUES (?, ?, ?, 'active', ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Organization:
    """The organization, its default project and the user who owns it."""

    id: str
    name: str
    owner: str
    default_project: str


@dataclass(frozen=True, slots=True)
class Project:
    """A project; `status` is active or archived, times are seconds since the epoch."""

    id: str
    organization: str
    name: str
    status: str
    created: int
    archived: int | None

    @classmethod
    def of(cls, row: Row) -> "Project":
        return cls(*row)


class OrganizationStore:
    """Organizations and projects."""

    def __init__(self, database: Database, clock: Clock, ids: IdMaker) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def first(self) -> Organization | None:
        """The organization that the first start made; None before it."""
        rows = await self._database.read(
            "SELECT o.id, o.name, o.owner, p.id FROM organizations o"
            " JOIN projects p ON p.organization = o.id AND p.standard = 1 ORDER BY o.id LIMIT 1"
        )
        return Organization(*rows[0]) if rows else None

    async def first_or_create(self, name: str) -> Organization:
        """The first organization; made now, with a default project, if there is none."""
        try:
            return await self.first() or await self._create(name)
        except Duplicate:  # another process was faster
            found = await self.first()
            assert found  # noqa: S101 - organizations are never deleted
            return found

    async def _create(self, name: str) -> Organization:
        made = Organization(self._ids("org-"), name, self._ids("user-"), self._ids("proj_"))
        now = int(self._clock.now())
        await self._database.write(
            Statement(
                "INSERT INTO facts (name, value) VALUES ('first_organization', ?)", (made.id,)
            ),
            Statement(
                "INSERT INTO organizations (id, name, owner, created) VALUES (?, ?, ?, ?)",
                (made.id, name, made.owner, now),
            ),
            Statement(_INSERT, (made.default_project, made.id, "Default project", 1, now)),
        )
        return made

    async def projects(self, organization: str) -> list[Project]:
        """All projects of the organization, oldest first."""
        return [Project.of(row) for row in await self._database.read(_PROJECTS, (organization,))]

    async def project(self, organization: str, project_id: str) -> Project | None:
        """One project, or None if this organization has no such project."""
        rows = await self._database.read(_PROJECT, (organization, lifted(project_id)))
        return Project.of(rows[0]) if rows else None

    async def create_project(self, organization: str, name: str) -> Project:
        """A new, active project."""
        made = Project(
            self._ids("proj_"), organization, name, "active", int(self._clock.now()), None
        )
        await self._database.write(
            Statement(_INSERT, (made.id, organization, name, 0, made.created))
        )
        return made

    async def archive_project(self, organization: str, project_id: str) -> None:
        """End a project: its keys stop working. Stale if it is not there, archived already or the
        default.
        """
        await self._database.write(
            Statement(
                "UPDATE projects SET status = 'archived', archived = ?"
                " WHERE organization = ? AND id = ? AND status = 'active' AND standard = 0",
                (int(self._clock.now()), organization, project_id),
                rows=1,
            )
        )
