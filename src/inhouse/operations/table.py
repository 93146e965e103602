"""The table of all published operations, and finding the one that a request means.

A trie over path segments: a match costs one dictionary look-up per segment, however many operations
there are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from inhouse.contract import Contract, OperationSpec
from inhouse.errors import MethodNotAllowed, NotFound
from inhouse.operations.operation import Operation


@dataclass(frozen=True, slots=True)
class Route:
    """An operation of the contract; `operation` is None while it has no handler."""

    key: str
    spec: OperationSpec
    operation: Operation | None

    @property
    def has_query(self) -> bool:
        """Whether the contract knows query parameters for it."""
        return bool(self.spec.query_schema["properties"])


@dataclass(slots=True)
class _Node:
    literal: dict[str, "_Node"] = field(default_factory=dict[str, "_Node"])
    parameter: "_Node | None" = None
    routes: dict[str, tuple[Route, tuple[str, ...]]] = field(
        default_factory=dict[str, tuple[Route, tuple[str, ...]]]
    )


class Table:
    """Every operation of the contract, each with its handler or without."""

    def __init__(self, contract: Contract, operations: Iterable[Operation]) -> None:
        handlers = {operation.name: operation for operation in operations}
        unknown = handlers.keys() - contract.operations.keys()
        if unknown:
            raise ValueError(f"handlers for operations that the contract lacks: {sorted(unknown)}")
        self.routes: Mapping[str, Route] = {
            key: Route(key, spec, handlers.get(key)) for key, spec in contract.operations.items()
        }
        self._root = _Node()
        for route in self.routes.values():
            self._add(route)

    def _add(self, route: Route) -> None:
        path, _, query = route.spec.path.partition("?")
        if query:  # `?beta=true` selects a second schema of the same route
            return
        node, names = self._root, list[str]()
        for segment in path.strip("/").split("/"):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literal.setdefault(segment, _Node())
        node.routes[route.spec.method] = (route, tuple(names))

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route of `method` and the still percent-encoded `path` (without /v1), and the path's
        parameters.

        Raises NotFound (`unknown_url`) and MethodNotAllowed.
        """
        values: list[str] = []
        node = _walk(self._root, path.split("/")[1:], values)
        if node is None:
            raise NotFound(
                f"Unknown request URL: {method} /v1{path}. Please check the URL for typos.",
                code="unknown_url",
            )
        found = node.routes.get(method)
        if found is None:
            allowed = ", ".join(sorted(node.routes))
            raise MethodNotAllowed(
                f"Not allowed to {method} on /v1{path}. Allowed: {allowed}.",
                code="method_not_supported",
                headers={"allow": allowed},
            )
        route, names = found
        return route, dict(zip(names, values, strict=True)) if names else {}


def _walk(node: _Node, segments: list[str], values: list[str]) -> _Node | None:
    """Literal segments win; a parameter takes any segment but the empty one."""
    for index, segment in enumerate(segments):
        literal = node.literal.get(segment)
        if literal is not None:
            if node.parameter is not None:
                before = len(values)
                found = _walk(literal, segments[index + 1 :], values)
                if found is not None:
                    return found
                del values[before:]
            else:
                node = literal
                continue
        if node.parameter is None or not segment:
            return None
        node = node.parameter
        values.append(unquote(segment))
    return node if node.routes else None
