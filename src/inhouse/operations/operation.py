"""What an operation is: a method, a path of the contract, a handler and the permission it needs.

The decorated function *is* the `Operation`; nothing is registered anywhere. `services.py` gathers
them.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stream:
    """A result that comes as events: batches of JSON objects, each batch written at once.

    `named` events carry their `type` in the SSE `event:` line; unnamed streams end with `[DONE]`,
    as chat does. The receiver closes `batches` when it stops early.
    """

    batches: AsyncGenerator[Sequence[Json], None]
    named: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """A result that is bytes: a file, audio, an image."""

    chunks: AsyncIterator[bytes]
    media_type: str
    headers: tuple[tuple[str, str], ...] = ()


Result = Json | Stream | Content
Handler = Callable[..., Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the contract with its handler.

    `handler` takes a context, the path's parameters by name and, where the contract has them,
    `body` and `query`. `model` says that the body names a model (see `operation`).
    """

    method: str
    path: str
    handler: Handler
    permission: str
    model: bool = False

    @property
    def name(self) -> str:
        """The contract's key: `POST /chat/completions`."""
        return f"{self.method} {self.path}"


def operation(
    route: str, *, permission: str, model: bool = False
) -> Callable[[Handler], Operation]:
    """Make a handler an `Operation`.

    `@operation("POST /embeddings", permission="model.request", model=True)`

    With `model=True` the body's `model` is resolved before the handler runs (404 `model_not_found`
    if there is none), limits are reserved for it, and the handler finds it as `ctx.model`.
    """
    method, _, path = route.partition(" ")

    def decorate(handler: Handler) -> Operation:
        return Operation(method, path, handler, permission, model)

    return decorate
