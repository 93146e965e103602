import asyncio

import pytest

from inhouse.clock import FrozenClock
from inhouse.ids import Ids
from inhouse.stores import Database, Stale
from inhouse.stores.organizations import OrganizationStore


@pytest.fixture
def organizations(database: Database, clock: FrozenClock) -> OrganizationStore:
    return OrganizationStore(database, clock, Ids())


async def test_there_is_one_first_organization_however_many_ask_for_it(
    organizations: OrganizationStore,
) -> None:
    assert await organizations.first() is None
    found = await asyncio.gather(*(organizations.first_or_create("Acme") for _ in range(5)))
    assert len({organization.id for organization in found}) == 1
    assert await organizations.first() == found[0]
    projects = await organizations.projects(found[0].id)
    assert [project.id for project in projects] == [found[0].default_project]


async def test_projects_are_made_and_archived(
    organizations: OrganizationStore, clock: FrozenClock
) -> None:
    organization = (await organizations.first_or_create("Acme")).id
    made = await organizations.create_project(organization, "Second")
    assert await organizations.project(organization, made.id) == made
    assert await organizations.project("org-else", made.id) is None
    clock.advance(60)
    await organizations.archive_project(organization, made.id)
    archived = await organizations.project(organization, made.id)
    assert archived
    assert (archived.status, archived.archived) == ("archived", int(clock.now()))
    with pytest.raises(Stale):
        await organizations.archive_project(organization, made.id)


async def test_the_default_project_cannot_be_archived(organizations: OrganizationStore) -> None:
    organization = await organizations.first_or_create("Acme")
    with pytest.raises(Stale):
        await organizations.archive_project(organization.id, organization.default_project)
