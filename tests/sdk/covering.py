"""Which parameters of an operation have a test of their own."""

from collections.abc import Callable
from typing import TypeVar

Test = TypeVar("Test", bound=Callable[..., object])


class Covering:
    """Marks tests by the parameter that they are for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __call__(self, *names: str) -> Callable[[Test], Test]:
        self.names |= set(names)
        return lambda test: test
