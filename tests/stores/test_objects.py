import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.errors import NotFound
from inhouse.scope import Scope
from inhouse.stores import Collection, Database, Duplicate, Page, Stale, Statement
from inhouse.stores.sqlite import SQLite

Json = dict[str, Any]
ScopeOf = Callable[..., Scope]


@pytest.fixture
def files(database: Database) -> Collection:
    return Collection(database, "file", "File object", keys=("purpose", "owner"), unique="filename")


def file(number: int, **fields: Any) -> Json:
    return {"id": f"file-{number:04}", "object": "file", "created_at": 1700000000, **fields}


async def ids(collection: Collection, scope: Scope, **how: Any) -> list[str]:
    page = how.pop("page", Page(limit=100, order="asc"))
    return [body["id"] for body in (await collection.list(scope, page, **how)).data]


async def test_what_is_created_can_be_fetched(files: Collection, scope: Scope) -> None:
    body = file(1, status="processed", bytes=12, nested={"b": [1, None, 2.5], "a": "ü"})
    await files.create(scope, body)
    found = await files.get(scope, "file-0001")
    assert found == body
    assert list(found) == list(body)  # the order of keys too


async def test_a_missing_object_is_a_404(files: Collection, scope: Scope) -> None:
    with pytest.raises(NotFound, match="No such File object: file-9"):
        await files.get(scope, "file-9")
    with pytest.raises(NotFound):
        await files.update(scope, "file-9", lambda body: body)
    with pytest.raises(NotFound):
        await files.delete(scope, "file-9")


@pytest.mark.parametrize(("project", "organization"), [("proj_2", "org-1"), ("proj_1", "org-2")])
async def test_someone_elses_object_is_not_found(
    files: Collection, scope: Scope, scope_of: ScopeOf, project: str, organization: str
) -> None:
    other = scope_of(project, organization)
    await files.create(scope, file(1, metadata={"a": "b"}))
    with pytest.raises(NotFound):
        await files.get(other, "file-0001")
    with pytest.raises(NotFound):
        await files.update(other, "file-0001", lambda body: body)
    with pytest.raises(NotFound):
        await files.delete(other, "file-0001")
    assert await ids(files, other) == []
    assert await ids(files, other, metadata={"a": "b"}) == []
    assert await ids(files, scope, metadata={"a": "b"}) == ["file-0001"]


async def test_another_kind_is_not_found(
    database: Database, files: Collection, scope: Scope
) -> None:
    await files.create(scope, file(1))
    with pytest.raises(NotFound):
        await Collection(database, "batch", "Batch").get(scope, "file-0001")


async def test_an_organizations_objects_are_there_for_all_its_projects(
    database: Database, scope: Scope, scope_of: ScopeOf
) -> None:
    groups = Collection(database, "group", "Group", organization_wide=True)
    await groups.create(scope, {"id": "group-1"})
    assert await groups.get(scope_of("proj_2"), "group-1") == {"id": "group-1"}
    with pytest.raises(NotFound):
        await groups.get(scope_of("proj_1", "org-2"), "group-1")


async def test_one_id_may_be_in_two_parents(files: Collection, scope: Scope) -> None:
    for parent in ("vs_1", "vs_2"):
        await files.create(scope, file(1, store=parent), parent=parent)
    assert (await files.get(scope, "file-0001", parent="vs_2"))["store"] == "vs_2"
    await files.delete(scope, "file-0001", parent="vs_2")
    assert await ids(files, scope, parent="vs_1") == ["file-0001"]
    assert await ids(files, scope, parent="vs_2") == []
    assert await ids(files, scope) == []


