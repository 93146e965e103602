"""A real database in a temporary folder, a clock that stands still, and scopes that ask."""

from collections.abc import Callable

import pytest

from inhouse.scope import Principal, Scope


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
