"""Access over a real database, with a clock that stands still."""

from collections.abc import Callable

import pytest

from inhouse.access import Access, Limits
from inhouse.clock import FrozenClock
from inhouse.ids import Ids
from inhouse.scope import Principal, Scope
from inhouse.stores import Database
from inhouse.stores.secret import Secret

SECRET = Secret((b"the secret of these tests",))

AccessOf = Callable[..., Access]


@pytest.fixture
def access_of(database: Database, clock: FrozenClock) -> AccessOf:
    """Makes an `Access`, as a server would at its start."""

    def make(secret: Secret = SECRET, **settings: object) -> Access:
        limits = settings.pop("limits", Limits(100, 10_000))
        return Access(database, secret, clock, Ids(), limits=limits, **settings)  # type: ignore[arg-type]

    return make


@pytest.fixture
def access(access_of: AccessOf) -> Access:
    return access_of()


@pytest.fixture
def scope_of() -> Callable[[Principal], Scope]:
    """Makes the scope of a request by a principal."""

    def make(principal: Principal) -> Scope:
        return Scope(principal.organization, principal.project, principal, "req_1")

    return make
