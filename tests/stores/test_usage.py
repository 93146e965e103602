from collections.abc import Callable

import pytest
from msgspec.structs import replace

from inhouse.scope import Scope, Usage
from inhouse.stores import Database
from inhouse.stores.usage import Sums, UsageStore, recording

DAY = 86400
START = 1_700_006_400


@pytest.fixture
async def usage(database: Database, scope_of: Callable[..., Scope]) -> UsageStore:
    def row(at: int, project: str, model: str, *counts: int, status: int = 200) -> None:
        scope = replace(scope_of(project), usage=Usage(model, *counts))
        rows.append(recording(scope, "POST /chat/completions", status, START + at))

    rows = []
    row(0, "proj_1", "m", 10, 4, 5, 1)
    row(DAY - 1, "proj_2", "m", 100, 0, 50, 0)
    row(DAY, "proj_1", "n", 1, 0, 1, 0)
    row(DAY + 5, "proj_1", "m", 2, 0, 2, 0)
    row(DAY + 6, "proj_1", "m", 7, 0, 0, 0, status=499)
    row(3 * DAY, "proj_1", "m", 9, 9, 9, 9)
    await database.write(*rows)
    return UsageStore(database)


async def test_usage_is_summed_in_buckets_of_time(usage: UsageStore) -> None:
    assert await usage.sums("org-1", START, START + 3 * DAY) == [
        Sums(START, {}, 2, 110, 4, 55, 1),
        Sums(START + DAY, {}, 3, 10, 0, 3, 0),
    ]
    assert [sums.start for sums in await usage.sums("org-1", START, START + DAY, width=60)] == [
        START,
        START + DAY - 60,
    ]


async def test_usage_is_grouped_and_filtered(usage: UsageStore) -> None:
    found = await usage.sums(
        "org-1",
        START,
        START + 9 * DAY,
        width=9 * DAY,
        group_by=["project", "model"],
        where={"project": ["proj_1"], "model": ["m", "n"]},
    )
    assert found == [
        Sums(START, {"project": "proj_1", "model": "m"}, 4, 28, 13, 16, 10),
        Sums(START, {"project": "proj_1", "model": "n"}, 1, 1, 0, 1, 0),
    ]


async def test_another_organizations_usage_is_not_counted(usage: UsageStore) -> None:
    assert await usage.sums("org-2", START, START + 9 * DAY) == []


async def test_a_field_that_usage_does_not_have_is_refused(usage: UsageStore) -> None:
    with pytest.raises(ValueError, match="no field"):
        await usage.sums("org-1", 0, 1, group_by=["1; DROP TABLE usage"])  # type: ignore[list-item]
