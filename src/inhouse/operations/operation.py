"""What an operation is: a method, a path of the contract, a handler and the permission it needs.

The decorated function *is* the `Operation`; nothing is registered anywhere. `services.py` gathers them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stream:
    """A result that comes as events: batches of JSON objects, each batch written at once.

    `named` events carry their `type` in the SSE `event:` line; unnamed streams end with `[DONE]`, as chat does.
    """

    batches: AsyncIterator[Sequence[Json]]
    named: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """A result that is bytes: a file, audio, an image."""

    chunks: AsyncIterator[bytes]
    media_type: str
    headers: tuple[tuple[str, str], ...] = ()


Result = Json | Stream | Content


@dataclass(frozen=True, slots=True)
class Operation:
    """`method` and `path` (without /v1) name the contract's operation. `handler` takes a context, the path's parameters by name,
    and, where the contract has them, `body` and `query`."""

    method: str
    path: str
    handler: Callable[..., Awaitable[Result]]
    permission: str
    model: bool = False

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


def operation(
    route: str, *, permission: str, model: bool = False
) -> Callable[[Callable[..., Awaitable[Result]]], Operation]:
    """Make a handler an `Operation`: `@operation("POST /embeddings", permission="model.request", model=True)`.

    `model=True`: the body's `model` is resolved before the handler runs (404 `model_not_found` if there is none), limits are reserved for
    it, and the handler finds it as `ctx.model`.
    """
    method, _, path = route.partition(" ")

    def decorate(handler: Callable[..., Awaitable[Result]]) -> Operation:
        return Operation(method, path, handler, permission, model)

    return decorate
