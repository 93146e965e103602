import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from inhouse.access import Access, Limits
from inhouse.clock import FrozenClock
from inhouse.errors import NotFound, PermissionDenied, RateLimited, Unauthorized
from inhouse.ids import Ids
from inhouse.scope import Principal, Scope
from inhouse.stores import Database
from inhouse.stores.organizations import OrganizationStore
from inhouse.stores.secret import Secret
from inhouse.stores.usage import Sums, UsageStore

AccessOf = Callable[..., Access]


async def test_the_first_start_makes_an_owners_key_and_later_ones_do_not(
    access_of: AccessOf,
) -> None:
    made = await access_of().bootstrap()
    assert made
    assert made.key.role == "owner"
    later = access_of()
    assert await later.bootstrap() is None
    principal = await later.authenticate(f"Bearer {made.value}", None, None)
    assert principal == made.key.principal()
    assert principal.project
    assert principal.permissions == {"*"}


async def test_a_revoked_first_key_is_not_made_again(access_of: AccessOf) -> None:
    access = access_of()
    made = await access.bootstrap()
    assert made
    await access.revoke_key(made.key.id)
    assert await access_of().bootstrap() is None
    assert await access.list_keys() == []


async def test_the_bootstrap_key_is_the_first_key(access_of: AccessOf) -> None:
    access = access_of()
    made = await access.bootstrap("sk-mine")
    assert made
    assert made.value == "sk-mine"
    assert (await access.authenticate("Bearer sk-mine", None, None)).role == "owner"
    assert await access_of().bootstrap("sk-mine") is None
    assert len(await access.list_keys()) == 1


async def test_the_bootstrap_key_holds_even_if_it_was_revoked(access_of: AccessOf) -> None:
    access = access_of()
    made = await access.bootstrap("sk-mine")
    assert made
    await access.revoke_key(made.key.id)
    with pytest.raises(Unauthorized):
        await access.authenticate("Bearer sk-mine", None, None)
    await access_of().bootstrap("sk-mine")
    assert await access.authenticate("Bearer sk-mine", None, None)


@pytest.mark.parametrize("key", ["", "with blank", "ü", "a\n"])
async def test_a_bootstrap_key_that_no_client_could_send_is_refused(
    access: Access, key: str
) -> None:
    with pytest.raises(ValueError, match="INHOUSE_BOOTSTRAP_KEY"):
        await access.bootstrap(key)


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic abc", "sk-x"])
async def test_a_missing_key_is_a_401(access: Access, authorization: str | None) -> None:
    with pytest.raises(Unauthorized) as caught:
        await access.authenticate(authorization, None, None)
    assert caught.value.status == 401
    assert caught.value.message.startswith(
        "You didn't provide an API key. You need to provide your API key in an Authorization "
        "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
    )


async def test_a_wrong_key_is_a_401_that_does_not_repeat_it(access: Access) -> None:
    await access.bootstrap()
    with pytest.raises(Unauthorized) as caught:
        await access.authenticate("Bearer sk-abcdefghijklmnopqrstuvwxyz", None, None)
    error = caught.value.envelope()["error"]
    assert error["message"]
    assert error["message"].startswith("Incorrect API key provided: sk-ab")
    assert "cdef" not in error["message"]
    assert error["type"] == "invalid_request_error"
    assert error["code"] == "invalid_api_key"


async def test_the_scheme_may_be_written_in_any_case(access: Access) -> None:
    await access.bootstrap("sk-mine")
    assert await access.authenticate("bearer  sk-mine ", None, None)


async def test_a_revoked_key_stops_working_without_a_restart(access: Access) -> None:
    await access.bootstrap("sk-mine")
    made = await access.create_key("second")
    header = f"Bearer {made.value}"
    assert await access.authenticate(header, None, None)
    await access.revoke_key(made.key.id)
    with pytest.raises(Unauthorized):
        await access.authenticate(header, None, None)
    assert await access.authenticate("Bearer sk-mine", None, None)
    with pytest.raises(NotFound):
        await access.revoke_key(made.key.id)


async def test_a_key_revoked_by_another_process_stops_working(
    access: Access, tmp_path: Path, clock: FrozenClock
) -> None:
    await access.bootstrap("sk-mine")
    made = await access.create_key("second")
    header = f"Bearer {made.value}"
    assert await access.authenticate(header, None, None)
    async with Database.open(tmp_path / "data") as other:
        command = Access(other, Secret((b"whatever",)), clock, Ids(), limits=Limits(1, 1))
        await command.revoke_key(made.key.id)

    async def until_refused() -> None:
        while True:
            await access.authenticate(header, None, None)
            await asyncio.sleep(0.02)

    with pytest.raises(Unauthorized):
        await asyncio.wait_for(until_refused(), timeout=5)


