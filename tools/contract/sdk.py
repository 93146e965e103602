"""The operations of the `openai` package, read from the source of its client's methods.

It does not read types beyond naming them: `types.py` turns those into schemas.
"""

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from openai import OpenAI
from openai._resource import SyncAPIResource

VERBS = {
    "_get": "GET",
    "_post": "POST",
    "_put": "PUT",
    "_patch": "PATCH",
    "_delete": "DELETE",
    "_get_api_list": "GET",
}


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields that a method sends of a params type. `type` may be a TypedDict or a union of
    some.
    """

    type: Any
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the client that sends one request.

    `path` has its `{names}` and no query; `beta` says that the method adds `?beta=true`. `result`
    and `event` are the types of the answer and of its stream's events, `page` the class of a list's
    page.
    """

    name: str
    verb: str
    path: str
    beta: bool
    body: Fields | None
    query: Fields | None
    result: Any
    event: Any
    page: Any
    multipart: bool
    binary: bool
    deprecated: bool

    @property
    def key(self) -> str:
        return f"{self.verb} {self.path}"


def methods() -> list[Method]:
    """All of them, in the order of their names; where two share a request, the plainly named one
    only.
    """
    found: dict[tuple[str, bool], Method] = {}
    client = OpenAI(api_key="unused", admin_api_key="unused")
    for path, resource in _resources(client, ()):
        for method in _of_resource(path, resource):
            place = (method.key, method.beta)
            if place not in found or _rank(method) < _rank(found[place]):
                found[place] = method
    return sorted(found.values(), key=lambda method: (method.key, method.beta))


def _rank(method: Method) -> tuple[bool, int, str]:
    """`create` before `parse`, `responses.create` before `beta.responses.create`."""
    return (method.name.endswith(".parse"), len(method.name), method.name)


def _resources(owner: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in sorted(vars(type(owner))):
        if name.startswith(("_", "with_")) or callable(vars(type(owner))[name]):
            continue
        value = getattr(owner, name)
        if isinstance(value, SyncAPIResource):
            yield (*path, name), value
            yield from _resources(value, (*path, name))


def _of_resource(path: tuple[str, ...], resource: Any) -> Iterator[Method]:
    module = sys.modules[type(resource).__module__]
    for name, function in sorted(vars(type(resource)).items()):
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
        tree = ast.parse(source).body[0]
        call = _request(tree) if isinstance(tree, ast.FunctionDef) else None
        if isinstance(tree, ast.FunctionDef) and call is not None:
            scope = dict(vars(module))
            yield _Reader(tree, scope).method(".".join((*path, name)), call)


def _request(function: ast.FunctionDef) -> ast.Call | None:
    """The one `self._post(...)` or the like in a method, if it has one."""
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in VERBS
            and ast.unparse(node.func.value) == "self"
        ):
            return node
    return None


class _Reader:
    """Reads one method's source. Expressions are evaluated in the module of the (installed, pinned)
    package.
    """

    def __init__(self, function: ast.FunctionDef, scope: dict[str, Any]) -> None:
        self.function = function
        self.scope = scope

    def method(self, name: str, call: ast.Call) -> Method:
        given = {word.arg: word.value for word in call.keywords if word.arg}
        options = given.get("options")
        inner = (
            {word.arg: word.value for word in options.keywords}
            if isinstance(options, ast.Call)
            else {}
        )
        verb = VERBS[ast.unparse(call.func).removeprefix("self.")]
        if "method" in given:
            verb = str(ast.literal_eval(given["method"])).upper()
        path, _, question = self._path(call.args[0]).partition("?")
        result = self._value(given.get("model") or given.get("cast_to"))
        return Method(
            name=name,
            verb=verb,
            path=path,
            beta="beta=true" in question,
            body=self._fields(given.get("body")),
            query=self._fields(inner.get("query")),
            result=result,
            event=self._event(given.get("stream_cls")),
            page=self._value(given.get("page")),
            multipart="multipart/form-data" in ast.unparse(self.function),
            binary="BinaryResponse" in getattr(result, "__name__", ""),
            deprecated=any("deprecated" in ast.unparse(d) for d in self.function.decorator_list),
        )

    def _path(self, node: ast.expr) -> str:
        if isinstance(node, ast.Call):
            node = node.args[0]
        return str(ast.literal_eval(node))

    def _value(self, node: ast.expr | None) -> Any:
        if node is None:
            return None
        if isinstance(node, ast.Call):  # cast(Any, X): the X; else a choice made at run time
            if ast.unparse(node.func) != "cast":
                return None
            node = node.args[1]
        return eval(ast.unparse(node), self.scope)  # noqa: S307 - an expression of the pinned package

    def _event(self, node: ast.expr | None) -> Any:
        """The X of `Stream[X]`, or of a class whose first base that is."""
        value = self._value(node)
        value = next(iter(getattr(value, "__orig_bases__", ())), value)
        return next(iter(getattr(value, "__args__", ())), None)

    def _fields(self, node: ast.expr | None) -> Fields | None:
        """What `maybe_transform({...}, T)` sends."""
        if not isinstance(node, ast.Call) or len(node.args) < 2:
            return None
        content, params = node.args
        if isinstance(params, ast.IfExp):  # Streaming if stream else NonStreaming
            params = params.orelse
        literal = self._literal(content)
        names = tuple(str(ast.literal_eval(key)) for key in literal.keys if key is not None)
        return Fields(self._value(params), names)

    def _literal(self, node: ast.expr) -> ast.Dict:
        """The dict literal that an expression is or that its variable was made from."""
        if isinstance(node, ast.Dict):
            return node
        variable = ast.unparse(node).partition(".")[0]
        for statement in ast.walk(self.function):
            if not isinstance(statement, ast.Assign):
                continue
            if ast.unparse(statement.targets[0]) != variable:
                continue
            for part in ast.walk(statement.value):
                if isinstance(part, ast.Dict):
                    return part
        raise LookupError(f"{self.function.name}: no literal for {ast.unparse(node)}")
