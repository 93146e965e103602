"""The one way in. HTTP, and later WebSocket messages, batch lines and eval samples, all pass here.

The order of checks is the same for everybody: route, key, permission, body, model, limits; then the
handler; then its usage is settled. A stream is settled when it ends, before its reader learns of
the end.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from inhouse.access import Access
from inhouse.clock import Clock
from inhouse.engines.models import Model
from inhouse.errors import BadRequest, NotImplementedYet
from inhouse.operations.bill import Bill, status_of
from inhouse.operations.operation import Json, Operation, Result, Stream
from inhouse.operations.table import Route, Table
from inhouse.scope import Principal, Scope
from inhouse.telemetry import Metrics

_CHARACTERS_PER_TOKEN = 4
_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


class Resolver(Protocol):
    """Finds the model that a name means; `engines.models.Models` is one."""

    async def resolve(self, name: str) -> Model: ...


ContextMaker = Callable[[Scope, Model | None, str | None], Any]
"""Makes what a handler sees from the scope, the resolved model and the name that was asked for."""


class Answer(msgspec.Struct, frozen=True):
    """A handler's result and the headers that the limits add to it."""

    result: Result
    headers: Sequence[tuple[str, str]] = ()


class Call(msgspec.Struct, frozen=True):
    """A request that has passed route, key and permission. `size` is the body's length in bytes."""

    route: Route
    operation: Operation
    parameters: dict[str, str]
    body: Any = None
    query: Sequence[tuple[str, str]] = ()
    size: int = 0


class Dispatcher:
    """Checks a request, calls its handler, settles what it used."""

    def __init__(
        self,
        table: Table,
        access: Access,
        models: Resolver,
        context: ContextMaker,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.table = table
        self._access = access
        self._models = models
        self._context = context
        self._clock = clock
        self._metrics = metrics

    async def dispatch(
        self,
        scope: Scope,
        method: str,
        path: str,
        body: Any = None,
        query: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """Do the operation that `method` and `path` (without /v1) name, for `scope`.

        Raises every `APIError` that the operation can answer with.
        """
        route, parameters = self.table.match(method, path)
        operation = self.admit(scope.principal, route)
        return await self.call(scope, Call(route, operation, parameters, body, query))

    def admit(self, principal: Principal, route: Route) -> Operation:
        """The route's operation, if it has a handler (else 501) and `principal` may use it (else
        403).
        """
        operation = route.operation
        if operation is None:
            raise NotImplementedYet(
                f"{route.spec.method} /v1{route.spec.path} is part of the API and is not "
                "implemented by this server yet."
            )
        self._access.authorise(principal, operation.permission)
        return operation

    async def call(self, scope: Scope, call: Call) -> Answer:
        """Validate, resolve the model, reserve limits, run the handler, settle."""
        spec, operation = call.route.spec, call.operation
        arguments: dict[str, Any] = dict(call.parameters)
        if spec.body:
            arguments["body"] = spec.check_body(call.body)
        if call.route.has_query:
            arguments["query"] = spec.read_query(call.query)
        if not operation.model:
            context = self._context(scope, None, None)
            return Answer(await operation.handler(context, **arguments))
        return await self._call_model(scope, call, arguments)

    async def _call_model(self, scope: Scope, call: Call, arguments: dict[str, Any]) -> Answer:
        body: Json = arguments["body"]
        requested: str | None = body.get("model")
        if requested is None:
            raise BadRequest(
                "Missing required parameter: 'model'.",
                param="model",
                code="missing_required_parameter",
            )
        model = await self._models.resolve(requested)
        scope.usage.model = model.id
        tokens = _estimate(body, call.size, model.context_length)
        reservation = self._access.reserve(scope.principal, model.id, tokens)
        bill = Bill(
            scope,
            call.operation.name,
            reservation,
            self._access,
            self._clock,
            self._metrics.model(model.id),
        )
        try:
            result = await call.operation.handler(
                self._context(scope, model, requested), **arguments
            )
        except BaseException as error:
            await bill.settle(status_of(error))
            raise
        if isinstance(result, Stream):
            return Answer(Stream(bill.follow(result.batches), result.named), reservation.headers)
        await bill.settle()
        return Answer(result, reservation.headers)


def _estimate(body: Json, size: int, context_length: int | None) -> int:
    """Tokens to reserve: the body's characters in fours, and what may be generated: no more than
    the model's context, whatever the client allows.
    """
    limit: int = 0
    for name in _LIMITS:
        if body.get(name):
            limit = body[name]
            break
    if context_length and limit > context_length:
        limit = context_length
    return size // _CHARACTERS_PER_TOKEN + limit * (body.get("n") or 1)