async def test_authenticating_while_a_key_is_revoked_never_keeps_it(access: Access) -> None:
    await access.bootstrap()
    for _ in range(20):
        made = await access.create_key("short-lived")
        header = f"Bearer {made.value}"
        await asyncio.gather(
            *(access.authenticate(header, None, None) for _ in range(3)),
            access.revoke_key(made.key.id),
            return_exceptions=True,
        )
        with pytest.raises(Unauthorized):
            await access.authenticate(header, None, None)


async def test_a_known_key_needs_no_database(access: Access, database: Database) -> None:
    await access.bootstrap("sk-mine")
    first = await access.authenticate("Bearer sk-mine", None, None)
    await database.close()
    assert await access.authenticate("Bearer sk-mine", None, None) is first


async def test_neither_database_nor_log_nor_repr_has_a_key(
    access: Access, database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = await access.bootstrap()
    assert made
    await access.authenticate(f"Bearer {made.value}", None, None)
    await database.close()
    middle = made.value[12:-6]
    assert middle not in repr(made)
    assert middle not in caplog.text
    for path in (tmp_path / "data").iterdir():
        assert middle.encode() not in path.read_bytes()


async def test_keys_are_listed_with_what_is_known_of_them(
    access: Access, clock: FrozenClock
) -> None:
    await access.bootstrap("sk-mine")
    clock.advance(10)
    made = await access.create_key("ci", permissions=["model.read", "model.request"])
    listed = await access.list_keys()
    assert [key.name for key in listed] == ["Bootstrap key", "ci"]
    assert listed[1] == made.key
    assert listed[1].redacted == f"{made.value[:10]}...{made.value[-4:]}"
    assert listed[1].created == int(clock.now())
    assert listed[1].last_used is None


async def test_the_organization_header_must_match(access: Access) -> None:
    await access.bootstrap("sk-mine")
    principal = await access.authenticate("Bearer sk-mine", None, None)
    same = await access.authenticate("Bearer sk-mine", principal.organization, None)
    assert same == principal
    with pytest.raises(Unauthorized) as caught:
        await access.authenticate("Bearer sk-mine", "org-else", None)
    assert caught.value.code == "mismatched_organization"
    assert (
        caught.value.message == "OpenAI-Organization header should match organization for API key"
    )


async def test_the_project_header_must_match_a_members_key(
    access: Access, database: Database, clock: FrozenClock
) -> None:
    await access.bootstrap("sk-mine")
    organization = (await access.authenticate("Bearer sk-mine", None, None)).organization
    second = await OrganizationStore(database, clock, Ids()).create_project(organization, "Second")
    made = await access.create_key("ci", project=second.id)
    header = f"Bearer {made.value}"
    assert (await access.authenticate(header, None, None)).project == second.id
    assert (await access.authenticate(header, organization, second.id)).project == second.id
    first = (await access.authenticate("Bearer sk-mine", None, None)).project
    for project in (first, "proj_else"):
        with pytest.raises(Unauthorized) as caught:
            await access.authenticate(header, None, project)
        assert caught.value.code == "mismatched_project"


async def test_an_owners_key_may_choose_a_project_of_its_organization(
    access: Access, database: Database, clock: FrozenClock
) -> None:
    await access.bootstrap("sk-mine")
    organization = (await access.authenticate("Bearer sk-mine", None, None)).organization
    store = OrganizationStore(database, clock, Ids())
    second = await store.create_project(organization, "Second")
    chosen = await access.authenticate("Bearer sk-mine", None, second.id)
    assert (chosen.project, chosen.organization) == (second.id, organization)
    with pytest.raises(Unauthorized, match="OpenAI-Project"):
        await access.authenticate("Bearer sk-mine", None, "proj_else")
    await store.archive_project(organization, second.id)
    with pytest.raises(Unauthorized, match="OpenAI-Project"):
        await access.authenticate("Bearer sk-mine", None, second.id)


async def test_an_archived_projects_keys_stop_working(
    access: Access, database: Database, clock: FrozenClock
) -> None:
    await access.bootstrap("sk-mine")
    organization = (await access.authenticate("Bearer sk-mine", None, None)).organization
    store = OrganizationStore(database, clock, Ids())
    second = await store.create_project(organization, "Second")
    made = await access.create_key("ci", project=second.id)
    assert await access.authenticate(f"Bearer {made.value}", None, None)
    await store.archive_project(organization, second.id)
    with pytest.raises(Unauthorized):
        await access.authenticate(f"Bearer {made.value}", None, None)
    with pytest.raises(NotFound, match=second.id):
        await access.create_key("late", project=second.id)


async def test_a_restricted_key_is_told_what_it_lacks(access: Access) -> None:
    await access.bootstrap("sk-mine")
    made = await access.create_key("reader", permissions=["model.read"])
    reader = await access.authenticate(f"Bearer {made.value}", None, None)
    access.authorise(reader, "model.read")
    with pytest.raises(PermissionDenied) as caught:
        access.authorise(reader, "model.request")
    assert caught.value.status == 403
    assert caught.value.message.startswith(
        "You have insufficient permissions for this operation. Missing scopes: model.request. "
    )
    access.authorise(await access.authenticate("Bearer sk-mine", None, None), "model.request")


async def test_keys_survive_the_rotation_of_the_secret(access_of: AccessOf) -> None:
    old, new = b"the old secret, long", b"the new secret, long"
    made = await access_of(Secret((old,))).bootstrap()
    assert made
    header = f"Bearer {made.value}"
    assert await access_of(Secret((new, old))).authenticate(header, None, None)
    # Used once under both, it is found under the new one alone.
    assert await access_of(Secret((new,))).authenticate(header, None, None)
    with pytest.raises(Unauthorized):
        await access_of(Secret((old,))).authenticate(header, None, None)


async def test_without_auth_everybody_is_the_owner_in_the_default_project(
    access_of: AccessOf,
) -> None:
    access = access_of(no_auth=True)
    made = await access.bootstrap()
    assert made
    for authorization in (None, "Bearer anything", f"Bearer {made.value}"):
        principal = await access.authenticate(authorization, "org-cloud", "proj_cloud")
        assert principal.project == made.key.project
        assert principal.id == made.key.owner
        access.authorise(principal, "anything.at_all")
    assert (await access_of(no_auth=True).authenticate(None, None, None)).project


async def test_limits_are_reserved_and_settled(access: Access) -> None:
    await access.bootstrap("sk-mine")
    principal = await access.authenticate("Bearer sk-mine", None, None)
    access.reserve(principal, "m", 9000).settle(100)
    access.reserve(principal, "m", 9900)
    with pytest.raises(RateLimited, match=principal.organization):
        access.reserve(principal, "m", 1)


async def test_what_requests_used_is_recorded(
    access: Access,
    database: Database,
    clock: FrozenClock,
    scope_of: Callable[[Principal], Scope],
) -> None:
    await access.bootstrap("sk-mine")
    principal = await access.authenticate("Bearer sk-mine", None, None)
    for count in range(3):
        scope = scope_of(principal)
        scope.usage.model, scope.usage.input, scope.usage.cached = "m", 10, 4
        scope.usage.output, scope.usage.reasoning = 5 + count, 1
        scope.usage.first_token_seconds = 0.25
        await access.record(scope, "POST /chat/completions", 200 if count else 500)
    now = int(clock.now())
    found = await UsageStore(database).sums(
        principal.organization,
        now,
        now + 1,
        group_by=["project", "owner", "key_id", "operation", "model", "batch"],
    )
    group = {
        "project": principal.project,
        "owner": principal.id,
        "key_id": principal.key_id,
        "operation": "POST /chat/completions",
        "model": "m",
        "batch": "0",
    }
    assert found == [Sums(now, group, 3, 30, 12, 18, 3)]
    assert await database.read("SELECT status, first_token_seconds, request_id FROM usage") == [
        (500, 0.25, "req_1"),
        (200, 0.25, "req_1"),
        (200, 0.25, "req_1"),
    ]


async def test_a_keys_last_use_is_noted_and_no_cache_dropped(
    access: Access,
    database: Database,
    clock: FrozenClock,
    scope_of: Callable[[Principal], Scope],
) -> None:
    await access.bootstrap("sk-mine")
    scope = scope_of(await access.authenticate("Bearer sk-mine", None, None))
    generation = database.generation

    async def last_used() -> int | None:
        return (await access.list_keys())[0].last_used

    start = int(clock.now())
    await access.record(scope, "POST /embeddings")
    assert await last_used() == start
    clock.advance(59)
    await access.record(scope, "POST /embeddings")
    assert await last_used() == start
    clock.advance(1)
    await access.record(scope, "POST /embeddings")
    assert await last_used() == start + 60
    assert database.generation == generation


async def test_work_goes_on_with_the_rights_that_its_key_has_now(access_of: AccessOf) -> None:
    access = access_of()
    made = await access.create_key("worker", permissions=["model.request"])
    acting = await access.principal(made.key.id, made.key.project)
    assert acting == made.key.principal()
    await access.revoke_key(made.key.id)
    with pytest.raises(Unauthorized, match="no longer valid"):
        await access.principal(made.key.id, made.key.project)
    with pytest.raises(Unauthorized):
        await access.principal("key_unknown", made.key.project)