async def test_lists_filter_by_status_keys_and_metadata(files: Collection, scope: Scope) -> None:
    for number in range(12):
        await files.create(
            scope,
            file(
                number,
                status="done" if number % 2 else "open",
                purpose="batch" if number % 3 else "evals",
                metadata={"team": "a" if number < 6 else "b", "n": str(number % 4)},
            ),
        )
    assert await ids(files, scope, status="open", where={"purpose": "evals"}) == [
        "file-0000",
        "file-0006",
    ]
    assert await ids(files, scope, metadata={"team": "a", "n": "1"}) == ["file-0001", "file-0005"]
    assert await ids(
        files, scope, status="done", where={"purpose": "batch"}, metadata={"team": "b"}
    ) == ["file-0007", "file-0011"]
    newest = Page(limit=1)
    assert await ids(files, scope, page=newest, metadata={"team": "a"}) == ["file-0005"]
    assert await ids(files, scope, metadata={"team": "a", "n": "1", "no": "pe"}) == []


async def test_a_field_that_is_not_lifted_cannot_be_filtered_by(
    files: Collection, scope: Scope
) -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        await files.list(scope, Page(), where={"bytes": "12"})


async def test_a_unique_field_is_unique_in_its_project_and_parent(
    files: Collection, scope: Scope, scope_of: ScopeOf
) -> None:
    await files.create(scope, file(1, filename="a.txt"))
    with pytest.raises(Duplicate):
        await files.create(scope, file(2, filename="a.txt"))
    await files.create(scope, file(3, filename="a.txt"), parent="vs_1")
    await files.create(scope_of("proj_2"), file(4, filename="a.txt"))
    await files.create(scope, file(5))
    await files.create(scope, file(6))
    with pytest.raises(Duplicate):
        await files.update(scope, "file-0005", lambda body: {**body, "filename": "a.txt"})
    with pytest.raises(Duplicate):
        await files.create(scope, file(5))


async def test_an_update_changes_body_and_filters(files: Collection, scope: Scope) -> None:
    await files.create(scope, file(1, status="open", purpose="x", metadata={"a": "1", "b": "2"}))
    changed = await files.update(
        scope,
        "file-0001",
        lambda body: {**body, "status": "done", "purpose": "y", "metadata": {"a": "2"}},
    )
    assert changed == await files.get(scope, "file-0001")
    assert await ids(files, scope, status="open") == []
    assert await ids(files, scope, status="done", where={"purpose": "y"}) == ["file-0001"]
    assert await ids(files, scope, metadata={"b": "2"}) == []
    assert await ids(files, scope, metadata={"a": "2"}) == ["file-0001"]


async def test_updates_at_once_all_count(files: Collection, scope: Scope) -> None:
    await files.create(scope, file(1, count=0))
    await asyncio.gather(
        *(
            files.update(scope, "file-0001", lambda body: {**body, "count": body["count"] + 1})
            for _ in range(25)
        )
    )
    assert (await files.get(scope, "file-0001"))["count"] == 25


async def test_an_update_of_an_old_version_is_stale(
    database: Database, files: Collection, scope: Scope
) -> None:
    await files.create(scope, file(1))
    await files.update(scope, "file-0001", lambda body: {**body, "a": 1})
    with pytest.raises(Stale):
        await database.write(*files.updating(scope, file(1, a=2), version=1))
    assert (await files.get(scope, "file-0001"))["a"] == 1


async def test_what_a_change_raises_is_raised_and_nothing_changes(
    files: Collection, scope: Scope
) -> None:
    await files.create(scope, file(1))

    def refuse(body: Json) -> Json:
        raise NotFound(f"not {body['id']}")

    with pytest.raises(NotFound, match="not file-0001"):
        await files.update(scope, "file-0001", refuse)
    assert await files.get(scope, "file-0001") == file(1)


async def test_other_statements_share_the_unit(
    database: Database, files: Collection, scope: Scope
) -> None:
    note = Statement("INSERT INTO facts (name, value) VALUES ('a', 'b')")
    await files.create(scope, file(1), also=[note])
    with pytest.raises(Duplicate):
        await files.create(scope, file(2), also=[note])
    with pytest.raises(NotFound):
        await files.get(scope, "file-0002")
    with pytest.raises(Duplicate):
        await files.delete(scope, "file-0001", also=[note])
    assert await files.get(scope, "file-0001") == file(1)


async def test_deleting_takes_the_metadata_along(
    database: Database, files: Collection, scope: Scope
) -> None:
    await files.create(scope, file(1, metadata={"a": "b"}))
    await files.delete(scope, "file-0001")
    assert await database.read("SELECT 1 FROM object_metadata") == []
    with pytest.raises(NotFound):
        await files.get(scope, "file-0001")


