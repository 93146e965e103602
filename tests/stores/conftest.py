"""Real databases, SQLite and PostgreSQL, and scopes that ask."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from inhouse.scope import Principal, Scope
from inhouse.stores import Database
from inhouse.stores.postgres.driver import Postgres
from inhouse.stores.sqlite import SQLite


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """Where the test's database is: None for a file in its folder."""
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else None


@pytest.fixture
async def database(tmp_path: Path, database_url: str | None) -> AsyncGenerator[Database]:
    """A database of the test's own, on SQLite and on PostgreSQL."""
    async with Database.open(tmp_path / "data", url=database_url) as opened:
        if isinstance(opened, Postgres):
            await opened.listening()  # what was missed until then is news
        yield opened


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncGenerator[SQLite]:
    """A database of the test's own, in a file."""
    async with SQLite(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def scope_of() -> Callable[..., Scope]:
    """Makes a scope of a project and an organization."""

    def make(project: str = "proj_1", organization: str = "org-1") -> Scope:
        principal = Principal("user-1", organization, project, "key_1", frozenset({"*"}))
        return Scope(organization, project, principal, "req_1")

    return make


@pytest.fixture
def scope(scope_of: Callable[..., Scope]) -> Scope:
    return scope_of()
