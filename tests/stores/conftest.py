"""A real database in a temporary folder, a clock that stands still, and scopes that ask."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from inhouse.clock import FrozenClock
from inhouse.scope import Principal, Scope
from inhouse.stores import Database


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(tmp_path / "data") as opened:
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