@pytest.mark.parametrize("text", ["a\0b", "\0", "\ud800", "x\udfff\ud83d", "😀", "'?"])
async def test_strange_text_is_kept_and_found(files: Collection, scope: Scope, text: str) -> None:
    body = file(1, purpose=text, status=text, metadata={text: text}, content=[text, {text: 1}])
    await files.create(scope, body)
    assert await files.get(scope, "file-0001") == body
    found = await ids(files, scope, where={"purpose": text}, status=text, metadata={text: text})
    assert found == ["file-0001"]
    with pytest.raises(NotFound):
        await files.get(scope, text)
    assert await ids(files, scope, page=Page(after=text, before=text)) == []


numbers = st.sets(st.integers(0, 60), max_size=25)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    there=numbers, limit=st.integers(1, 12), order=st.sampled_from(["asc", "desc"]), data=st.data()
)
async def test_pages_walk_through_everything_once_in_order_and_back(
    database: Database, scope_of: ScopeOf, there: set[int], limit: int, order: Any, data: Any
) -> None:
    await database.write(Statement("DELETE FROM objects"), Statement("DELETE FROM object_metadata"))
    things = Collection(database, "thing", "thing")
    scope = scope_of()
    await database.write(
        *(
            statement
            for number in there
            for statement in things.creating(scope, {"id": f"t{number:02}", "metadata": {"a": "b"}})
        )
    )
    expected = sorted((f"t{number:02}" for number in there), reverse=order == "desc")
    metadata = data.draw(st.sampled_from([None, {"a": "b"}]))

    forth = list[str]()
    page = Page(limit=limit, order=order)
    while True:
        listing = await things.list(scope, page, metadata=metadata)
        here = [body["id"] for body in listing.data]
        forth += here
        assert (listing.first_id, listing.last_id) == (
            (here[0], here[-1]) if here else (None, None)
        )
        assert listing.has_more == (len(forth) < len(expected))
        if not listing.has_more:
            break
        assert len(here) == limit
        page = Page(after=listing.last_id, limit=limit, order=order)
    assert forth == expected

    if expected:
        cursor = data.draw(st.sampled_from(expected))
        place = expected.index(cursor)
        back = await things.list(
            scope, Page(before=cursor, limit=limit, order=order), metadata=metadata
        )
        assert [body["id"] for body in back.data] == expected[max(0, place - limit) : place]
        assert back.has_more == (place > limit)
        between = await things.list(
            scope, Page(after=expected[0], before=cursor, limit=50, order=order), metadata=metadata
        )
        assert [body["id"] for body in between.data] == expected[1:place]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"page": Page(after="file-0001")},
        {"page": Page(before="file-0001", order="asc")},
        {"parent": "vs_1"},
        {"status": "done"},
        {"where": {"purpose": "x"}},
        {"where": {"owner": "x"}, "status": "done"},
        {"metadata": {"a": "b"}},
        {"metadata": {"a": "b", "c": "d"}, "where": {"purpose": "x"}},
    ],
)
async def test_lists_use_indexes_only_and_never_sort(
    sqlite: SQLite, scope: Scope, how: dict[str, Any]
) -> None:
    plans = list[str]()

    class Explaining:
        """Answers each query with nothing, and notes how it would be done."""

        async def read(self, sql: str, params: Any) -> list[Any]:
            rows = await sqlite.read(f"EXPLAIN QUERY PLAN {sql}", params)
            plans.extend(row[3] for row in rows)
            return []

    files = Collection(Explaining(), "file", "file", keys=("purpose", "owner"))  # type: ignore[arg-type]
    await files.list(scope, how.pop("page", Page()), **how)
    assert plans
    for step in plans:
        assert "SCAN" not in step, plans
        assert "TEMP B-TREE" not in step, plans
    for number, field in enumerate(files.keys, 1):
        if field in how.get("where", {}) and "metadata" not in how:
            assert f"objects_by_key{number}" in plans[0]
